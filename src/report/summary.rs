//! The counts of a report.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExitReason, Finding};
use crate::judge::Verdict;

/// The counts of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Findings: deployments, once for each platform.
    pub deployments: u64,
    /// Different images among them.
    pub images: u64,
    /// Different bases in use.
    pub bases: u64,
    /// Findings by verdict; every verdict is there.
    pub by_verdict: BTreeMap<Verdict, u64>,
    /// The same by owner, as far as owners are known; only verdicts that occur.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_owner: BTreeMap<String, BTreeMap<Verdict, u64>>,
    /// Findings that are exempted; absent if none is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exempted: u64,
    /// Findings with another verdict than `unknown`; absent in reports of versions that did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<u64>,
    /// Why the exit code is what it is; absent in reports of versions that did not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<ExitReason>,
    /// How old the bases in use are, over all findings whose base has a date; null when none has. A date that is a bound
    /// counts with the age that it proves, so that bases may be older than this says.
    pub base_age_days: Option<AgeDistribution>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A distribution of ages in whole days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgeDistribution {
    /// Half are at most this old.
    pub p50: i64,
    /// Nine in ten are at most this old.
    pub p90: i64,
    /// The oldest.
    pub max: i64,
}

impl Summary {
    /// Counts `findings`.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let mut by_verdict: BTreeMap<_, _> = Verdict::ALL.into_iter().map(|verdict| (verdict, 0)).collect();
        let mut by_owner: BTreeMap<String, BTreeMap<_, u64>> = BTreeMap::new();
        for finding in findings {
            *by_verdict.entry(finding.verdict).or_default() += 1;
            if let Some(owner) = &finding.deployment.owner {
                *by_owner.entry(owner.clone()).or_default().entry(finding.verdict).or_default() += 1;
            }
        }
        let images: BTreeSet<_> = findings.iter().filter_map(|finding| finding.image.digest.as_ref()).collect();
        let bases: BTreeSet<_> =
            findings.iter().filter_map(|finding| finding.base.as_ref()).map(|base| &base.reference).collect();
        let mut ages: Vec<_> = findings.iter().filter_map(|finding| finding.base.as_ref()?.age_days).collect();
        ages.sort_unstable();
        Self {
            deployments: findings.len() as u64,
            images: images.len() as u64,
            bases: bases.len() as u64,
            by_verdict,
            by_owner,
            exempted: findings.iter().filter(|finding| finding.exemption.is_some()).count() as u64,
            judged: Some(findings.iter().filter(|finding| finding.verdict != Verdict::Unknown).count() as u64),
            exit_reason: None,
            base_age_days: AgeDistribution::of(&ages),
        }
    }
}

impl AgeDistribution {
    /// Nearest-rank percentiles of sorted ages.
    fn of(sorted: &[i64]) -> Option<Self> {
        let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { p50: rank(50)?, p90: rank(90)?, max: *sorted.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ages_that_occur() {
        assert_eq!(AgeDistribution::of(&[]), None);
        assert_eq!(AgeDistribution::of(&[7]), Some(AgeDistribution { p50: 7, p90: 7, max: 7 }));
        let ages: Vec<_> = (1..=10).collect();
        assert_eq!(AgeDistribution::of(&ages), Some(AgeDistribution { p50: 5, p90: 9, max: 10 }));
    }
}
