//! Schedules: cron expressions in a time zone.
//!
//! The syntax is that of crontab(5): five fields, or six starting with seconds. Sunday is 0 or 7. If both the day of
//! the month and the day of the week are restricted, either one matches.

mod description;
mod eventbridge;
mod expression;
mod last_day;

use std::fmt;

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

pub use last_day::LastDay;

use self::expression::CronExpression;

/// An upper bound of a single clock change.
const LARGEST_CHANGE: TimeDelta = TimeDelta::hours(3);

/// A schedule of runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Timetable {
    expression: CronExpression,
    zone: Tz,
}

impl Timetable {
    /// Parses `expression` in the time zone `zone`.
    ///
    /// # Errors
    ///
    /// When the expression is invalid, never matches, or matches more than once a minute.
    pub fn new(expression: &str, zone: Tz) -> Result<Self, String> {
        let timetable = Self { expression: expression.parse()?, zone };
        let due: Vec<_> =
            std::iter::successors(timetable.next(Utc::now()), |due| timetable.next(*due)).take(3).collect();
        if due.is_empty() {
            return Err(format!("{expression:?} never matches"));
        }
        if due.windows(2).any(|due| due[1] - due[0] < TimeDelta::minutes(1)) {
            return Err(format!("{expression:?} matches more than once a minute: use a single second, such as 0"));
        }
        Ok(timetable)
    }

    /// When the next run after `now` is due; `None` if there is none.
    ///
    /// A time that a clock change skips is due at the end of the gap. A time that occurs twice is due the first time.
    /// Hourly and more frequent schedules run at their regular interval through clock changes.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let shown = self.shown(now);
        // Near a clock change, local times may repeat.
        let is_changed = self.offset(now + LARGEST_CHANGE) != self.offset(now - LARGEST_CHANGE);
        let from = if is_changed { shown - LARGEST_CHANGE } else { shown };
        let mut soonest: Option<DateTime<Utc>> = None;
        for time in self.expression.after(from) {
            // Later local times are later instants, even across a clock change.
            if soonest.is_some_and(|soonest| time > self.shown(soonest) + LARGEST_CHANGE) {
                break;
            }
            let due = self.instants(time).into_iter().flatten().filter(|due| *due > now).min();
            soonest = [soonest, due].into_iter().flatten().min();
        }
        soonest
    }

    /// Whether a run was due after `last` and no later than `now`.
    #[must_use]
    pub fn has_missed(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.next(last).is_some_and(|due| due <= now)
    }

    /// A description in English: `at 06:00 on Monday to Friday`.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.expression.description
    }

    /// The next `count` runs after `now`, in local time.
    #[must_use]
    pub fn upcoming(&self, now: DateTime<Utc>, count: usize) -> Vec<String> {
        let due = std::iter::successors(self.next(now), |due| self.next(*due));
        due.take(count).map(|due| self.local(due)).collect()
    }

    /// Formats `at` in local time: `2026-11-22 06:00 GMT`.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// The local time at `at`.
    fn shown(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    fn offset(&self, at: DateTime<Utc>) -> i32 {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
    }

    /// The instants of the local time `time`.
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

    /// The end of the gap that skips `time`.
    fn end_of_gap(&self, time: NaiveDateTime) -> Option<DateTime<Utc>> {
        // Clock changes happen at whole minutes.
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
