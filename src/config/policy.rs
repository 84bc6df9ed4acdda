//! `[policy]`: when a base is too old, and how severe that is.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    check::ConfigValidator,
    exemption::{self, RawExemption},
    hold::{self, RawHold},
    scope::RawScope,
    tree::KeyPath,
    values::DurationText,
};
use crate::{
    judge::{Policy, PolicyOverride, RedeployRule, Severity, Thresholds, Verdict},
    resolve::ReleaseHold,
};

/// When a base is too old, and how severe that is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    /// Maximum age of a base; older bases are `stale`.
    #[schemars(extend("default" = "45d"))]
    max_age: Option<DurationText>,
    /// How long a deployment may be behind its line (`superseded`) before it is `out-of-date`.
    #[schemars(extend("default" = "14d"))]
    grace: Option<DurationText>,
    /// How long before its deprecation date a Lambda runtime is reported as ending.
    #[schemars(extend("default" = "90d"))]
    runtime_warning: Option<DurationText>,
    /// Minimum share of deployments, not counting exempted ones, with a verdict other than `unknown`. Below it, the
    /// report starts with a warning and the exit code is 3. `0` disables the check.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.5))]
    min_known: Option<f64>,
    /// Severity of each verdict. `BASEWATCH_POLICY__SEVERITY__OUT_OF_DATE` sets the one of `out-of-date`.
    #[schemars(extend("default" = Thresholds::default().severities))]
    severity: Option<RawSeverities>,
    /// Different thresholds for some deployments. The first match applies.
    r#override: Option<Vec<RawOverride>>,
    /// Findings that are accepted until a date.
    exemption: Option<Vec<RawExemption>>,
    /// Known-bad releases to avoid until a date.
    hold: Option<Vec<RawHold>>,
    /// Which images may replace a deployed image. The first match applies.
    redeploy: Option<Vec<RawRedeploy>>,
}

/// A severity by verdict.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(extend("propertyNames" = json!({ "enum": Verdict::ALL.map(Verdict::as_str) })))]
struct RawSeverities(#[schemars(with = "BTreeMap<String, RawSeverity>")] BTreeMap<Verdict, RawSeverity>);

/// A severity.
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

/// Different thresholds and severities for some deployments. At least one pattern is required, and all patterns must
/// match. The first matching override applies; keys that it does not set keep the values of `[policy]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawOverride {
    /// Name of the override, shown on findings.
    #[schemars(required, example = &"batch jobs")]
    name: Option<String>,
    #[serde(flatten)]
    scope: RawScope,
    /// Pattern of the line or repository of the base, including the registry.
    #[schemars(example = &"public.ecr.aws/lambda/java:*")]
    base: Option<String>,
    /// Pattern of the owner.
    #[schemars(example = &"payments")]
    owner: Option<String>,
    /// As `policy.max_age`.
    #[schemars(example = &"90d")]
    max_age: Option<DurationText>,
    /// As `policy.grace`.
    #[schemars(example = &"30d")]
    grace: Option<DurationText>,
    /// As `policy.runtime_warning`.
    #[schemars(example = &"180d")]
    runtime_warning: Option<DurationText>,
    /// As `policy.severity`; verdicts without an entry keep theirs.
    #[schemars(example = BTreeMap::from([("stale", "medium")]))]
    severity: Option<RawSeverities>,
}

/// Which images may replace a deployed image. All patterns must match. Without a matching rule, only images whose tag
/// has the same form as the deployed tag are offered, such as `422` for `421` or `3.4.0` for `3.3.9`; none are offered
/// for hashes, moving tags such as `latest` and untagged images.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RawRedeploy {
    #[serde(flatten)]
    scope: RawScope,
    /// Patterns of the tags of replacement images; at least one must match. Newer images are preferred. An empty list
    /// allows none.
    #[schemars(required, example = &["main-*"])]
    tags: Option<Vec<String>>,
}

