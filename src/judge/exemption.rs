//! Exemptions: findings that an owner accepts until a date. They keep their verdict, but no run fails for them.

use super::{Judgement, PolicyScope, ReasonCode, Severity, Verdict};
use crate::schedule::LastDay;

/// The findings that are accepted, with reason, owner and end date.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemption {
    /// The reason, as the configuration has it.
    pub reason: String,
    /// The person or team that accepted them.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    pub until: LastDay,
    /// The deployments that it applies to.
    pub scope: PolicyScope,
    /// The reason codes that may lead a covered finding; empty for any.
    pub codes: Vec<ReasonCode>,
}

impl Exemption {
    /// Whether it covers `judgement` of a deployment in its scope: the judgement is not fresh, and its first reason is
    /// one of `codes`. Once another reason comes first, the finding is a different one that no exemption has accepted.
    #[must_use]
    pub fn covers(&self, judgement: &Judgement) -> bool {
        let is_something = judgement.verdict != Verdict::Fresh || judgement.severity > Severity::None;
        let leading = judgement.reasons.first().map(|reason| reason.code);
        is_something && (self.codes.is_empty() || leading.is_some_and(|code| self.codes.contains(&code)))
    }
}
