//! Queries for findings: the filters, order and paging of the dashboard and the API, as URL parameters.

use std::{cmp::Ordering, collections::BTreeSet, fmt, str::FromStr};

use super::Finding;
use crate::{
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
};

/// The maximum page size.
pub const LARGEST_PAGE: usize = 1000;
/// The default page size.
pub const USUAL_PAGE: usize = 100;
/// The maximum length of the search text, in characters.
const LONGEST_TEXT: usize = 200;

/// A query. A finding must match one value of each filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingQuery {
    /// Verdicts.
    pub verdicts: BTreeSet<Verdict>,
    /// Severities.
    pub severities: BTreeSet<Severity>,
    /// Actions.
    pub actions: BTreeSet<Action>,
    /// Owners; `-` for no owner.
    pub owners: BTreeSet<String>,
    /// Accounts.
    pub accounts: BTreeSet<String>,
    /// Regions.
    pub regions: BTreeSet<String>,
    /// Kinds of deployments.
    pub kinds: BTreeSet<DeploymentKind>,
    /// Lines: `public.ecr.aws/lambda/java:21`.
    pub lines: BTreeSet<String>,
    /// Releases of a line: `21.2026.08.22.00`.
    pub releases: BTreeSet<String>,
    /// Reason codes.
    pub reasons: BTreeSet<String>,
    /// Words that the name, image, base or owner must contain, ignoring case.
    pub text: String,
    /// The order.
    pub sort: SortOrder,
    /// The number of findings before the page.
    pub offset: usize,
    /// The page size; `None` for the default.
    pub limit: Option<usize>,
}

/// The filter value for findings without an owner.
pub const NO_OWNER: &str = "-";

/// An order of findings, written as the sort key, prefixed with `-` for descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortOrder {
    /// The sort key.
    pub by: SortKey,
    /// Whether the highest values are first.
    pub is_descending: bool,
}

impl Default for SortOrder {
    /// Worst first, as in the report.
    fn default() -> Self {
        SortKey::Severity.first_order()
    }
}

/// The sort key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// By severity, then verdict and age.
    #[default]
    Severity,
    /// By the age of the base. Findings of unknown age are last in either order.
    Age,
    /// By the time that the base has been behind. Findings of current bases are last in either order.
    Behind,
    /// By deployment name.
    Name,
    /// By owner. Findings without an owner are last in either order.
    Owner,
}

/// An invalid parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The parameter is unknown.
    #[error("unknown parameter {name:?}; use {accepted}")]
    Unknown {
        /// The given name.
        name: String,
        /// The known parameters.
        accepted: String,
    },
    /// The value is invalid.
    #[error("{name} must be {accepted}, not {value:?}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// The given value.
        value: String,
        /// The accepted values.
        accepted: String,
    },
}

/// The parameters with their descriptions.
pub const PARAMETERS: [(&str, &str); 14] = [
    ("verdict", "Only findings with this verdict. Repeatable."),
    ("severity", "Only findings with this severity. Repeatable."),
    ("action", "Only findings with this action. Repeatable."),
    ("owner", "Only findings of this owner; - for no owner. Repeatable."),
    ("account", "Only deployments in this AWS account. Repeatable."),
    ("region", "Only deployments in this AWS region. Repeatable."),
    ("kind", "Only deployments of this kind. Repeatable."),
    ("line", "Only deployments on a base of this line. Repeatable."),
    ("release", "Only deployments on this base release. Repeatable."),
    ("reason", "Only findings with this reason code. Repeatable."),
    ("q", "Only findings whose name, image, base or owner contains all of these words."),
    (
        "sort",
        "Sort key: severity, age, behind, name or owner; prefix with - for descending. -age is oldest first; default -severity.",
    ),
    ("offset", "Number of findings to skip."),
    ("limit", "Maximum number of findings to return: 1 to 1000, default 100."),
];

