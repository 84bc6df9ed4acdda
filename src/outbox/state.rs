//! The retry schedule: when an entry that was not delivered is attempted again.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::DeliveryError;

/// Wait after the second failure in a row; doubles with each further one.
const MIN_BACKOFF: TimeDelta = TimeDelta::minutes(5);
/// Maximum wait, also if a target requests more. A run every six hours, or every day, always makes an attempt, even if it
/// starts a little early.
const MAX_BACKOFF: TimeDelta = TimeDelta::minutes(6 * 60 - 10);

/// Delivery of one entry so far, and when it may be attempted again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryState {
    /// When it was recorded as due.
    pub due_at: DateTime<Utc>,
    /// Number of failed attempts.
    #[serde(default)]
    pub attempts: u32,
    /// Number of attempts in a row that failed because of this entry, not of its target.
    #[serde(default)]
    pub refusals: u32,
    /// No attempt is made before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl DeliveryState {
    /// An entry that is due since `due_at`.
    #[must_use]
    pub fn new(due_at: DateTime<Utc>) -> Self {
        Self { due_at, attempts: 0, refusals: 0, not_before: None, last_error: None }
    }

    /// Whether it may be attempted at `now`.
    #[must_use]
    pub fn is_ready(&self, now: DateTime<Utc>) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether entries after it must wait at `now`: its target failed, and is not attempted yet.
    pub(super) fn holds_others(&self, now: DateTime<Utc>) -> bool {
        !self.is_ready(now) && self.refusals == 0
    }

    /// Records an attempt at `at` that failed, and when the next one may be made: in the next run after the first failure,
    /// then after a wait that doubles, and not before the target asks for it.
    pub fn failed(&mut self, error: &DeliveryError, at: DateTime<Utc>) {
        self.attempts = self.attempts.saturating_add(1);
        self.refusals = if error.is_about_entry { self.refusals.saturating_add(1) } else { 0 };
        self.last_error = Some(error.why.clone());
        let doublings = self.attempts.checked_sub(2);
        let backoff = doublings.map(|count| MIN_BACKOFF * 2_i32.pow(count.min(10)));
        let requested = error.retry_after.map(|wait| TimeDelta::from_std(wait).unwrap_or(MAX_BACKOFF));
        self.not_before = requested.max(backoff).map(|wait| at + wait.min(MAX_BACKOFF));
    }
}
