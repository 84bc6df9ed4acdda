//! How much of an invocation's time is for work, and how much for ending it in good order? Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::run::cycle::Until;

/// What is kept for the end at least, where there is that much.
const LEAST_RESERVE: Duration = Duration::from_secs(10);
/// No deadline is that early after 1970: it is not an instant but the time that is left, as cargo-lambda's emulator
/// sends it. Lambda's own longest timeout is 15 minutes.
const NO_INSTANT: Duration = Duration::from_hours(24);

/// How long an invocation may take from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeLeft(Duration);

impl TimeLeft {
    /// The time until `deadline_ms`, as of `now_ms`; both in milliseconds since 1970.
    pub(super) fn until(deadline_ms: u64, now_ms: u64) -> Self {
        let deadline = Duration::from_millis(deadline_ms);
        if deadline < NO_INSTANT {
            return Self(deadline);
        }
        Self(deadline.saturating_sub(Duration::from_millis(now_ms)))
    }

    /// What of it is kept for the end: a tenth, at least ten seconds, and never more than half.
    fn reserve(self) -> Duration {
        LEAST_RESERVE.max(self.0 / 10).min(self.0 / 2)
    }

    /// Until when what may be done, from `now` on: half of the reserve is for telling people, most of the rest for
    /// keeping what was learned.
    pub(super) fn from(self, now: Instant) -> Until {
        let before_end = |reserved: Duration| Some(now + self.0.saturating_sub(reserved));
        let reserve = self.reserve();
        Until { audit: before_end(reserve), notify: before_end(reserve / 2), end: before_end(reserve / 10) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_240_800_000;

    fn milliseconds(left: u64) -> [u128; 3] {
        let now = Instant::now();
        let Until { audit, notify, end } = TimeLeft::until(NOW + left * 1000, NOW).from(now);
        [audit, notify, end].map(|at| (at.unwrap() - now).as_millis())
    }

    #[test]
    fn a_tenth_is_kept_for_the_end_at_least_ten_seconds_and_never_more_than_half() {
        assert_eq!(milliseconds(900), [810_000, 855_000, 891_000]);
        assert_eq!(milliseconds(60), [50_000, 55_000, 59_000]);
        assert_eq!(milliseconds(10), [5_000, 7_500, 9_500]);
        assert_eq!(milliseconds(0), [0, 0, 0]);
    }

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        assert_eq!(TimeLeft::until(NOW - 1, NOW), TimeLeft(Duration::ZERO));
    }

    #[test]
    fn what_cannot_be_an_instant_is_the_time_that_is_left() {
        assert_eq!(TimeLeft::until(600_000, NOW), TimeLeft(Duration::from_mins(10)));
    }
}
