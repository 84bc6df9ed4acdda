//! Which findings are one and the same to a reader? Deployments of one image, on one base, with one verdict.

use std::collections::HashMap;

use super::{ExemptionFields, Finding, words};
use crate::{
    image::{Digest, Platform},
    inventory::DeploymentKind,
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
    exemption: Option<&'a ExemptionFields>,
    owner: Option<&'a str>,
    kind: DeploymentKind,
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
            exemption: finding.exemption.as_ref(),
            owner: finding.deployment.owner.as_deref(),
            kind: finding.deployment.kind,
        };
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.count += 1,
            None => groups.push(Group { first: finding, count: 1 }),
        }
    }
    groups
}

/// What a deployment's name lacks to be the only one of that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    platform: bool,
    region: bool,
    account: bool,
}

/// What each name in a report lacks.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(HashMap<String, (&'a Finding, Lacking)>);

impl<'a> Names<'a> {
    /// The names of `findings`.
    pub(super) fn of(findings: &'a [Finding]) -> Self {
        let mut names = HashMap::new();
        for finding in findings {
            let (first, lacking) =
                names.entry(words::deployment_name(&finding.deployment)).or_insert((finding, Lacking::default()));
            lacking.platform |= first.image.platform != finding.image.platform;
            lacking.region |= first.deployment.region != finding.deployment.region;
            lacking.account |= first.deployment.account != finding.deployment.account;
        }
        Self(names)
    }

    /// What goes behind the name of `finding`: ` arm64 eu-west-1`, mostly nothing.
    pub(super) fn qualifier(&self, finding: &Finding) -> String {
        let deployment = &finding.deployment;
        let Some((_, lacking)) = self.0.get(&words::deployment_name(deployment)) else { return String::new() };
        let parts = [
            (lacking.platform, finding.image.platform.as_ref().map(Platform::architecture)),
            (lacking.region, deployment.region.as_deref()),
            (lacking.account, deployment.account.as_deref()),
        ];
        let wanted = parts.into_iter().filter_map(|(is_lacking, part)| part.filter(|_| is_lacking));
        wanted.flat_map(|part| [" ", part]).collect()
    }
}
