//! When is the next run due? A cron expression on the clock of a place. Pure: `now` is passed in.
//!
//! Written as in crontab(5): five fields, or six with seconds first; Sunday is 0 or 7; where both the day of the
//! month and the day of the week are restricted, one of them is enough.

mod expression;
mod foreign;
mod last_day;
mod words;

use std::{fmt, time::Duration};

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

pub use last_day::LastDay;

use self::expression::Expression;

/// More than any clock is ever set forward or back at once.
const LARGEST_CHANGE: TimeDelta = TimeDelta::hours(3);

/// When runs are due.
#[derive(Clone, Debug, PartialEq)]
pub struct Timetable {
    expression: Expression,
    zone: Tz,
    /// How much later than due a run may begin, so that not everybody asks at the same moment.
    pub jitter: Duration,
}

impl Timetable {
    /// The timetable of `expression` on the clock of `zone`.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression, and what would do.
    pub fn new(expression: &str, zone: Tz, jitter: Duration) -> Result<Self, String> {
        let timetable = Self { expression: expression.parse()?, zone, jitter };
        let due: Vec<_> =
            std::iter::successors(timetable.next(Utc::now()), |due| timetable.next(*due)).take(3).collect();
        if due.is_empty() {
            return Err(format!("{expression:?} never comes true"));
        }
        if due.windows(2).any(|due| due[1] - due[0] < TimeDelta::minutes(1)) {
            return Err(format!("{expression:?} is more often than once a minute: write one second, such as 0"));
        }
        Ok(timetable)
    }

    /// When the first run after `now` is due; `None` if there is none any more.
    ///
    /// Of a time that the clock skips in spring, the run is due when the skipping is over; of one that it shows twice
    /// in autumn, only the first time. A run that is due every hour, or more often, is not concerned by that: it is
    /// due after so many minutes, whatever the clock shows.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let shown = self.shown(now);
        // Near a change, the clock shows what it showed before, or will.
        let is_changed = self.offset(now + LARGEST_CHANGE) != self.offset(now - LARGEST_CHANGE);
        let from = if is_changed { shown - LARGEST_CHANGE } else { shown };
        let mut soonest: Option<DateTime<Utc>> = None;
        for time in self.expression.after(from) {
            // What is shown later than this is later, however the clock is set meanwhile.
            if soonest.is_some_and(|soonest| time > self.shown(soonest) + LARGEST_CHANGE) {
                break;
            }
            let due = self.instants(time).into_iter().flatten().filter(|due| *due > now).min();
            soonest = [soonest, due].into_iter().flatten().min();
        }
        soonest
    }

    /// Whether a run was due after `last` and until `now`, and so was missed if there was none.
    #[must_use]
    pub fn has_missed(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.next(last).is_some_and(|due| due <= now)
    }

    /// What the expression means, in words: `at 06:00 on Monday to Friday`.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.expression.words
    }

    /// The first `count` instants after `now` at which a run is due, by the clock of the place.
    #[must_use]
    pub fn upcoming(&self, now: DateTime<Utc>, count: usize) -> Vec<String> {
        let due = std::iter::successors(self.next(now), |due| self.next(*due));
        due.take(count).map(|due| self.local(due)).collect()
    }

    /// The instant in words of the place: `2026-11-22 06:00 GMT`.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// What the clock of the place shows.
    fn shown(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    fn offset(&self, at: DateTime<Utc>) -> i32 {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
    }

    /// The instants at which a run is due because the clock shows `time`.
    fn instants(&self, time: NaiveDateTime) -> [Option<DateTime<Utc>>; 2] {
        match self.zone.from_local_datetime(&time) {
            LocalResult::Single(at) => [Some(at.to_utc()), None],
            LocalResult::Ambiguous(first, second) => {
                [Some(first.to_utc()), self.expression.is_hourly.then(|| second.to_utc())]
            }
            LocalResult::None if self.expression.is_hourly => [None, None],
            LocalResult::None => [self.end_of_gap(time), None],
        }
    }

    /// The instant at which the clock, having skipped `time`, goes on.
    fn end_of_gap(&self, time: NaiveDateTime) -> Option<DateTime<Utc>> {
        // Clocks are set at whole minutes.
        let minute = time.with_second(0)?;
        let later = (1..=LARGEST_CHANGE.num_minutes()).map(|minutes| minute + TimeDelta::minutes(minutes));
        later.filter_map(|time| self.zone.from_local_datetime(&time).earliest()).map(|at| at.to_utc()).next()
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.expression, self.zone)
    }
}

#[cfg(test)]
mod tests;
