//! The times of a run.

use chrono::{DateTime, Utc};

/// The times of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunInstants {
    /// The time to judge by: the current time, or `--as-of`.
    pub now: DateTime<Utc>,
    /// The current time.
    pub clock: DateTime<Utc>,
}

impl RunInstants {
    /// `now` as both times.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now, clock: now }
    }

    /// The current time, with `as_of` as the time to judge by.
    #[must_use]
    pub fn new(as_of: Option<DateTime<Utc>>) -> Self {
        let clock = Utc::now();
        Self { now: as_of.unwrap_or(clock), clock }
    }
}
