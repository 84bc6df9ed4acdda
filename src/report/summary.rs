//! The summary of a report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExitReason, Finding};
use crate::{judge::Verdict, resolve::PublishDateSource};

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

/// Percentiles of ages in whole days. Each is a lower bound if the ages that it is taken from are not all exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgeDistribution {
    /// The median.
    pub p50: i64,
    /// The 90th percentile.
    pub p90: i64,
    /// The maximum.
    pub max: i64,
    /// Whether `p50` is a lower bound; absent if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub p50_is_bound: bool,
    /// Whether `p90` is a lower bound; absent if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub p90_is_bound: bool,
    /// Whether `max` is a lower bound; absent if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub max_is_bound: bool,
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
        let ages = findings.iter().filter_map(|finding| {
            let base = finding.base.as_ref()?;
            Some((base.age_days?, base.published_source.is_some_and(PublishDateSource::is_bound)))
        });
        let mut ages: Vec<_> = ages.collect();
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
    /// Nearest-rank percentiles of sorted ages, each with whether it is a bound.
    ///
    /// A bound among the ages up to a percentile may really be above it, so that the percentile is a bound as well. One
    /// above the percentile does not matter, however old that base is.
    fn from_sorted(sorted: &[(i64, bool)]) -> Option<Self> {
        let first_bound = sorted.iter().position(|(_, is_bound)| *is_bound).unwrap_or(sorted.len());
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            Some((sorted.get(index)?.0, first_bound <= index))
        };
        let ((p50, p50_is_bound), (p90, p90_is_bound), (max, max_is_bound)) = (rank(50)?, rank(90)?, rank(100)?);
        Some(Self { p50, p90, max, p50_is_bound, p90_is_bound, max_is_bound })
    }
}

/// `median 50 d, 90th percentile ≥ 104 d, maximum ≥ 341 d`.
impl fmt::Display for AgeDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = |is_bound: bool| if is_bound { "≥ " } else { "" };
        let Self { p50, p90, max, p50_is_bound, p90_is_bound, max_is_bound } = *self;
        write!(f, "median {}{p50} d, ", least(p50_is_bound))?;
        write!(f, "90th percentile {}{p90} d, maximum {}{max} d", least(p90_is_bound), least(max_is_bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_use_the_nearest_rank() {
        let of = |ages: &[(i64, bool)]| AgeDistribution::from_sorted(ages).map(|ages| [ages.p50, ages.p90, ages.max]);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(7, false)]), Some([7, 7, 7]));
        let ages: Vec<_> = (1..=10).map(|age| (age, false)).collect();
        assert_eq!(of(&ages), Some([5, 9, 10]));
    }

    #[test]
    fn a_percentile_is_a_bound_if_a_bound_could_move_past_it() {
        let bounds = |bound_at: Option<i64>| {
            let ages: Vec<_> = (1..=10).map(|age| (age, bound_at == Some(age))).collect();
            AgeDistribution::from_sorted(&ages).map(|ages| [ages.p50_is_bound, ages.p90_is_bound, ages.max_is_bound])
        };
        assert_eq!(bounds(None), Some([false, false, false]));
        assert_eq!(bounds(Some(2)), Some([true, true, true]));
        assert_eq!(bounds(Some(5)), Some([true, true, true]));
        assert_eq!(bounds(Some(6)), Some([false, true, true]));
        assert_eq!(bounds(Some(10)), Some([false, false, true]));
        // Of equal ages, the exact one is the percentile.
        let ages = AgeDistribution::from_sorted(&[(7, false), (7, true)]).unwrap();
        assert_eq!((ages.p50, ages.p50_is_bound, ages.max_is_bound), (7, false, true));
    }
}
