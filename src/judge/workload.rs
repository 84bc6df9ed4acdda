//! What is wrong with a workload by itself, whatever its base is: a problem of its own beside the verdict.

use super::{Action, Judgement, Severity, Standing, Verdict};
use crate::inventory::Deployment;

impl Judgement {
    /// The judgement of `deployment` as if nothing were to be said about its base; `None` if then nothing is wrong.
    #[must_use]
    pub fn of_workload(deployment: &Deployment) -> Option<Self> {
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
            standing: Standing::Unknown,
            content_changed: None,
            rule: None,
        }
    }
}
