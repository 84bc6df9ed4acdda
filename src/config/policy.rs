//! `[policy]`: what is too old, and how bad that is.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    exemption::{self, RawExemption},
    hold::{self, RawHold},
    scope::RawScope,
    tree::KeyPath,
    values::DurationText,
};
use crate::{
    judge::{Override, Policy, RedeployRule, Severity, Terms, Verdict},
    resolve::Hold,
};

/// What is too old, and how bad that is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    /// The age of a base over which it is `stale`.
    #[schemars(extend("default" = "45d"))]
    max_age: Option<DurationText>,
    /// How long a deployment may be behind its line before it is `out-of-date`; until then it is
    /// `superseded`.
    #[schemars(extend("default" = "14d"))]
    grace: Option<DurationText>,
    /// How long ahead the end of a Lambda runtime is told.
    #[schemars(extend("default" = "90d"))]
    runtime_warning: Option<DurationText>,
    /// The part of the deployments that inventories found, without those that are exempted, that has to get another
    /// verdict than `unknown`. With less, most of the fleet is unknown: the report says so first, and the exit code is
    /// 3. `0` is never.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.5))]
    min_known: Option<f64>,
    /// How bad each verdict is.
    severity: Option<RawSeverities>,
    /// Other terms for some deployments. Tried in order, the first that matches wins, and the finding
    /// names it. What it does not set is as above.
    r#override: Option<Vec<RawOverride>>,
    /// What is put up with for a while.
    exemption: Option<Vec<RawExemption>>,
    /// Releases that nothing is to be built on for a while.
    hold: Option<Vec<RawHold>>,
    /// Which images may be deployed instead of the ones that run. Tried in order, the first that matches wins.
    redeploy: Option<Vec<RawRedeploy>>,
}

/// How bad each verdict is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSeverities {
    /// Of a base that is the current release.
    #[schemars(extend("default" = "none"))]
    fresh: Option<RawSeverity>,
    /// Of a base that is behind for less than the grace.
    #[schemars(extend("default" = "info"))]
    superseded: Option<RawSeverity>,
    /// Of a base that is behind for longer than the grace.
    #[schemars(extend("default" = "medium"))]
    out_of_date: Option<RawSeverity>,
    /// Of a base that is older than the limit.
    #[schemars(extend("default" = "high"))]
    stale: Option<RawSeverity>,
    /// Of a base whose runtime is past its deprecation date.
    #[schemars(extend("default" = "high"))]
    deprecated: Option<RawSeverity>,
    /// Of an image about which nothing could be concluded.
    #[schemars(extend("default" = "low"))]
    unknown: Option<RawSeverity>,
}

/// How bad a finding is, from nothing to do to overdue.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a severity such as \"high\"")]
pub(super) enum RawSeverity {
    None,
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// Other terms for some deployments. A pattern that is absent matches everything; at least one is
/// needed, and all that are given have to match.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawOverride {
    /// What findings call this rule.
    #[schemars(required, example = &"batch jobs")]
    name: Option<String>,
    #[serde(flatten)]
    scope: RawScope,
    /// A pattern of the owner.
    #[schemars(example = &"payments")]
    owner: Option<String>,
    /// As `policy.max_age`, for these.
    #[schemars(example = &"90d")]
    max_age: Option<DurationText>,
    /// As `policy.grace`, for these.
    #[schemars(example = &"30d")]
    grace: Option<DurationText>,
    /// As `policy.runtime_warning`, for these.
    #[schemars(example = &"180d")]
    runtime_warning: Option<DurationText>,
    /// As `policy.severity`, for these.
    severity: Option<RawSeverities>,
}

/// Which images may be deployed instead of the ones that run. Without a rule, an image is offered for redeployment
/// only if its tag has the shape of the deployed tag, as `422` has that of `421` and `3.4.0` that of `3.3.9`; and
/// none is offered for hashes, moving tags such as `latest`, and untagged images. A pattern that is absent matches
/// everything, and all that are given have to match.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawRedeploy {
    #[serde(flatten)]
    scope: RawScope,
    /// A pattern of the owner.
    #[schemars(example = &"payments")]
    owner: Option<String>,
    /// Patterns of the tags of images that may be deployed; at least one has to match. Newer images are preferred. An
    /// empty list admits none.
    #[schemars(required, example = &["main-*"])]
    tags: Option<Vec<String>>,
}