impl FindingQuery {
    /// Parses URL parameters. Ignores empty values, which HTML forms send.
    pub fn parse<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for (name, value) in parameters {
            let Some((name, _)) = PARAMETERS.iter().find(|(known, _)| *known == name) else {
                let accepted = PARAMETERS.map(|(name, _)| name).join(", ");
                return Err(QueryError::Unknown { name: shown(name), accepted });
            };
            if !value.trim().is_empty() {
                query.set(name, value.trim())?;
            }
        }
        Ok(query)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), QueryError> {
        match name {
            "verdict" => drop(self.verdicts.insert(choice(name, value, &Verdict::ALL, Verdict::as_str)?)),
            "severity" => drop(self.severities.insert(choice(name, value, &Severity::ALL, Severity::as_str)?)),
            "action" => drop(self.actions.insert(choice(name, value, &Action::ALL, Action::as_str)?)),
            "kind" => drop(self.kinds.insert(choice(name, value, &DeploymentKind::ALL, DeploymentKind::as_str)?)),
            "sort" => self.sort = value.parse()?,
            "offset" => self.offset = number(name, value, 0, usize::MAX)?,
            "limit" => self.limit = Some(number(name, value, 1, LARGEST_PAGE)?),
            "q" => self.text = value.chars().take(LONGEST_TEXT).collect(),
            _ => drop(self.texts(name).map(|texts| texts.insert(value.to_owned()))),
        }
        Ok(())
    }

    fn texts(&mut self, name: &str) -> Option<&mut BTreeSet<String>> {
        Some(match name {
            "owner" => &mut self.owners,
            "account" => &mut self.accounts,
            "region" => &mut self.regions,
            "line" => &mut self.lines,
            "release" => &mut self.releases,
            "reason" => &mut self.reasons,
            _ => return None,
        })
    }

    /// The URL parameters of the query in the order of [`PARAMETERS`], without defaults.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        parameters.extend(self.verdicts.iter().map(|verdict| ("verdict", verdict.as_str().to_owned())));
        parameters.extend(self.severities.iter().map(|severity| ("severity", severity.as_str().to_owned())));
        parameters.extend(self.actions.iter().map(|action| ("action", action.as_str().to_owned())));
        parameters.extend(self.kinds.iter().map(|kind| ("kind", kind.as_str().to_owned())));
        let texts = [
            ("owner", &self.owners),
            ("account", &self.accounts),
            ("region", &self.regions),
            ("line", &self.lines),
            ("release", &self.releases),
            ("reason", &self.reasons),
        ];
        parameters.extend(texts.iter().flat_map(|(name, values)| values.iter().map(|value| (*name, value.clone()))));
        parameters.extend((!self.text.is_empty()).then(|| ("q", self.text.clone())));
        parameters.extend((self.sort != SortOrder::default()).then(|| ("sort", self.sort.to_string())));
        parameters.extend((self.offset > 0).then(|| ("offset", self.offset.to_string())));
        parameters.extend(self.limit.map(|limit| ("limit", limit.to_string())));
        parameters
    }

    /// The page size.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.limit.unwrap_or(USUAL_PAGE)
    }

    /// Whether the query has filters.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        Self { sort: SortOrder::default(), offset: 0, limit: None, ..self.clone() } != Self::default()
    }

    /// The matching findings in order, on all pages.
    #[must_use]
    pub fn select<'a>(&self, findings: &'a [Finding]) -> Vec<&'a Finding> {
        let words: Vec<_> = self.text.split_whitespace().map(str::to_lowercase).collect();
        let is_match = |finding: &&Finding| self.admits(finding) && contains(finding, &words);
        let mut selected: Vec<_> = findings.iter().filter(is_match).collect();
        // A stable sort keeps the order of the report.
        selected.sort_by(|one, other| self.sort.compare(one, other));
        selected
    }

    /// The page of the findings that [`FindingQuery::select`] returned.
    #[must_use]
    pub fn page<'a, 'f>(&self, selected: &'a [&'f Finding]) -> &'a [&'f Finding] {
        let start = self.offset.min(selected.len());
        let end = start.saturating_add(self.page_size()).min(selected.len());
        &selected[start..end]
    }

    fn admits(&self, finding: &Finding) -> bool {
        let deployment = &finding.deployment;
        let base = finding.base.as_ref();
        let line = base.and_then(|base| base.line.as_deref());
        let release = base.and_then(|base| base.release.as_deref());
        is_one_of(&self.verdicts, Some(&finding.verdict))
            && is_one_of(&self.severities, Some(&finding.severity))
            && is_one_of(&self.actions, Some(&finding.action))
            && is_one_of(&self.owners, Some(deployment.owner.as_deref().unwrap_or(NO_OWNER)))
            && is_one_of(&self.accounts, deployment.account.as_deref())
            && is_one_of(&self.regions, deployment.region.as_deref())
            && is_one_of(&self.kinds, Some(&deployment.kind))
            && is_one_of(&self.lines, line)
            && is_one_of(&self.releases, release)
            && (self.reasons.is_empty() || finding.reasons.iter().any(|reason| self.reasons.contains(&reason.code)))
    }
}

fn is_one_of<T: Ord + ?Sized, S: std::borrow::Borrow<T> + Ord>(allowed: &BTreeSet<S>, found: Option<&T>) -> bool {
    allowed.is_empty() || found.is_some_and(|found| allowed.contains(found))
}

fn contains(finding: &Finding, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let deployment = &finding.deployment;
    let base = finding.base.as_ref();
    let texts = [
        Some(finding.id.as_str()),
        Some(deployment.name.as_str()),
        deployment.owner.as_deref(),
        Some(finding.image.reference.as_str()),
        base.map(|base| base.reference.as_str()),
        base.and_then(|base| base.line.as_deref()),
        base.and_then(|base| base.release.as_deref()),
    ];
    let texts: Vec<_> = texts.into_iter().flatten().map(str::to_lowercase).collect();
    words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
}

