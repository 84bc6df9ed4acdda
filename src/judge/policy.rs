//! The policy: what is too old, how long behind is tolerable, how bad each verdict is.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::{Calendar, Exemption, Judgement, Scope, Severity, Subject, Verdict};
use crate::glob::Glob;

/// The general terms, overrides of them, and exemptions.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What holds where no override matches.
    pub terms: Terms,
    /// Tried in order; the first that matches wins.
    pub overrides: Vec<Override>,
    /// What is put up with for a while. Tried in order; the first that holds wins.
    pub exemptions: Vec<Exemption>,
    /// Which images of a repository may replace a deployed one, where the tags alone do not show it. Tried in order; the
    /// first that matches wins.
    pub redeploy: Vec<RedeployRule>,
    /// When runtimes end.
    pub calendar: Calendar,
    /// The part of the fleet, 0 to 1, that has to be judged: with less, most is unknown.
    pub min_known: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            terms: Terms::default(),
            overrides: Vec::new(),
            exemptions: Vec::new(),
            redeploy: Vec::new(),
            calendar: Calendar::default(),
            min_known: 0.5,
        }
    }
}

/// What is too old, and how bad that is.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The age over which a base is stale.
    pub max_age: Duration,
    /// How long a deployment may be behind.
    pub grace: Duration,
    /// How long ahead the end of a runtime is told.
    pub runtime_warning: Duration,
    /// The severity of each verdict.
    pub severities: BTreeMap<Verdict, Severity>,
}

/// Other terms for some deployments.
#[derive(Clone, Debug)]
pub struct Override {
    /// What findings call it.
    pub name: String,
    /// Which deployments.
    pub scope: Scope,
    /// The terms in force.
    pub terms: Terms,
}

/// Which images may replace the deployed ones.
#[derive(Clone, Debug, PartialEq)]
pub struct RedeployRule {
    /// Which deployments.
    pub scope: Scope,
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

impl Default for Terms {
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
    /// The terms for `subject`, and the name of the override they are from.
    #[must_use]
    pub fn terms_for(&self, subject: Subject<'_>) -> (&Terms, Option<&str>) {
        self.overrides
            .iter()
            .find(|rule| rule.scope.matches(subject))
            .map_or((&self.terms, None), |rule| (&rule.terms, Some(&rule.name)))
    }

    /// The rule that says which images may replace that of `subject`, if there is one, and its place among the rules.
    #[must_use]
    pub fn redeploy_rule_for(&self, subject: Subject<'_>) -> Option<(usize, &RedeployRule)> {
        self.redeploy.iter().enumerate().find(|(_, rule)| rule.scope.matches(subject))
    }

    /// The exemption that holds for `judgement` of `subject` at `now`.
    #[must_use]
    pub fn exemption_for(&self, subject: Subject<'_>, judgement: &Judgement, now: DateTime<Utc>) -> Option<&Exemption> {
        self.exemptions.iter().find(|exemption| {
            !exemption.until.is_over(now) && exemption.scope.matches(subject) && exemption.covers(judgement)
        })
    }
}
