//! What a report said about each finding, without the details: small enough to keep those of several weeks in memory.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, de::IgnoredAny};

use super::{DeploymentFields, Finding, Report, format};
use crate::judge::{Action, Severity, Verdict};

/// The outline of a report.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "StoredOutline")]
pub struct ReportOutline {
    /// The ID of the run.
    pub run_id: String,
    /// The time of the report.
    pub generated_at: DateTime<Utc>,
    /// Whether the whole inventory was read.
    pub complete: bool,
    /// The findings by ID.
    pub findings: BTreeMap<Arc<str>, FindingOutline>,
}

/// The outline of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingOutline {
    /// The display name of the deployment.
    pub name: Arc<str>,
    /// The owner.
    pub owner: Option<Arc<str>>,
    /// The release line of the base.
    pub line: Option<Arc<str>>,
    /// The release of the base: its dated tag.
    pub release: Option<Arc<str>>,
    /// The reference of the image.
    pub image: Arc<str>,
    /// The verdict.
    pub verdict: Verdict,
    /// The severity.
    pub severity: Severity,
    /// The recommended action.
    pub action: Action,
    /// Whether an exemption covers the finding.
    pub is_exempted: bool,
}

impl FindingOutline {
    /// Whether the finding needs attention: it is at least of low severity and not exempted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_exempted && self.severity >= Severity::Low
    }

    /// The order of findings from harmless to bad.
    pub(super) fn rank(&self) -> (Severity, u8) {
        (self.severity, self.verdict.rank())
    }
}

impl From<&Finding> for FindingOutline {
    fn from(finding: &Finding) -> Self {
        let base = finding.base.as_ref();
        Self {
            name: format::deployment_name(&finding.deployment).into(),
            owner: finding.deployment.owner.as_deref().map(Arc::from),
            line: base.and_then(|base| base.line.as_deref()).map(Arc::from),
            release: base.and_then(|base| base.release.as_deref()).map(Arc::from),
            image: finding.image.reference.as_str().into(),
            verdict: finding.verdict,
            severity: finding.severity,
            action: finding.action,
            is_exempted: finding.exemption.is_some(),
        }
    }
}

impl From<&Report> for ReportOutline {
    fn from(report: &Report) -> Self {
        let findings = report.findings.iter().map(|finding| (finding.id.as_str().into(), finding.into()));
        Self {
            run_id: report.run_id.clone(),
            generated_at: report.generated_at,
            complete: report.complete,
            findings: findings.collect(),
        }
    }
}

impl ReportOutline {
    /// Adds a finding of a report, as JSON.
    ///
    /// # Errors
    ///
    /// When it is not a finding.
    pub fn add_finding(&mut self, json: &[u8]) -> serde_json::Result<()> {
        let (id, finding) = serde_json::from_slice::<StoredFinding>(json)?.into();
        self.findings.insert(id, finding);
        Ok(())
    }

    /// The findings that `is_in` accepts.
    #[must_use]
    pub fn narrowed(&self, is_in: impl Fn(&FindingOutline) -> bool) -> Self {
        let findings = self.findings.iter().filter(|(_, finding)| is_in(finding));
        Self {
            run_id: self.run_id.clone(),
            findings: findings.map(|(id, finding)| (Arc::clone(id), finding.clone())).collect(),
            ..*self
        }
    }

    /// Passes every text to `share`, which may replace it by an equal one.
    pub fn share(&mut self, mut share: impl FnMut(&mut Arc<str>)) {
        let findings = std::mem::take(&mut self.findings);
        let shared = findings.into_iter().map(|(mut id, mut finding)| {
            share(&mut id);
            let FindingOutline { name, owner, line, release, image, .. } = &mut finding;
            [name, image].into_iter().chain(owner).chain(line).chain(release).for_each(&mut share);
            (id, finding)
        });
        self.findings = shared.collect();
    }
}

/// The fields of a stored report that an outline has.
#[derive(Deserialize)]
struct StoredOutline {
    run_id: String,
    generated_at: DateTime<Utc>,
    complete: bool,
    findings: Vec<StoredFinding>,
}

#[derive(Deserialize)]
struct StoredFinding {
    id: String,
    deployment: DeploymentFields,
    image: StoredReference,
    base: Option<StoredBase>,
    verdict: Verdict,
    severity: Severity,
    action: Action,
    #[serde(default)]
    exemption: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct StoredReference {
    reference: String,
}

#[derive(Deserialize)]
struct StoredBase {
    line: Option<String>,
    release: Option<String>,
}

impl From<StoredFinding> for (Arc<str>, FindingOutline) {
    fn from(stored: StoredFinding) -> Self {
        let (line, release) = stored.base.map(|base| (base.line, base.release)).unwrap_or_default();
        let outline = FindingOutline {
            name: format::deployment_name(&stored.deployment).into(),
            owner: stored.deployment.owner.map(Arc::from),
            line: line.map(Arc::from),
            release: release.map(Arc::from),
            image: stored.image.reference.into(),
            verdict: stored.verdict,
            severity: stored.severity,
            action: stored.action,
            is_exempted: stored.exemption.is_some(),
        };
        (stored.id.into(), outline)
    }
}

impl From<StoredOutline> for ReportOutline {
    fn from(stored: StoredOutline) -> Self {
        Self {
            run_id: stored.run_id,
            generated_at: stored.generated_at,
            complete: stored.complete,
            findings: stored.findings.into_iter().map(Into::into).collect(),
        }
    }
}