impl SortKey {
    /// All sort keys with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Severity, "severity"),
        (Self::Age, "age"),
        (Self::Behind, "behind"),
        (Self::Name, "name"),
        (Self::Owner, "owner"),
    ];

    /// The order that a column has when it is first sorted: worst, oldest and longest first, names from A to Z.
    #[must_use]
    pub fn first_order(self) -> SortOrder {
        SortOrder { by: self, is_descending: !matches!(self, Self::Name | Self::Owner) }
    }
}

impl SortOrder {
    fn compare(self, one: &Finding, other: &Finding) -> Ordering {
        let age = |finding: &Finding| finding.base.as_ref().and_then(|base| base.age_days);
        let behind = |finding: &Finding| finding.behind.as_ref().and_then(|behind| behind.days);
        match self.by {
            SortKey::Severity => self.directed(other.worst_first(one)),
            SortKey::Age => self.known_first(age(one), age(other)),
            SortKey::Behind => self.known_first(behind(one), behind(other)),
            SortKey::Name => self.directed(one.deployment.name.cmp(&other.deployment.name)),
            SortKey::Owner => self.known_first(one.deployment.owner.as_deref(), other.deployment.owner.as_deref()),
        }
    }

    fn directed(self, ascending: Ordering) -> Ordering {
        if self.is_descending { ascending.reverse() } else { ascending }
    }

    fn known_first<T: Ord>(self, one: Option<T>, other: Option<T>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) => self.directed(one.cmp(&other)),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }
}

impl fmt::Display for SortOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SortKey::ALL.iter().find(|(by, _)| *by == self.by).map_or("", |(_, name)| name);
        write!(f, "{}{name}", if self.is_descending { "-" } else { "" })
    }
}

impl FromStr for SortOrder {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (is_descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let (by, _) = choice("sort", name, &SortKey::ALL, |(_, name)| name)?;
        Ok(Self { by, is_descending })
    }
}

fn choice<T: Copy>(
    name: &'static str,
    value: &str,
    choices: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, QueryError> {
    let chosen = choices.iter().copied().find(|choice| word(*choice) == value);
    chosen.ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|choice| word(*choice)).collect();
        QueryError::Value { name, value: shown(value), accepted: words.join(", ") }
    })
}

fn number(name: &'static str, value: &str, least: usize, most: usize) -> Result<usize, QueryError> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let accepted = match most {
            usize::MAX => "an integer".to_owned(),
            most => format!("an integer from {least} to {most}"),
        };
        QueryError::Value { name, value: shown(value), accepted }
    })
}

fn shown(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(parameters: &[(&str, &str)]) -> Result<FindingQuery, QueryError> {
        FindingQuery::parse(parameters.iter().copied())
    }

    #[test]
    fn a_query_round_trips_through_its_parameters() {
        let parameters = [
            ("verdict", "stale"),
            ("verdict", "deprecated"),
            ("severity", "critical"),
            ("action", "rebuild"),
            ("kind", "lambda"),
            ("owner", "-"),
            ("account", "123456789012"),
            ("region", "eu-west-1"),
            ("line", "public.ecr.aws/lambda/java:21"),
            ("release", "21.2026.08.22.00"),
            ("reason", "base-too-old"),
            ("q", "Orders live"),
            ("sort", "-age"),
            ("offset", "100"),
            ("limit", "50"),
        ];
        let query = parsed(&parameters).unwrap();
        let back: Vec<_> = query.parameters();
        assert_eq!(back.len(), parameters.len());
        assert_eq!(FindingQuery::parse(back.iter().map(|(name, value)| (*name, value.as_str()))).unwrap(), query);
        assert!(query.is_narrow() && !parsed(&[("sort", "age"), ("offset", "5")]).unwrap().is_narrow());
        assert_eq!(FindingQuery::default().parameters(), []);
    }

    #[test]
    fn every_parameter_is_accepted_and_an_empty_value_is_ignored() {
        for (name, _) in PARAMETERS {
            assert_eq!(parsed(&[(name, " ")]).unwrap(), FindingQuery::default(), "{name}");
        }
    }

    #[test]
    fn invalid_parameters_and_values_are_rejected_with_a_hint() {
        let table = [
            (("verdikt", "stale"), "unknown parameter \"verdikt\"; use verdict, severity,"),
            (("verdict", "Stale"), "verdict must be fresh, superseded,"),
            (("sort", "size"), "sort must be severity, age, behind, name, owner, not \"size\""),
            (("limit", "0"), "limit must be an integer from 1 to 1000, not \"0\""),
            (("limit", "1001"), "limit must be an integer from 1 to 1000"),
            (("offset", "-1"), "offset must be an integer, not \"-1\""),
        ];
        for (parameter, expected) in table {
            let error = parsed(&[parameter]).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
