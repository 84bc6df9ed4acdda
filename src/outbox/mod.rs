//! Delivery: sends what is due to its targets, at least once. One engine for alerts, self-monitoring and rebuild requests.
//!
//! An entry is stored before it is sent, and its outcome before anything else is sent to its target. Knows neither what is
//! sent nor how.

mod deliver;
mod journal;
mod state;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use deliver::{DeliveryAttempt, DeliverySummary, DueEntry, deliver, ready};
pub use journal::{DeliveryJournal, DeliveryRecord};
pub use state::DeliveryState;

use crate::store::{self, StoreLock};

/// Acknowledgement of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReceipt {
    /// The id that the target gave it: of a message or of a build.
    pub message_id: Option<String>,
}

/// Why an entry was not delivered. It stays in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryError {
    /// The attempt and the response, for people. Contains no secret.
    pub why: String,
    /// Minimum wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Whether it concerns this entry alone, so that the next one may succeed.
    pub is_about_entry: bool,
    /// Whether it may have arrived nonetheless: the connection was cut, or no response came in time.
    pub may_have_arrived: bool,
}

impl DeliveryError {
    /// The target cannot be reached.
    #[must_use]
    pub fn for_target(why: String) -> Self {
        Self { why, retry_after: None, is_about_entry: false, may_have_arrived: false }
    }

    /// This entry cannot be delivered.
    #[must_use]
    pub fn for_entry(why: String) -> Self {
        Self { is_about_entry: true, ..Self::for_target(why) }
    }
}

/// The acknowledgement of an entry, or why there is none.
pub type DeliveryOutcome = Result<DeliveryReceipt, DeliveryError>;

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
