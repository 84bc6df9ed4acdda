//! Exemptions: findings that an owner accepts until a date. They keep their verdict, but no run fails for them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Judgement, Policy, PolicyScope, PolicySubject, ReasonCode, Severity, Verdict};
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

/// The findings that an exemption covered in one audit.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemptionUsage<'a> {
    /// The exemption.
    pub exemption: &'a Exemption,
    /// The number of deployments in its scope.
    pub matched: u64,
    /// The number of findings that it covers, by verdict. For an expired exemption, those that it would cover and no
    /// other one does.
    pub covered: BTreeMap<Verdict, u64>,
}

/// The usage of each exemption of `policy`, in the order of the configuration.
#[must_use]
pub fn exemption_usage<'a>(
    policy: &'a Policy,
    judged: &[(PolicySubject<'_>, &Judgement)],
    now: DateTime<Utc>,
) -> Vec<ExemptionUsage<'a>> {
    let fresh = |exemption| ExemptionUsage { exemption, matched: 0, covered: BTreeMap::new() };
    let mut encounters: Vec<_> = policy.exemptions.iter().map(fresh).collect();
    if encounters.is_empty() {
        return encounters;
    }
    for (subject, judgement) in judged {
        let holding = policy.exemption_for(*subject, judgement, now);
        for encounter in encounters.iter_mut().filter(|encounter| encounter.exemption.scope.matches(*subject)) {
            encounter.matched += 1;
            let exemption = encounter.exemption;
            let is_covered = match holding {
                Some(holding) => std::ptr::eq(holding, exemption),
                None => exemption.until.is_over(now) && exemption.covers(judgement),
            };
            if is_covered {
                *encounter.covered.entry(judgement.verdict).or_default() += 1;
            }
        }
    }
    encounters
}
