//! Findings for company bases: bases that are built on an outdated base and must be rebuilt before the images on top of
//! them. Alerts and rebuilds are for the company base, and not for each image that waits for it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    BaseInUse, BaseLink, CurrentRelease, DeploymentFields, Finding, ImageFields, ReasonFields, Report, format,
};
use crate::{
    image::ReferenceText,
    inventory::DeploymentKind,
    judge::{Action, ReasonCode, Severity, Verdict},
};

/// The ID prefix of findings about bases. IDs of deployments have other prefixes.
const PREFIX: &str = "base:";

/// Maximum number of waiting deployments to list.
const NAMED: usize = 3;

impl Finding {
    /// The company base that must be rebuilt first, and the outdated base below it.
    #[must_use]
    pub fn awaited_base(&self) -> Option<(&BaseInUse, &BaseLink)> {
        let code = ReasonCode::WaitsForBase.as_str();
        self.reasons
            .iter()
            .any(|reason| reason.code == code)
            .then(|| self.links().filter(|it| it.1.is_awaited()).last())?
    }

    /// Pairs of a base and the base that it is built on.
    fn links(&self) -> impl Iterator<Item = (&BaseInUse, &BaseLink)> {
        let below = self.base.iter().flat_map(|base| &base.chain);
        let outer = self.base.iter().chain(below.clone().map(|link| &link.base));
        outer.zip(below)
    }
}

/// Whether `id` is the ID of a finding about a base.
#[must_use]
pub fn is_base_id(id: &str) -> bool {
    id.starts_with(PREFIX)
}

impl BaseLink {
    fn is_awaited(&self) -> bool {
        self.behind.is_some() && self.adopted == Some(false)
    }
}

impl Report {
    /// Adds a finding for each company base, unless it is among the deployments. Images that wait for a company base no
    /// longer require an action.
    #[must_use]
    pub fn with_company_bases(&self) -> Cow<'_, Self> {
        let bases = self.company_bases();
        if bases.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut report = self.without_waiting().into_owned();
        let own: BTreeSet<_> = self.findings.iter().filter_map(CompanyBaseKey::from_finding).collect();
        report
            .findings
            .extend(bases.into_iter().filter(|(key, _)| !own.contains(key)).map(|(key, base)| base.finding(&key)));
        Cow::Owned(report)
    }

    /// Clears the severity of findings that wait for a company base.
    #[must_use]
    pub fn without_waiting(&self) -> Cow<'_, Self> {
        if self.findings.iter().all(|finding| finding.awaited_base().is_none()) {
            return Cow::Borrowed(self);
        }
        let mut report = self.clone();
        for finding in report.findings.iter_mut().filter(|finding| finding.awaited_base().is_some()) {
            match &mut finding.subjects {
                Some(subjects) => subjects.base.severity = Severity::None,
                None => finding.severity = Severity::None,
            }
        }
        Cow::Owned(report)
    }

    fn company_bases(&self) -> BTreeMap<CompanyBaseKey, CompanyBase<'_>> {
        let mut bases: BTreeMap<CompanyBaseKey, CompanyBase<'_>> = BTreeMap::new();
        for finding in &self.findings {
            let awaited = finding.awaited_base().map(|(_, link)| std::ptr::from_ref(link));
            for (outer, link) in finding.links() {
                let (Some(key), Some(current)) = (CompanyBaseKey::from_link(outer, link), &link.current) else {
                    continue;
                };
                let base = bases.entry(key).or_insert_with(|| CompanyBase {
                    link,
                    current,
                    adopted: link.adopted,
                    waiting: Vec::new(),
                });
                // Platforms may differ. The base is up to date if all of them are.
                base.adopted = match (base.adopted, link.adopted) {
                    (Some(one), Some(other)) => Some(one && other),
                    _ => None,
                };
                if awaited == Some(std::ptr::from_ref(link)) {
                    if base.waiting.is_empty() {
                        (base.link, base.current) = (link, current);
                    }
                    base.waiting.push(finding);
                }
            }
        }
        bases
    }
}

/// The repository of a company base, and the line that it is built on.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CompanyBaseKey {
    registry: String,
    repository: String,
    line: String,
}

