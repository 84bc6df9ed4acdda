//! How long may several requests take together? A tag list is one answer in many pages.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Time for several requests together. What they wait for their turn does not count: that is our own pace.
#[derive(Debug)]
pub(super) struct TimeBudget {
    total: Duration,
    spent: Mutex<Duration>,
}

impl TimeBudget {
    /// So much of it, nothing of it spent.
    pub(super) fn new(total: Duration) -> Self {
        Self { total, spent: Mutex::default() }
    }

    /// All of it.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.total.saturating_sub(*self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes `span` off it.
    pub(super) fn spend(&self, span: Duration) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += span;
    }
}
