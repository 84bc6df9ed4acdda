//! The summary of a report.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExitReason, Finding};
use crate::judge::Verdict;

/// The summary of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The number of findings: deployments, counting each platform.
    pub deployments: u64,
    /// The number of distinct images.
    pub images: u64,
    /// The number of distinct bases in use.
    pub bases: u64,
    /// The number of findings by verdict, including zeros.
    pub by_verdict: BTreeMap<Verdict, u64>,
    /// The number of findings by owner and verdict, without zeros and unknown owners.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_owner: BTreeMap<String, BTreeMap<Verdict, u64>>,
    /// The number of exempted findings; absent if zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exempted: u64,
    /// The number of findings with a verdict other than `unknown`; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<u64>,
    /// The reason of the exit code; absent in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<ExitReason>,
    /// The age of the bases in use, over all findings with a publish date; null if there is none. A bound counts as
    /// the minimum age, so that bases may be older.
    pub base_age_days: Option<AgeDistribution>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Percentiles of ages in whole days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgeDistribution {
    /// The median.
    pub p50: i64,
    /// The 90th percentile.
    pub p90: i64,
    /// The maximum.
    pub max: i64,
}

impl Summary {
    /// Counts `findings`.
    #[must_use]
    pub fn new(findings: &[Finding]) -> Self {
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
            findings.iter().filter_map(|finding| finding.base.as_ref()).map(|base| base.reference.as_str()).collect();
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
            base_age_days: AgeDistribution::from_sorted(&ages),
        }
    }
}

impl AgeDistribution {
    /// Nearest-rank percentiles of sorted ages.
    fn from_sorted(sorted: &[i64]) -> Option<Self> {
        let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { p50: rank(50)?, p90: rank(90)?, max: *sorted.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_use_the_nearest_rank() {
        assert_eq!(AgeDistribution::from_sorted(&[]), None);
        assert_eq!(AgeDistribution::from_sorted(&[7]), Some(AgeDistribution { p50: 7, p90: 7, max: 7 }));
        let ages: Vec<_> = (1..=10).collect();
        assert_eq!(AgeDistribution::from_sorted(&ages), Some(AgeDistribution { p50: 5, p90: 9, max: 10 }));
    }
}
