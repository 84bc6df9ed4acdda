//! Cron expressions over local times, without time zones or clock changes.

use std::{fmt, str::FromStr};

use chrono::NaiveDateTime;
use cron::Schedule;

use super::{description, eventbridge};

/// The syntax hint of error messages.
const HOW: &str = "write five fields, as in \"0 6 * * mon-fri\" (minute, hour, day of the month, month, day of the \
                   week), or six with seconds first";

/// The error for `text`: its equivalent if it is in AWS notation, else `why` and the syntax.
fn invalid(text: &str, why: &str) -> String {
    match eventbridge::equivalent(text) {
        Some(hint) => format!("{text:?} {hint}"),
        None => format!("{text:?} {why}: {HOW}"),
    }
}

/// A cron expression.
#[derive(Clone, Debug)]
pub(super) struct CronExpression {
    text: String,
    /// A description in English.
    pub(super) description: String,
    /// The times are the union of these schedules.
    schedules: Vec<Schedule>,
    /// Whether it matches every hour.
    pub(super) is_hourly: bool,
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl CronExpression {
    /// The matching times after `time`, in order.
    pub(super) fn after(&self, time: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> + '_ {
        let mut last = time;
        std::iter::from_fn(move || {
            let after = last.and_utc();
            let next = self.schedules.iter().filter_map(|schedule| schedule.after(&after).next()).min()?;
            last = next.naive_utc();
            Some(last)
        })
    }
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for CronExpression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let spelled = named(text.trim());
        let fields: Vec<_> = spelled.split_ascii_whitespace().collect();
        let (seconds, fields) = match fields.as_slice() {
            [seconds, others @ ..] if others.len() == 5 => (*seconds, others),
            fields => ("0", fields),
        };
        let [minutes, hours, days, months, weekdays] = fields else {
            return Err(invalid(text, &format!("has {} fields", fields.len())));
        };
        // The library accepts `?` in every field, and would misread an AWS expression, which ends with a year.
        if [seconds, minutes, hours, months].iter().any(|field| field.contains('?')) {
            return Err(invalid(text, "has a ? where only * is allowed"));
        }
        let weekdays =
            numbered(weekdays).ok_or_else(|| invalid(text, "has an invalid day of the week: use 0-7 or sun-sat"))?;
        let is_any = |field: &str| field.starts_with('*') || field == "?";
        let written: Vec<_> = if is_any(days) || is_any(&weekdays) {
            vec![(*days, weekdays.as_str())]
        } else {
            vec![(*days, "*"), ("*", weekdays.as_str())]
        };
        let schedules = written.into_iter().map(|(days, weekdays)| {
            let fields = format!("{seconds} {minutes} {hours} {days} {months} {weekdays}");
            fields.parse().map_err(|error| invalid(text, &format!("is not a cron expression ({error})")))
        });
        Ok(Self {
            text: text.trim().to_owned(),
            description: description::describe(&[seconds, minutes, hours, days, months, fields[4]]),
            schedules: schedules.collect::<Result<_, String>>()?,
            is_hourly: hours.starts_with('*'),
        })
    }
}

/// Expands the named expressions of crontab(5).
fn named(text: &str) -> &str {
    match text {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        text => text,
    }
}

/// Converts days of the week from crontab(5), where Sunday is 0 or 7, to the `cron` crate, where Sunday is 1. Ranges
/// become lists, because a range that ends on Sunday crosses the end of the week.
fn numbered(field: &str) -> Option<String> {
    let parts: Option<Vec<_>> = field.split(',').map(numbered_part).collect();
    Some(parts?.join(","))
}

fn numbered_part(part: &str) -> Option<String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
        None => (part, 1_usize),
    };
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (day(from)?, day(to)?),
        None if matches!(range, "*" | "?") && step == 1 => return Some(range.to_owned()),
        None if matches!(range, "*" | "?") => (0, 6),
        None if part.contains('/') => (day(range)?, 6),
        None => (day(range)?, day(range)?),
    };
    // `sun` may be the start or the end of a range.
    let to = if to < from && to == 0 { 7 } else { to };
    let days: Vec<_> = (from..=to).step_by(step).map(|day| (day % 7 + 1).to_string()).collect();
    (!days.is_empty()).then(|| days.join(","))
}

/// Parses a day of the week: 0 to 7, where 0 and 7 are Sunday, or a name.
fn day(text: &str) -> Option<usize> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let number = text.parse().ok().filter(|day| *day <= 7);
    number.or_else(|| NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)))
}