impl CompanyBaseKey {
    fn new(reference: &ReferenceText, line: Option<&String>) -> Option<Self> {
        let repository = reference.repository()?;
        let (registry, repository) = (repository.registry.to_string(), repository.name.to_string());
        Some(Self { registry, repository, line: line?.clone() })
    }

    fn from_link(outer: &BaseInUse, link: &BaseLink) -> Option<Self> {
        Self::new(&outer.reference, link.base.line.as_ref())
    }

    /// The repository of a deployed image, and its base line.
    fn from_finding(finding: &Finding) -> Option<Self> {
        let line = finding.base.as_ref().filter(|_| finding.verdict != Verdict::Unknown)?.line.as_ref();
        Self::new(&finding.image.reference, line)
    }
}

/// A company base.
struct CompanyBase<'a> {
    /// The base below it.
    link: &'a BaseLink,
    current: &'a CurrentRelease,
    adopted: Option<bool>,
    /// The findings that wait for it, worst first.
    waiting: Vec<&'a Finding>,
}

impl CompanyBase<'_> {
    fn finding(&self, key: &CompanyBaseKey) -> Finding {
        let CompanyBaseKey { registry, repository, line } = key;
        // The finding is open unless exemptions cover all waiting findings.
        let open: Vec<_> = self.waiting.iter().filter(|finding| !finding.is_base_exempted()).collect();
        let severity = open.iter().map(|finding| finding.base_severity()).max().unwrap_or(Severity::None);
        let (verdict, action) = match (self.waiting.is_empty(), self.adopted) {
            (false, _) => (self.link.verdict, Action::Rebuild),
            (true, Some(true)) => (Verdict::Fresh, Action::None),
            (true, _) => (Verdict::Unknown, Action::Investigate),
        };
        let is_fresh = verdict == Verdict::Fresh;
        Finding {
            id: format!("{PREFIX}{registry}/{repository} on {line}"),
            deployment: DeploymentFields {
                kind: DeploymentKind::Ecr,
                name: repository.clone(),
                owner: self.owner(),
                ..DeploymentFields::unknown()
            },
            image: ImageFields {
                reference: format!("{registry}/{repository}").into(),
                digest: None,
                platform: None,
                created_at: None,
                pushed_at: None,
                holding: None,
            },
            base: Some(if is_fresh { self.current_in_use() } else { self.link.base.clone() }),
            current: Some(self.current.clone()),
            behind: self.link.behind.clone().filter(|_| !is_fresh),
            replacement: None,
            runtime: None,
            verdict,
            stale: verdict == Verdict::Stale,
            out_of_date: verdict == Verdict::OutOfDate,
            deprecated: false,
            severity: if self.waiting.is_empty() { Severity::None } else { severity },
            action,
            reasons: self.reasons(key),
            subjects: None,
            policy_rule: None,
            exemption: None,
        }
    }

    fn reasons(&self, key: &CompanyBaseKey) -> Vec<ReasonFields> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let named: Vec<_> = self.waiting.iter().take(NAMED).map(|it| format::deployment_name(&it.deployment)).collect();
        let more = match self.waiting.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "the current release of {} is built on an outdated release of {}; affected: {}{more}",
            key.repository,
            key.line,
            named.join(", ")
        );
        vec![ReasonFields { code: ReasonCode::BaseSuperseded.as_str().to_owned(), message }]
    }

    /// The common owner of all waiting findings. The owner of the base itself is unknown.
    fn owner(&self) -> Option<String> {
        let mut owners = self.waiting.iter().map(|finding| finding.deployment.owner.as_ref());
        let first = owners.next()??;
        owners.all(|owner| owner == Some(first)).then(|| first.clone())
    }

    /// The current release of the lower base as the base in use.
    fn current_in_use(&self) -> BaseInUse {
        let CurrentRelease { digest, release, published_at, published_source, estimated, .. } = self.current.clone();
        BaseInUse {
            digest: Some(digest),
            digest_kind: None,
            release,
            published_at,
            published_source,
            estimated,
            age_days: None,
            ..self.link.base.clone()
        }
    }
}
