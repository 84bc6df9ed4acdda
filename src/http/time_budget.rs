//! A time budget for several requests, such as the pages of a tag list.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The time budget of several requests. Time spent in the rate limiter does not count.
#[derive(Debug)]
pub(crate) struct TimeBudget {
    total: Duration,
    spent: Mutex<Duration>,
}

impl TimeBudget {
    /// A budget of this total, unspent.
    pub(crate) fn new(total: Duration) -> Self {
        Self { total, spent: Mutex::default() }
    }

    /// The total.
    pub(crate) fn total(&self) -> Duration {
        self.total
    }

    /// The remaining time.
    pub(crate) fn left(&self) -> Duration {
        self.total.saturating_sub(*self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Subtracts `span`.
    pub(crate) fn spend(&self, span: Duration) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += span;
    }
}
