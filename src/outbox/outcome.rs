//! Outcomes of an attempt to deliver.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
