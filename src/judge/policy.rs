//! The policy: what is too old, how long behind is tolerable, how bad each verdict is.

use std::collections::BTreeMap;

use chrono::Duration;

use super::{Calendar, Severity, Verdict};
use crate::glob::Glob;

/// The general terms, and overrides of them.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What holds where no override matches.
    pub terms: Terms,
    /// Tried in order; the first that matches wins.
    pub overrides: Vec<Override>,
    /// When runtimes end.
    pub calendar: Calendar,
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

/// Other terms for some deployments. A pattern that is absent matches everything.
#[derive(Clone, Debug)]
pub struct Override {
    /// What findings call it.
    pub name: String,
    /// Of the deployment's name.
    pub deployment: Option<Glob>,
    /// Of the image's repository, without its registry.
    pub repository: Option<Glob>,
    /// Of the account.
    pub account: Option<Glob>,
    /// Of the owner.
    pub owner: Option<Glob>,
    /// Of the base's repository or line, with its registry.
    pub base: Option<Glob>,
    /// The terms in force.
    pub terms: Terms,
}

/// What overrides are matched against.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The deployment's name.
    pub deployment: &'a str,
    /// The image's repository, without its registry.
    pub repository: &'a str,
    /// The account.
    pub account: Option<&'a str>,
    /// The owner.
    pub owner: Option<&'a str>,
    /// The base's line, else its repository.
    pub base: Option<&'a str>,
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
        let holds = |pattern: &Option<Glob>, text: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.matches(text)))
        };
        self.overrides
            .iter()
            .find(|rule| {
                holds(&rule.deployment, Some(subject.deployment))
                    && holds(&rule.repository, Some(subject.repository))
                    && holds(&rule.account, subject.account)
                    && holds(&rule.owner, subject.owner)
                    && holds(&rule.base, subject.base)
            })
            .map_or((&self.terms, None), |rule| (&rule.terms, Some(&rule.name)))
    }
}
