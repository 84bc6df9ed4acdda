//! The part of a finding that is about one subject: base or workload.

use super::{AlertKey, AlertSubject, FindingSnapshot};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    report::{Finding, ReasonFields},
};

/// The part of a finding that is about one subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct FindingAspect<'a> {
    pub(super) finding: &'a Finding,
    pub(super) about: AlertSubject,
    pub(super) severity: Severity,
    pub(super) action: Action,
    pub(super) is_exempted: bool,
}

impl<'a> FindingAspect<'a> {
    /// The part of `finding` about `about`.
    pub(super) fn new(finding: &'a Finding, about: AlertSubject) -> Self {
        let workload = finding.subjects.as_ref().map(|subjects| &subjects.workload);
        let (severity, action, is_exempted) = match about {
            AlertSubject::Base => (finding.base_severity(), finding.base_action(), finding.is_base_exempted()),
            AlertSubject::Workload => {
                workload.map_or((Severity::None, Action::None, false), |it| (it.severity, it.action, it.exempted))
            }
        };
        Self { finding, about, severity, action, is_exempted }
    }

    /// The parts about both subjects.
    pub(super) fn all(finding: &'a Finding) -> impl Iterator<Item = Self> {
        AlertSubject::ALL.into_iter().map(move |about| Self::new(finding, about))
    }

    /// The key of the alert about it.
    pub(super) fn key(&self) -> AlertKey {
        AlertKey::new(&self.finding.id, self.about)
    }

    /// Whether the state of the subject is known; `recorded` is its last known state. A base that could not be judged is
    /// unknown. A workload is known to have recovered only if its problem is seen to have ended.
    pub(super) fn is_known(&self, recorded: Option<&FindingSnapshot>) -> bool {
        match self.about {
            AlertSubject::Base => self.finding.verdict != Verdict::Unknown,
            AlertSubject::Workload => self.severity > Severity::None || recorded.is_some_and(|it| self.is_over(it)),
        }
    }

    /// Whether the problem of the workload has ended: its image is in the repository or it runs another one, and AWS
    /// reports the state of the function.
    fn is_over(&self, recorded: &FindingSnapshot) -> bool {
        let Finding { image, deployment, .. } = self.finding;
        let is_image_there = image.holding.as_deref() == Some("held") || image.reference != recorded.image;
        let is_state_known = deployment.kind != DeploymentKind::Lambda || deployment.state.is_some();
        (is_image_there || recorded.action != Action::Restore) && is_state_known
    }

    /// The reasons about the subject.
    pub(super) fn reasons(&self) -> Vec<ReasonFields> {
        let Some(subjects) = &self.finding.subjects else { return self.finding.reasons.clone() };
        let codes = match self.about {
            AlertSubject::Base => &subjects.base.reasons,
            AlertSubject::Workload => &subjects.workload.reasons,
        };
        self.finding.reasons.iter().filter(|reason| codes.contains(&reason.code)).cloned().collect()
    }
}
