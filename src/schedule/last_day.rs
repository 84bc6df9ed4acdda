//! The last day of an exemption or a hold.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};

/// How long before the end the report warns.
const WARNING: Duration = Duration::days(14);
/// An end more than two years ahead is likely a mistake.
const FAR: Duration = Duration::days(731);

/// The last day, inclusive, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastDay(pub NaiveDate);

impl LastDay {
    /// Whether the day is over at `now`.
    #[must_use]
    pub fn is_over(self, now: DateTime<Utc>) -> bool {
        self.remaining(now) <= Duration::zero()
    }

    /// Whether the day is not over at `now`, and at most 14 days ahead.
    #[must_use]
    pub fn is_near(self, now: DateTime<Utc>) -> bool {
        !self.is_over(now) && self.remaining(now) <= WARNING
    }

    /// Whether the day is more than two years after `now`.
    #[must_use]
    pub fn is_far(self, now: DateTime<Utc>) -> bool {
        self.remaining(now) > FAR
    }

    fn remaining(self, now: DateTime<Utc>) -> Duration {
        let midnight = self.0.and_time(NaiveTime::MIN).and_utc();
        midnight + Duration::days(1) - now
    }
}

impl FromStr for LastDay {
    type Err = String;

    /// Parses a date such as `2027-01-31`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == text && text.len() == 10);
        day.map(Self).ok_or_else(|| format!("{text:?} is not a date: write the last day, as in \"2027-01-31\""))
    }
}

impl fmt::Display for LastDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_at_midnight_utc() {
        let last: LastDay = "2026-11-30".parse().expect("a day");
        for (now, is_over, is_near, is_far) in [
            ("2024-01-01T00:00:00Z", false, false, true),
            ("2024-11-30T00:00:00Z", false, false, false),
            ("2026-11-16T23:59:59Z", false, false, false),
            ("2026-11-17T00:00:00Z", false, true, false),
            ("2026-11-30T23:59:59Z", false, true, false),
            ("2026-12-01T00:59:59+01:00", false, true, false),
            ("2026-12-01T00:00:00Z", true, false, false),
            ("2027-06-01T00:00:00Z", true, false, false),
        ] {
            let now = now.parse().expect("an instant");
            assert_eq!((last.is_over(now), last.is_near(now), last.is_far(now)), (is_over, is_near, is_far), "{now}");
        }
        assert!(!LastDay(NaiveDate::MAX.pred_opt().expect("a day")).is_over(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn only_valid_dates_in_iso_format_are_accepted() {
        for (text, is_day) in [
            ("2027-01-31", true),
            ("2028-02-29", true),
            ("9999-12-31", true),
            ("2027-02-29", false),
            ("2027-1-31", false),
            ("31.1.2027", false),
            ("2027-01-31T00:00:00Z", false),
            ("+12027-01-31", false),
            (" 2027-01-31", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<LastDay>().is_ok(), is_day, "{text}");
        }
    }
}
