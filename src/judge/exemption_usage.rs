//! Which findings the exemptions of a policy cover.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Exemption, Judgement, Policy, PolicySubject, Verdict};

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
