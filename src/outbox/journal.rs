//! The journal: outcomes since the ledger was last written. It is small, where the ledger of a large fleet has megabytes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::DeliveryOutcome;
use crate::store::StoredDocument;

/// Outcomes that are not in the ledger yet: `journal.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryJournal {
    /// The generation of the ledger that they continue. A later ledger contains them already.
    pub generation: u64,
    /// The outcomes, oldest first.
    pub entries: Vec<DeliveryRecord>,
}

impl StoredDocument for DeliveryJournal {
    const SCHEMA: &'static str = "basewatch.journal/v1";
    const NAME: &'static str = "journal.json";
}

/// Outcome of sending one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// The channel, or the rule of a rebuild.
    pub target: String,
    /// The `dedup_key` of the entry.
    pub key: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// The acknowledgement, or why there is none.
    pub outcome: DeliveryOutcome,
}
