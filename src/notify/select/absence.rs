//! Proof of absence: whether a deployment that a report does not list no longer exists.

use std::collections::HashSet;

use crate::{
    notify::{AlertKey, FindingSnapshot},
    registry::EcrHost,
    report::{DeploymentLocation, Report, is_base_id},
};

/// What absence from one report proves.
pub(super) struct AbsenceProof<'a> {
    report: &'a Report,
    /// Ids of findings whose image could not be read, so that its platforms are unknown.
    unread: HashSet<&'a str>,
}

impl<'a> AbsenceProof<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let unread = report.findings.iter().filter(|finding| finding.image.platform.is_none());
        Self { report, unread: unread.map(|finding| finding.id.as_str()).collect() }
    }

    /// Whether the deployment of `key`, which the report does not list, no longer exists.
    pub(super) fn is_proved(&self, key: &AlertKey, subject: &FindingSnapshot) -> bool {
        // Any deployment may be built on a base.
        if is_base_id(&key.finding) {
            return self.report.proves_absence(&DeploymentLocation::default());
        }
        // Each platform of an image is a finding, with `#platform` appended to the id of the image.
        let whole = key.finding.rsplit_once('#').map(|(whole, _)| whole);
        if whole.is_some_and(|whole| self.unread.contains(whole)) {
            return false;
        }
        let host = subject.image.repository().and_then(|repository| EcrHost::parse(&repository.registry));
        self.report.proves_absence(&DeploymentLocation {
            kind: Some(subject.kind),
            account: subject.account.as_deref(),
            region: subject.region.as_deref(),
            registry_account: host.map(|host| host.account),
            registry_region: host.map(|host| host.region),
            repository: Some(&subject.repository),
        })
    }
}
