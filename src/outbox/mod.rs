//! Delivery: sends what is due to its targets, at least once. One engine for alerts, self-monitoring and rebuild requests.
//!
//! An entry is stored before it is sent, and its outcome before anything else is sent to its target. Knows neither what is
//! sent nor how.

mod deliver;
mod journal;
mod outcome;
mod state;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use futures::future::BoxFuture;

pub use deliver::{DeliveryAttempt, DeliverySummary, DueEntry, deliver, ready};
pub use journal::{DeliveryJournal, DeliveryRecord};
pub use outcome::{DeliveryError, DeliveryOutcome, DeliveryReceipt};
pub use state::DeliveryState;

use crate::store::{self, StoreLock};

/// Where entries are sent: a topic, a webhook or a build service. `P` is what is sent.
pub trait DeliveryTarget<P>: fmt::Debug + Send + Sync {
    /// Maximum number of entries per delivery.
    fn batch(&self) -> usize {
        1
    }

    /// Delivers `payloads` in order and returns the outcome of each. May stop at the first failure that is not about one
    /// entry, and return it for the remaining ones.
    fn deliver<'a>(&'a self, payloads: &'a [&'a P]) -> BoxFuture<'a, Vec<DeliveryOutcome>>;
}

/// A stored document with due entries, while this process holds the store lock.
pub trait OutboxSession: Sync {
    /// The lock.
    fn lock(&self) -> &dyn StoreLock;

    /// Records `outcomes` in the document, and returns once they are stored.
    fn record(&self, outcomes: Vec<DeliveryRecord>) -> impl Future<Output = store::Result<()>> + Send;

    /// Fails if the lock may have passed to another process. Nothing more may be sent then.
    ///
    /// # Errors
    ///
    /// [`store::Error::Busy`] then.
    fn check(&self) -> store::Result<()> {
        if self.lock().is_held() {
            return Ok(());
        }
        let holder = " (this run stalled and another took over)".to_owned();
        Err(store::Error::Busy { waited: Duration::ZERO, holder })
    }
}
