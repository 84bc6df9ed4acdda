//! Conversion of findings and rebuilds into message items.

use super::{AlertItem, AlertSubject, EventKind, FindingSnapshot, aspect::FindingAspect};
use crate::{
    image::ReferenceText,
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    rebuild::RebuildNotice,
    report::{Finding, format},
};

impl FindingSnapshot {
    /// The finding as stored in the ledger, for one subject.
    #[must_use]
    pub(super) fn from_aspect(aspect: &FindingAspect<'_>) -> Self {
        let FindingAspect { finding, severity, action, .. } = *aspect;
        let deployment = &finding.deployment;
        Self {
            name: format::deployment_name(deployment),
            kind: deployment.kind,
            account: deployment.account.as_ref().map(ToString::to_string),
            region: deployment.region.as_ref().map(ToString::to_string),
            owner: deployment.owner.clone(),
            image: finding.image.reference.clone(),
            repository: repository(&finding.image.reference),
            digest: finding.image.digest.clone(),
            verdict: finding.verdict,
            severity,
            action,
        }
    }
}

impl AlertItem {
    /// The item about the subject `about` of a finding stored as `subject`, with details of `finding` if it still exists.
    #[must_use]
    pub fn from_snapshot(
        event: EventKind,
        alert: &str,
        (id, about): (&str, AlertSubject),
        subject: &FindingSnapshot,
        finding: Option<&Finding>,
    ) -> Self {
        let base = finding.and_then(|finding| finding.base.as_ref());
        let runtime = finding.and_then(|finding| finding.runtime.as_ref());
        let current = finding.and_then(|finding| finding.current.as_ref());
        Self {
            event,
            about,
            alert: alert.to_owned(),
            group: None,
            finding: id.to_owned(),
            name: subject.name.clone(),
            tags: Vec::new(),
            kind: subject.kind,
            account: subject.account.clone(),
            region: subject.region.clone(),
            owner: subject.owner.clone(),
            arn: finding.and_then(|finding| finding.deployment.arn.as_ref().map(ToString::to_string)),
            image: subject.image.to_string(),
            repository: subject.repository.clone(),
            base: base.map(format::base_name),
            line: base.and_then(|base| base.line.clone()),
            age: finding.map_or_else(|| format::NOTHING.to_owned(), format::base_age),
            age_days: base.and_then(|base| base.age_days),
            behind: format::distance(finding.and_then(|finding| finding.behind.as_ref())),
            current: current
                .map(|current| current.release.clone().unwrap_or_else(|| format::short_digest(&current.digest))),
            pinned: current.and_then(|current| current.pinned.as_ref().map(ToString::to_string)),
            verdict: subject.verdict,
            severity: subject.severity,
            previous_severity: None,
            action: subject.action,
            replacement: finding
                .and_then(|finding| finding.replacement.as_ref())
                .map(|found| found.reference.to_string()),
            runtime: runtime.map(|runtime| runtime.name.clone()),
            deprecation_date: runtime.and_then(|runtime| runtime.deprecation_date),
            block_update_date: runtime.and_then(|runtime| runtime.block_update_date),
            reasons: finding.map(|finding| FindingAspect::new(finding, about).reasons()).unwrap_or_default(),
            first_notified_at: None,
            ended: None,
            rebuild: None,
            group_size: None,
            page: None,
        }
    }
}

impl AlertItem {
    /// A sample item to validate templates with.
    pub(super) fn sample() -> Self {
        let subject = FindingSnapshot {
            name: "orders".to_owned(),
            kind: DeploymentKind::Lambda,
            account: Some("123456789012".to_owned()),
            region: Some("eu-west-1".to_owned()),
            owner: Some("payments".to_owned()),
            image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:421".into(),
            repository: "orders".to_owned(),
            digest: None,
            verdict: Verdict::Stale,
            severity: Severity::High,
            action: Action::Rebuild,
        };
        let key = ("lambda:eu-west-1:123456789012:orders:$LATEST", AlertSubject::Base);
        Self::from_snapshot(EventKind::Triggered, "5f3a9c0b12de", key, &subject, None)
    }

    /// The item about a rebuild.
    #[must_use]
    pub fn from_rebuild(notice: &RebuildNotice, owner: Option<String>) -> Self {
        let request = &notice.request;
        let subject = FindingSnapshot {
            name: request.repository.clone(),
            kind: DeploymentKind::Ecr,
            account: request.account.clone(),
            region: request.region.clone(),
            owner,
            image: format!("{}/{}", request.registry, request.repository).into(),
            repository: request.repository.clone(),
            digest: None,
            verdict: Verdict::OutOfDate,
            severity: notice.severity,
            action: Action::Rebuild,
        };
        let id = notice.key.chars().take(12).collect::<String>();
        let finding = format!("rebuild:{}/{}", request.registry, request.repository);
        Self {
            line: Some(request.line.clone()),
            current: request.base_release.clone().or_else(|| Some(request.base_digest.clone())),
            rebuild: Some(notice.text.clone()),
            ..Self::from_snapshot(EventKind::Triggered, &id, (&finding, AlertSubject::Base), &subject, None)
        }
    }
}

/// The repository of a reference without its registry; the whole text if it cannot be parsed.
fn repository(reference: &ReferenceText) -> String {
    reference.repository().map_or_else(|| reference.to_string(), |repository| repository.name.to_string())
}
