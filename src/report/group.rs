//! Grouping of findings that look the same to a reader: one image, one base, one verdict.

use std::collections::HashMap;

use super::{ExemptionFields, Finding, format};
use crate::{
    image::{Digest, Platform},
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
};

/// A group of equal findings; never empty.
#[derive(Debug)]
pub(super) struct FindingGroup<'a> {
    /// The finding to show.
    pub(super) first: &'a Finding,
    /// All findings, beginning with `first`.
    pub(super) findings: Vec<&'a Finding>,
}

impl FindingGroup<'_> {
    /// The number of findings.
    pub(super) fn count(&self) -> u64 {
        self.findings.len() as u64
    }
}

/// The key of a group.
#[derive(PartialEq, Eq, Hash)]
struct FindingGroupKey<'a> {
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

/// Groups `findings`, in the order of the first finding of each group.
pub(super) fn groups<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<FindingGroup<'a>> {
    let mut groups: Vec<FindingGroup<'a>> = Vec::new();
    let mut indexes = HashMap::new();
    for finding in findings {
        let key = FindingGroupKey {
            verdict: finding.verdict,
            severity: finding.severity,
            action: finding.action,
            image: finding.image.digest.as_ref(),
            base: finding.base.as_ref().map(|base| base.reference.as_str()),
            distance: format::distance(finding.behind.as_ref()),
            reason: finding.reasons.first().map(|reason| (reason.code.as_str(), reason.message.as_str())),
            rule: finding.policy_rule.as_deref(),
            exemption: finding.exemption.as_ref(),
            owner: finding.deployment.owner.as_deref(),
            kind: finding.deployment.kind,
        };
        let index = *indexes.entry(key).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.findings.push(finding),
            None => groups.push(FindingGroup { first: finding, findings: vec![finding] }),
        }
    }
    groups
}

/// The properties needed to distinguish deployments of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NameQualifiers {
    platform: bool,
    region: bool,
    account: bool,
}

/// The distinguishing properties of each deployment name in a report.
#[derive(Debug, Default)]
pub(crate) struct DeploymentNames<'a>(HashMap<String, (&'a Finding, NameQualifiers)>);

impl<'a> DeploymentNames<'a> {
    /// The names of `findings`.
    pub(crate) fn new(findings: &'a [Finding]) -> Self {
        let mut names = HashMap::new();
        for finding in findings {
            let (first, lacking) = names
                .entry(format::deployment_name(&finding.deployment))
                .or_insert((finding, NameQualifiers::default()));
            lacking.platform |= first.image.platform != finding.image.platform;
            lacking.region |= first.deployment.region != finding.deployment.region;
            lacking.account |= first.deployment.account != finding.deployment.account;
        }
        Self(names)
    }

    /// The qualifier to append to the name of `finding`: ` arm64 eu-west-1`; usually empty.
    pub(crate) fn qualifier(&self, finding: &Finding) -> String {
        let deployment = &finding.deployment;
        let Some((_, lacking)) = self.0.get(&format::deployment_name(deployment)) else { return String::new() };
        let parts = [
            (lacking.platform, finding.image.platform.as_ref().map(Platform::architecture)),
            (lacking.region, deployment.region.as_deref()),
            (lacking.account, deployment.account.as_deref()),
        ];
        let qualifiers = parts.into_iter().filter_map(|(is_lacking, part)| part.filter(|_| is_lacking));
        qualifiers.flat_map(|part| [" ", part]).collect()
    }
}