pub(super) fn validate(raw: &RawPolicy, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Policy {
    let standard = Policy::default();
    let spans = [raw.max_age.as_ref(), raw.grace.as_ref(), raw.runtime_warning.as_ref()];
    let thresholds = merged(&standard.thresholds, spans, raw.severity.as_ref(), at, check);
    let exemptions = exemption::validate(raw.exemption.as_deref().unwrap_or_default(), &at.key("exemption"), check);
    let redeploy = validate_redeploy(raw.redeploy.as_deref().unwrap_or_default(), &at.key("redeploy"), check);
    let at = at.key("override");
    let mut overrides: Vec<PolicyOverride> = Vec::new();
    for (index, raw) in raw.r#override.iter().flatten().enumerate() {
        let at = at.index(index);
        if let Some(rule) = validate_override(raw, &thresholds, &at, check) {
            if overrides.iter().any(|known| known.name == rule.name) {
                check.refuse(&at.key("name"), format!("{:?} is already the name of another override", rule.name));
            }
            overrides.push(rule);
        }
    }
    let min_known = raw.min_known.unwrap_or(standard.min_known);
    Policy { thresholds, overrides, exemptions, redeploy, min_known, ..standard }
}

/// The holds, which apply to releases and not to deployments.
pub(super) fn holds(raw: &RawPolicy, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Vec<ReleaseHold> {
    hold::validate(raw.hold.as_deref().unwrap_or_default(), &at.key("hold"), check)
}

fn validate_override(
    raw: &RawOverride,
    general: &Thresholds,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Option<PolicyOverride> {
    let (scope, is_bounded) = raw.scope.validate_with(raw.base.as_ref(), ("owner", raw.owner.as_ref()), at, check);
    if !is_bounded {
        let names = "set deployment, repository, account, owner or base";
        check.refuse(at, format!("matches everything: {names}, or change [policy] itself"));
    }
    let spans = [&raw.max_age, &raw.grace, &raw.runtime_warning];
    if spans.iter().all(|span| span.is_none()) && raw.severity.is_none() {
        check.refuse(at, "has no effect: set max_age, grace, runtime_warning or severity");
    }
    let severity = raw.severity.as_ref();
    let spans = [raw.max_age.as_ref(), raw.grace.as_ref(), raw.runtime_warning.as_ref()];
    let thresholds = merged(general, spans, severity, at, check);
    let name = raw.name.clone()?;
    if name.trim().is_empty() {
        check.refuse(&at.key("name"), "is empty: write what the override is for; findings show it");
    }
    Some(PolicyOverride { name, scope, thresholds })
}

fn validate_redeploy(raw: &[RawRedeploy], at: &KeyPath, check: &mut ConfigValidator<'_>) -> Vec<RedeployRule> {
    let rule = |(index, raw): (usize, &RawRedeploy)| {
        let at = at.index(index);
        let scope = raw.scope.validate(&at, check);
        let tags = check.each(&at.key("tags"), raw.tags.as_deref().unwrap_or_default(), str::parse);
        RedeployRule { scope, tags }
    };
    raw.iter().enumerate().map(rule).collect()
}

fn merged(
    general: &Thresholds,
    [max_age, grace, runtime_warning]: [Option<&DurationText>; 3],
    severities: Option<&RawSeverities>,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Thresholds {
    let mut span = |key: &str, text: Option<&DurationText>, general: chrono::Duration| {
        let found = check.duration(&at.key(key), text, Duration::ZERO);
        found.map_or(general, |found| chrono::Duration::from_std(found).expect("a hundred years fit"))
    };
    let max_age = span("max_age", max_age, general.max_age);
    let grace = span("grace", grace, general.grace);
    let runtime_warning = span("runtime_warning", runtime_warning, general.runtime_warning);
    let mut by_verdict = general.severities.clone();
    let given = severities.iter().flat_map(|RawSeverities(given)| given);
    by_verdict.extend(given.map(|(verdict, severity)| (*verdict, Severity::from(*severity))));
    Thresholds { max_age, grace, runtime_warning, severities: by_verdict }
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
