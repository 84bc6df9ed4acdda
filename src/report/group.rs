//! Which findings are one and the same to a reader? Deployments of one image, on one base, with one verdict.

use std::collections::{HashMap, HashSet};

use super::{Finding, words};
use crate::{
    image::{Digest, Platform},
    judge::{Action, Severity, Verdict},
};

/// Findings that say the same; never empty.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The one that is shown.
    pub(super) first: &'a Finding,
    /// How many there are.
    pub(super) count: u64,
}

/// What makes findings say the same.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    verdict: Verdict,
    severity: Severity,
    action: Action,
    image: Option<&'a Digest>,
    base: Option<&'a str>,
    distance: String,
    reason: Option<(&'a str, &'a str)>,
    rule: Option<&'a str>,
}

/// Groups `findings`; the order is that of the first of each group.
pub(super) fn groups<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut places = HashMap::new();
    for finding in findings {
        let key = Key {
            verdict: finding.verdict,
            severity: finding.severity,
            action: finding.action,
            image: finding.image.digest.as_ref(),
            base: finding.base.as_ref().map(|base| base.reference.as_str()),
            distance: words::distance(finding.behind.as_ref()),
            reason: finding.reasons.first().map(|reason| (reason.code.as_str(), reason.message.as_str())),
            rule: finding.policy_rule.as_deref(),
        };
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.count += 1,
            None => groups.push(Group { first: finding, count: 1 }),
        }
    }
    groups
}

/// The names that findings for more than one platform have: they need the platform behind them.
pub(super) fn names_on_many_platforms(findings: &[Finding]) -> HashSet<&str> {
    let mut platforms: HashMap<&str, Option<&Platform>> = HashMap::new();
    let mut names = HashSet::new();
    for finding in findings {
        let platform = finding.image.platform.as_ref();
        let seen = *platforms.entry(&finding.deployment.name).or_insert(platform);
        if seen != platform {
            names.insert(finding.deployment.name.as_str());
        }
    }
    names
}