pub(super) fn validate(raw: &RawPolicy, at: &KeyPath, check: &mut Check<'_>) -> Policy {
    let standard = Policy::default();
    let spans = [raw.max_age.as_ref(), raw.grace.as_ref(), raw.runtime_warning.as_ref()];
    let terms = merged(&standard.terms, spans, raw.severity.as_ref(), at, check);
    let exemptions = exemption::validate(raw.exemption.as_deref().unwrap_or_default(), &at.key("exemption"), check);
    let redeploy = validate_redeploy(raw.redeploy.as_deref().unwrap_or_default(), &at.key("redeploy"), check);
    let at = at.key("override");
    let mut overrides: Vec<Override> = Vec::new();
    for (index, raw) in raw.r#override.iter().flatten().enumerate() {
        let at = at.index(index);
        if let Some(rule) = validate_override(raw, &terms, &at, check) {
            if overrides.iter().any(|known| known.name == rule.name) {
                check.refuse(&at.key("name"), format!("{:?} is the name of another override already", rule.name));
            }
            overrides.push(rule);
        }
    }
    let min_known = raw.min_known.unwrap_or(standard.min_known);
    Policy { terms, overrides, exemptions, redeploy, min_known, ..standard }
}

/// The holds, which are about releases and not about deployments.
pub(super) fn holds(raw: &RawPolicy, at: &KeyPath, check: &mut Check<'_>) -> Vec<Hold> {
    hold::validate(raw.hold.as_deref().unwrap_or_default(), &at.key("hold"), check)
}

fn validate_override(raw: &RawOverride, general: &Terms, at: &KeyPath, check: &mut Check<'_>) -> Option<Override> {
    let (scope, is_bounded) = raw.scope.validate("owner", raw.owner.as_ref(), at, check);
    if !is_bounded {
        let names = "name a deployment, repository, account, owner or base";
        check.refuse(at, format!("matches everything: {names}, or set the policy itself"));
    }
    let spans = [&raw.max_age, &raw.grace, &raw.runtime_warning];
    if spans.iter().all(|span| span.is_none()) && raw.severity.is_none() {
        check.refuse(at, "changes nothing: set max_age, grace, runtime_warning or severity");
    }
    let severity = raw.severity.as_ref();
    let spans = [raw.max_age.as_ref(), raw.grace.as_ref(), raw.runtime_warning.as_ref()];
    let terms = merged(general, spans, severity, at, check);
    let name = raw.name.clone()?;
    if name.trim().is_empty() {
        check.refuse(&at.key("name"), "findings need a name to show: write what the rule is for");
    }
    Some(Override { name, scope, terms })
}

fn validate_redeploy(raw: &[RawRedeploy], at: &KeyPath, check: &mut Check<'_>) -> Vec<RedeployRule> {
    let rule = |(index, raw): (usize, &RawRedeploy)| {
        let at = at.index(index);
        let (scope, _) = raw.scope.validate("owner", raw.owner.as_ref(), &at, check);
        let tags = check.each(&at.key("tags"), raw.tags.as_deref().unwrap_or_default(), str::parse);
        RedeployRule { scope, tags }
    };
    raw.iter().enumerate().map(rule).collect()
}

fn merged(
    general: &Terms,
    [max_age, grace, runtime_warning]: [Option<&DurationText>; 3],
    severities: Option<&RawSeverities>,
    at: &KeyPath,
    check: &mut Check<'_>,
) -> Terms {
    let mut span = |key: &str, text: Option<&DurationText>, general: chrono::Duration| {
        let found = check.duration(&at.key(key), text, Duration::ZERO);
        found.map_or(general, |found| chrono::Duration::from_std(found).expect("a hundred years fit"))
    };
    let max_age = span("max_age", max_age, general.max_age);
    let grace = span("grace", grace, general.grace);
    let runtime_warning = span("runtime_warning", runtime_warning, general.runtime_warning);
    let mut by_verdict = general.severities.clone();
    by_verdict.extend(severities.map(RawSeverities::given).unwrap_or_default());
    Terms { max_age, grace, runtime_warning, severities: by_verdict }
}

impl RawSeverities {
    fn given(&self) -> BTreeMap<Verdict, Severity> {
        let all = [
            (Verdict::Fresh, self.fresh),
            (Verdict::Superseded, self.superseded),
            (Verdict::OutOfDate, self.out_of_date),
            (Verdict::Stale, self.stale),
            (Verdict::Deprecated, self.deprecated),
            (Verdict::Unknown, self.unknown),
        ];
        all.into_iter().filter_map(|(verdict, severity)| Some((verdict, severity?.into()))).collect()
    }
}

impl From<RawSeverity> for Severity {
    fn from(raw: RawSeverity) -> Self {
        match raw {
            RawSeverity::None => Self::None,
            RawSeverity::Info => Self::Info,
            RawSeverity::Low => Self::Low,
            RawSeverity::Medium => Self::Medium,
            RawSeverity::High => Self::High,
            RawSeverity::Critical => Self::Critical,
        }
    }
}
