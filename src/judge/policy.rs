//! The policy: thresholds, overrides, exemptions and severities.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::{Exemption, Judgement, PolicyScope, PolicySubject, RuntimeCalendar, Severity, Verdict};
use crate::glob::Glob;

/// The default thresholds, their overrides, and exemptions.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The thresholds where no override matches.
    pub thresholds: Thresholds,
    /// Tried in order; the first match wins.
    pub overrides: Vec<PolicyOverride>,
    /// Findings that are accepted until a date. Tried in order; the first match wins.
    pub exemptions: Vec<Exemption>,
    /// Which images of a repository may replace a deployed one, if their tags do not show it. Tried in order; the first
    /// match wins.
    pub redeploy: Vec<RedeployRule>,
    /// The support dates of Lambda runtimes.
    pub calendar: RuntimeCalendar,
    /// The share of the fleet, from 0 to 1, that has to be judged; below it a run exits with 3.
    pub min_known: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            overrides: Vec::new(),
            exemptions: Vec::new(),
            redeploy: Vec::new(),
            calendar: RuntimeCalendar::default(),
            min_known: 0.5,
        }
    }
}

/// Age limits and severities.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// The age above which a base is `stale`.
    pub max_age: Duration,
    /// How long a deployment may be behind before it is `out-of-date`.
    pub grace: Duration,
    /// How long before its deprecation date a runtime is reported as ending.
    pub runtime_warning: Duration,
    /// The severity of each verdict.
    pub severities: BTreeMap<Verdict, Severity>,
}

/// Thresholds for the deployments of a scope.
#[derive(Clone, Debug)]
pub struct PolicyOverride {
    /// The name that findings show.
    pub name: String,
    /// Which deployments.
    pub scope: PolicyScope,
    /// The thresholds, complete: those that the override does not set are the defaults.
    pub thresholds: Thresholds,
}

/// Which images may replace the deployed ones.
#[derive(Clone, Debug, PartialEq)]
pub struct RedeployRule {
    /// Which deployments.
    pub scope: PolicyScope,
    /// The tags of images that may be deployed instead; at least one has to match.
    pub tags: Vec<Glob>,
}

impl RedeployRule {
    /// Whether an image with this tag may be deployed instead.
    #[must_use]
    pub fn admits(&self, tag: &str) -> bool {
        self.tags.iter().any(|pattern| pattern.matches(tag))
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_age: Duration::days(45),
            grace: Duration::days(14),
            runtime_warning: Duration::days(90),
            severities: BTreeMap::from([
                (Verdict::Fresh, Severity::None),
                (Verdict::Superseded, Severity::Info),
                (Verdict::OutOfDate, Severity::Medium),
                (Verdict::Stale, Severity::High),
                (Verdict::Deprecated, Severity::High),
                (Verdict::Unknown, Severity::Low),
            ]),
        }
    }
}

impl Policy {
    /// The thresholds for `subject`, and the name of the override that set them.
    #[must_use]
    pub fn thresholds_for(&self, subject: PolicySubject<'_>) -> (&Thresholds, Option<&str>) {
        self.overrides
            .iter()
            .find(|rule| rule.scope.matches(subject))
            .map_or((&self.thresholds, None), |rule| (&rule.thresholds, Some(&rule.name)))
    }

    /// The first rule that applies to `subject`, with its index.
    #[must_use]
    pub fn redeploy_rule_for(&self, subject: PolicySubject<'_>) -> Option<(usize, &RedeployRule)> {
        self.redeploy.iter().enumerate().find(|(_, rule)| rule.scope.matches(subject))
    }

    /// The first exemption that covers `judgement` of `subject` at `now`.
    #[must_use]
    pub fn exemption_for(
        &self,
        subject: PolicySubject<'_>,
        judgement: &Judgement,
        now: DateTime<Utc>,
    ) -> Option<&Exemption> {
        self.exemptions.iter().find(|exemption| {
            !exemption.until.is_over(now) && exemption.scope.matches(subject) && exemption.covers(judgement)
        })
    }
}
