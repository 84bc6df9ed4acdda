//! Would another image of the repository be better? Both are judged by the same terms.

use chrono::{DateTime, Utc};

use super::{Action, Judgement, Reason, ReasonCode, Verdict};
use crate::resolve::Resolution;

/// A newer image of the same repository, judged as if it ran instead.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// How it is referred to: `orders:422`.
    pub name: &'a str,
    /// When it was pushed.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Its judgement.
    pub judgement: &'a Judgement,
    /// What is known of its base.
    pub resolution: &'a Resolution,
}

impl Replacement<'_> {
    /// Whether deploying it leaves nothing to do.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        matches!(self.judgement.verdict, Verdict::Fresh | Verdict::Superseded)
    }

    /// Whether its base is better than one that was judged so: a better verdict, or the same with a base that
    /// was published later. What is not known is not better.
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
    /// Whether another image might help: a newer base exists, or the line has ended.
    #[must_use]
    pub fn wants_another_image(&self) -> bool {
        matches!(self.action, Action::Rebuild | Action::Upgrade)
    }

    /// The judgement with `replacement`, which is better, at hand. One that is itself too old does not spare
    /// the rebuild.
    #[must_use]
    pub fn with(mut self, replacement: &Replacement<'_>) -> Self {
        let Replacement { name, pushed_at, judgement, .. } = replacement;
        let pushed = pushed_at.map(|at| format!(", pushed {}", at.format("%Y-%m-%d"))).unwrap_or_default();
        let verdict = judgement.verdict;
        let message = if replacement.is_enough() {
            format!("{name}{pushed}, stands on a better base ({verdict}) and is not deployed here")
        } else {
            format!("{name}{pushed}, stands on a better base and is not deployed here, but is {verdict} itself")
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
