//! What is put up with for a while? Findings that somebody answers for until a day; they stay what they are, and
//! no run fails for them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Judgement, Policy, ReasonCode, Scope, Severity, Subject, Verdict};
use crate::schedule::LastDay;

/// Why some findings are put up with, who answers for that, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemption {
    /// Why.
    pub reason: String,
    /// Who answers for it: a person or a team.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    pub until: LastDay,
    /// Which deployments.
    pub scope: Scope,
    /// What the leading reason of a finding has to be; anything if empty.
    pub codes: Vec<ReasonCode>,
}

impl Exemption {
    /// Whether it covers `judgement`, of a deployment of its scope: there is something to put up with, and the
    /// leading reason, which the action is for, is one that it names. Once another one leads, it is about
    /// something else, and nobody has accepted that.
    #[must_use]
    pub fn covers(&self, judgement: &Judgement) -> bool {
        let is_something = judgement.verdict != Verdict::Fresh || judgement.severity > Severity::None;
        let leading = judgement.reasons.first().map(|reason| reason.code);
        is_something && (self.codes.is_empty() || leading.is_some_and(|code| self.codes.contains(&code)))
    }
}

/// What an exemption met in an audit.
#[derive(Clone, Debug, PartialEq)]
pub struct Encounter<'a> {
    /// The exemption.
    pub exemption: &'a Exemption,
    /// How many deployments are of its scope.
    pub matched: u64,
    /// Findings that it exempts, by verdict; of one that has expired, those that it would exempt, and no other
    /// does.
    pub covered: BTreeMap<Verdict, u64>,
}

/// What each exemption of `policy` met among these judgements.
#[must_use]
pub fn encounters<'a>(
    policy: &'a Policy,
    judged: &[(Subject<'_>, &Judgement)],
    now: DateTime<Utc>,
) -> Vec<Encounter<'a>> {
    let fresh = |exemption| Encounter { exemption, matched: 0, covered: BTreeMap::new() };
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
