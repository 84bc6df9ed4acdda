//! The judgement of a workload without its base: a deleted image or a function that cannot be invoked.

use super::{Action, Judgement, LinePosition, Severity, Verdict};
use crate::inventory::Deployment;

impl Judgement {
    /// The judgement of `deployment` without its base; `None` if the workload has no problem.
    #[must_use]
    pub fn for_workload(deployment: &Deployment) -> Option<Self> {
        Some(Self::without_fault().at(deployment, None)).filter(|judgement| judgement.severity > Severity::None)
    }

    fn without_fault() -> Self {
        Self {
            verdict: Verdict::Fresh,
            is_stale: false,
            is_out_of_date: false,
            is_deprecated: false,
            runtime: None,
            severity: Severity::None,
            action: Action::None,
            reasons: Vec::new(),
            line_position: LinePosition::Unknown,
            content_changed: None,
            rule: None,
        }
    }
}
