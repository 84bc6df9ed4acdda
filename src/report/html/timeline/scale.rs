//! Where on the axis is an age? Today is at the right; recent time gets more room than what is long past.

/// The width in per cent that is left free on each side.
const MARGIN: f64 = 3.5;
/// Ages that are marked, if they are on the axis: in days, with their names.
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
/// How far marks of the axis are apart at the least, in per cent.
const APART: f64 = 4.5;
/// How far they are apart on a narrow window.
const FAR_APART: f64 = 13.0;

/// An axis from the oldest age to today.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    oldest: f64,
}

/// A mark of the axis.
#[derive(Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) name: &'static str,
    /// Whether there is no room for it on a narrow window.
    pub(super) is_minor: bool,
}

impl Scale {
    /// One on which everything up to `oldest` days has its place, and the limit a bit more than that.
    pub(super) fn new(oldest: f64, limit: f64) -> Self {
        Self { oldest: oldest.max(limit * 1.4).max(14.0) }
    }

    /// Where `days` are, in per cent from the left. What is not past is at the right end.
    pub(super) fn at(self, days: f64) -> f64 {
        let share = (days.max(0.0) / self.oldest).min(1.0).sqrt();
        100.0 - MARGIN - share * (100.0 - 2.0 * MARGIN)
    }

    /// The marks that fit, those of recent time first; none too near to the limit or to today.
    pub(super) fn ticks(self, limit: f64) -> Vec<Tick> {
        let mut taken = vec![self.at(limit), self.at(0.0)];
        let mut major = taken.clone();
        let mut ticks = Vec::new();
        for (days, name) in TICKS.into_iter().filter(|(days, _)| *days <= self.oldest) {
            let at = self.at(days);
            if taken.iter().all(|other| (other - at).abs() >= APART) {
                taken.push(at);
                let is_minor = major.iter().any(|other| (other - at).abs() < FAR_APART);
                major.extend((!is_minor).then_some(at));
                ticks.push(Tick { at, name, is_minor });
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_is_further_left_and_everything_is_on_the_axis() {
        let scale = Scale::new(400.0, 45.0);
        let ages = [0.0, 1.0, 7.0, 45.0, 200.0, 400.0];
        assert!(ages.windows(2).all(|two| scale.at(two[0]) > scale.at(two[1])));
        for days in [-5.0, 0.0, 400.0, 1e9] {
            assert!((MARGIN..=100.0 - MARGIN).contains(&scale.at(days)), "{days}");
        }
        assert!(Scale::new(0.0, 45.0).at(45.0) > MARGIN, "there is room left of the limit");
    }

    #[test]
    fn marks_are_never_on_top_of_each_other() {
        for oldest in [10.0, 45.0, 100.0, 400.0, 3000.0] {
            for limit in [1.0, 30.0, 45.0, 365.0] {
                let scale = Scale::new(oldest, limit);
                let mut places: Vec<_> = scale.ticks(limit).iter().map(|tick| tick.at).collect();
                places.extend([scale.at(limit), scale.at(0.0)]);
                places.sort_by(f64::total_cmp);
                let own = places.windows(2).filter(|two| two[1] - two[0] < APART).count();
                // Only limit and today may be near each other.
                assert!(own <= 1, "{oldest} {limit} {places:?}");
            }
        }
    }
}
