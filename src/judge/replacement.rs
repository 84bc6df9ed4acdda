//! Newer images of the same repository: whether deploying one beats a rebuild.

use chrono::{DateTime, Utc};

use super::{Action, Judgement, Reason, ReasonCode, Verdict};
use crate::resolve::Resolution;

/// A newer image of the same repository, judged as if it were deployed.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// Repository and tag: `orders:422`.
    pub name: &'a str,
    /// When it was pushed.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Its judgement, with the thresholds of the deployed image.
    pub judgement: &'a Judgement,
    /// The resolution of its base.
    pub resolution: &'a Resolution,
}

impl Replacement<'_> {
    /// Whether deploying it needs no rebuild afterwards.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        matches!(self.judgement.verdict, Verdict::Fresh | Verdict::Superseded)
    }

    /// Whether its base is better than the deployed one: a better verdict, or the same verdict with a base that was
    /// published later. An unknown base is not better.
    #[must_use]
    pub fn is_better(&self, judgement: &Judgement, resolution: &Resolution) -> bool {
        let verdict = self.judgement.verdict;
        if verdict == Verdict::Unknown || self.resolution.base.hold.is_some() {
            return false;
        }
        let is_later = match (self.resolution.base.published, resolution.base.published) {
            (Some(its), Some(ours)) => ours.is_before(its),
            _ => false,
        };
        let leaves_held = resolution.base.hold.is_some();
        verdict < judgement.verdict || (verdict == judgement.verdict && (is_later || leaves_held))
    }
}

impl Judgement {
    /// Whether another image could help: the action is `rebuild` or `upgrade`.
    #[must_use]
    pub fn wants_another_image(&self) -> bool {
        matches!(self.action, Action::Rebuild | Action::Upgrade)
    }

    /// The judgement with a better image, `replacement`, in the repository. If its base is too old as well, the action
    /// stays `rebuild`.
    #[must_use]
    pub fn with(mut self, replacement: &Replacement<'_>) -> Self {
        let Replacement { name, pushed_at, judgement, .. } = replacement;
        let pushed = pushed_at.map(|at| format!(", pushed {}", at.format("%Y-%m-%d"))).unwrap_or_default();
        let verdict = judgement.verdict;
        let message = if replacement.is_enough() {
            format!("{name}{pushed}, is built on a better base ({verdict}) but is not deployed")
        } else {
            format!("{name}{pushed}, is built on a better base but is not deployed; it is {verdict} itself")
        };
        let reason = Reason::new(ReasonCode::NotDeployed, message);
        if replacement.is_enough() && self.wants_another_image() {
            self.action = Action::Redeploy;
            self.reasons.insert(0, reason);
        } else {
            self.reasons.push(reason);
        }
        self
    }
}
