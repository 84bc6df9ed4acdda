//! The time budget of an invocation.

use std::time::Duration;

use tokio::time::Instant;

use crate::run::Deadlines;

/// The minimum reserve for the end of an invocation.
const LEAST_RESERVE: Duration = Duration::from_secs(10);
/// Smaller deadlines are not Unix times but the remaining time, as the emulator of cargo-lambda sends it. The maximum
/// timeout of Lambda is 15 minutes.
const NO_INSTANT: Duration = Duration::from_hours(24);

/// The remaining time of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeLeft(Duration);

impl TimeLeft {
    /// The time from `now_ms` until `deadline_ms`, both in milliseconds since the Unix epoch.
    pub(super) fn new(deadline_ms: u64, now_ms: u64) -> Self {
        let deadline = Duration::from_millis(deadline_ms);
        if deadline < NO_INSTANT {
            return Self(deadline);
        }
        Self(deadline.saturating_sub(Duration::from_millis(now_ms)))
    }

    /// The reserve for the end: a tenth, at least ten seconds, at most half.
    fn reserve(self) -> Duration {
        LEAST_RESERVE.max(self.0 / 10).min(self.0 / 2)
    }

    /// The deadlines from `now` on: half of the reserve is for sending notifications, most of the rest for saving the
    /// catalog.
    pub(super) fn deadlines(self, now: Instant) -> Deadlines {
        let before_end = |reserved: Duration| Some(now + self.0.saturating_sub(reserved));
        let reserve = self.reserve();
        Deadlines { audit: before_end(reserve), notify: before_end(reserve / 2), end: before_end(reserve / 10) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_240_800_000;

    fn milliseconds(left: u64) -> [u128; 3] {
        let now = Instant::now();
        let Deadlines { audit, notify, end } = TimeLeft::new(NOW + left * 1000, NOW).deadlines(now);
        [audit, notify, end].map(|at| (at.unwrap() - now).as_millis())
    }

    #[test]
    fn the_reserve_is_a_tenth_at_least_ten_seconds_and_at_most_half() {
        assert_eq!(milliseconds(900), [810_000, 855_000, 891_000]);
        assert_eq!(milliseconds(60), [50_000, 55_000, 59_000]);
        assert_eq!(milliseconds(10), [5_000, 7_500, 9_500]);
        assert_eq!(milliseconds(0), [0, 0, 0]);
    }

    #[test]
    fn a_past_deadline_leaves_no_time() {
        assert_eq!(TimeLeft::new(NOW - 1, NOW), TimeLeft(Duration::ZERO));
    }

    #[test]
    fn a_small_deadline_is_a_remaining_time() {
        assert_eq!(TimeLeft::new(600_000, NOW), TimeLeft(Duration::from_mins(10)));
    }
}
