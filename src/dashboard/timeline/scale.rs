//! The time axis, with today at the right and a square root scale.

/// The margin on each side in percent.
const MARGIN: f64 = 3.5;
/// The ticks: ages in days with labels.
const TICKS: [(f64, &str); 10] = [
    (7.0, "7 d"),
    (14.0, "14 d"),
    (30.0, "30 d"),
    (60.0, "60 d"),
    (90.0, "90 d"),
    (180.0, "180 d"),
    (365.0, "1 year"),
    (730.0, "2 years"),
    (1461.0, "4 years"),
    (2922.0, "8 years"),
];
/// The minimum distance of ticks in percent.
const APART: f64 = 4.5;
/// The minimum distance of ticks in narrow windows in percent.
const FAR_APART: f64 = 13.0;

/// An axis from the oldest age to today.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeScale {
    oldest: f64,
}

/// A tick of the axis.
#[derive(Debug, PartialEq)]
pub(super) struct AxisTick {
    pub(super) at: f64,
    pub(super) name: &'static str,
    /// Whether the tick is hidden in narrow windows.
    pub(super) is_minor: bool,
}

impl TimeScale {
    /// An axis up to `oldest` days, with some space beyond `limit`.
    pub(super) fn new(oldest: f64, limit: f64) -> Self {
        Self { oldest: oldest.max(limit * 1.4).max(14.0) }
    }

    /// The position of an age of `days`, in percent from the left. Future dates are at the right end.
    pub(super) fn at(self, days: f64) -> f64 {
        let share = (days.max(0.0) / self.oldest).min(1.0).sqrt();
        100.0 - MARGIN - share * (100.0 - 2.0 * MARGIN)
    }

    /// The ticks that fit, recent ones first, not too close to the limit or today.
    pub(super) fn ticks(self, limit: f64) -> Vec<AxisTick> {
        let mut taken = vec![self.at(limit), self.at(0.0)];
        let mut major = taken.clone();
        let mut ticks = Vec::new();
        for (days, name) in TICKS.into_iter().filter(|(days, _)| *days <= self.oldest) {
            let at = self.at(days);
            if taken.iter().all(|other| (other - at).abs() >= APART) {
                taken.push(at);
                let is_minor = major.iter().any(|other| (other - at).abs() < FAR_APART);
                major.extend((!is_minor).then_some(at));
                ticks.push(AxisTick { at, name, is_minor });
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_ages_are_further_left_and_within_the_axis() {
        let scale = TimeScale::new(400.0, 45.0);
        let ages = [0.0, 1.0, 7.0, 45.0, 200.0, 400.0];
        assert!(ages.windows(2).all(|two| scale.at(two[0]) > scale.at(two[1])));
        for days in [-5.0, 0.0, 400.0, 1e9] {
            assert!((MARGIN..=100.0 - MARGIN).contains(&scale.at(days)), "{days}");
        }
        assert!(TimeScale::new(0.0, 45.0).at(45.0) > MARGIN, "there is room left of the limit");
    }

    #[test]
    fn ticks_do_not_overlap() {
        for oldest in [10.0, 45.0, 100.0, 400.0, 3000.0] {
            for limit in [1.0, 30.0, 45.0, 365.0] {
                let scale = TimeScale::new(oldest, limit);
                let mut positions: Vec<_> = scale.ticks(limit).iter().map(|tick| tick.at).collect();
                positions.extend([scale.at(limit), scale.at(0.0)]);
                positions.sort_by(f64::total_cmp);
                let own = positions.windows(2).filter(|two| two[1] - two[0] < APART).count();
                // Only the limit and today may be close to each other.
                assert!(own <= 1, "{oldest} {limit} {positions:?}");
            }
        }
    }
}
