//! A cron expression: which times of the clock it means. Knows no zone, and no clock that is ever set.

use std::{fmt, str::FromStr};

use chrono::NaiveDateTime;
use cron::Schedule;

use super::{foreign, words};

/// How an expression is written.
const HOW: &str = "write five fields, as in \"0 6 * * mon-fri\" (minute, hour, day of the month, month, day of the \
                   week), or six with seconds first";

/// Why `text` is refused: `why`, or that it is in the notation of AWS, with the equivalent.
fn refused(text: &str, why: &str) -> String {
    match foreign::equivalent(text) {
        Some(hint) => format!("{text:?} {hint}"),
        None => format!("{text:?} {why}: {HOW}"),
    }
}

/// A cron expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    text: String,
    /// The same in words.
    pub(super) words: String,
    /// It means the times of each of them.
    schedules: Vec<Schedule>,
    /// Whether it means something each hour.
    pub(super) is_hourly: bool,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expression {
    /// The times after `time` that it means, in order.
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

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let spelled = named(text.trim());
        let fields: Vec<_> = spelled.split_ascii_whitespace().collect();
        let (seconds, fields) = match fields.as_slice() {
            [seconds, others @ ..] if others.len() == 5 => (*seconds, others),
            fields => ("0", fields),
        };
        let [minutes, hours, days, months, weekdays] = fields else {
            return Err(refused(text, &format!("has {} fields", fields.len())));
        };
        // The library takes it anywhere, and so an expression of AWS's, which ends in a year, for another one.
        if [seconds, minutes, hours, months].iter().any(|field| field.contains('?')) {
            return Err(refused(text, "has a ? where only * can mean any"));
        }
        let weekdays = numbered(weekdays).ok_or_else(|| refused(text, "has no day of the week: 0-7 or sun-sat"))?;
        let is_any = |field: &str| field.starts_with('*') || field == "?";
        let written: Vec<_> = if is_any(days) || is_any(&weekdays) {
            vec![(*days, weekdays.as_str())]
        } else {
            vec![(*days, "*"), ("*", weekdays.as_str())]
        };
        let schedules = written.into_iter().map(|(days, weekdays)| {
            let fields = format!("{seconds} {minutes} {hours} {days} {months} {weekdays}");
            fields.parse().map_err(|error| refused(text, &format!("is no cron expression ({error})")))
        });
        Ok(Self {
            text: text.trim().to_owned(),
            words: words::describe(&[seconds, minutes, hours, days, months, fields[4]]),
            schedules: schedules.collect::<Result<_, String>>()?,
            is_hourly: hours.starts_with('*'),
        })
    }
}

/// The expressions that have names, as crontab(5) has them.
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

/// The days of the week as the `cron` crate numbers them, from Sunday as 1, where crontab(5) begins with Sunday as 0
/// and ends with it as 7. A range that ends on Sunday goes over the end of that week: it becomes a list.
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
    // `sun` may end a range as well as begin it.
    let to = if to < from && to == 0 { 7 } else { to };
    let days: Vec<_> = (from..=to).step_by(step).map(|day| (day % 7 + 1).to_string()).collect();
    (!days.is_empty()).then(|| days.join(","))
}

/// The day of the week of a number or name, from Sunday as 0; 7 is Sunday at the end.
fn day(text: &str) -> Option<usize> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let number = text.parse().ok().filter(|day| *day <= 7);
    number.or_else(|| NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)))
}
