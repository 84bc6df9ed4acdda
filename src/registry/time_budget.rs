//! A time budget for several requests, such as the pages of a tag list.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The time budget of several requests. Time spent in the rate limiter does not count.
#[derive(Debug)]
pub(super) struct TimeBudget {
    total: Duration,
    spent: Mutex<Duration>,
}

impl TimeBudget {
    /// A budget of this total, unspent.
    pub(super) fn new(total: Duration) -> Self {
        Self { total, spent: Mutex::default() }
    }

    /// The total.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// The remaining time.
    pub(super) fn left(&self) -> Duration {
        self.total.saturating_sub(*self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Subtracts `span`.
    pub(super) fn spend(&self, span: Duration) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += span;
    }
}
