//! The journal: outcomes since the ledger was last written. It is small, where the ledger of a large fleet has megabytes.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::{DeliveryError, DeliveryReceipt, Ledger, OutboxEntry};
use crate::{
    image::{MESSAGE_BYTES, clip},
    store::StoredDocument,
    webhook::WebhookError,
};

/// Maximum backoff of a message: less than the time between two daily runs.
const MAX_BACKOFF: Duration = Duration::hours(6);
/// Backoff after the second failure; doubles with each further one.
const MIN_BACKOFF: Duration = Duration::minutes(5);

/// Outcomes that are not in the ledger yet: `journal.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeliveryJournal {
    /// The generation of the ledger that they continue. A later ledger contains them already.
    pub(super) generation: u64,
    /// The outcomes, oldest first.
    pub(super) entries: Vec<DeliveryRecord>,
}

impl StoredDocument for DeliveryJournal {
    const SCHEMA: &'static str = "basewatch.journal/v1";
    const NAME: &'static str = "journal.json";
}

/// Outcome of sending one message or requesting one rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum DeliveryRecord {
    /// A channel acknowledged a message.
    Sent {
        /// The id of the channel.
        channel: String,
        /// The key of the message.
        dedup_key: String,
        /// When.
        at: DateTime<Utc>,
        /// The id that the channel gave the message.
        message_id: Option<String>,
    },
    /// A message was not delivered.
    NotSent {
        /// The id of the channel.
        channel: String,
        /// The key of the message.
        dedup_key: String,
        /// When.
        at: DateTime<Utc>,
        /// Why.
        why: String,
        /// Minimum wait before the next attempt, in seconds.
        retry_after: Option<u64>,
    },
    /// A rebuild request was accepted.
    RebuildRequested {
        /// Its key.
        key: String,
        /// When.
        at: DateTime<Utc>,
        /// The id of the build that was started.
        message_id: Option<String>,
    },
    /// A rebuild request was not accepted.
    RebuildNotRequested {
        /// Its key.
        key: String,
        /// When.
        at: DateTime<Utc>,
        /// Why.
        why: String,
        /// Minimum wait before the next attempt, in seconds.
        retry_after: Option<u64>,
        /// Whether the failure concerns this request alone.
        is_about_call: bool,
        /// Whether the request may have been accepted nonetheless.
        may_have_arrived: bool,
    },
}

impl DeliveryRecord {
    /// The outcome of delivering a message to `channel`.
    pub(super) fn from_delivery(
        channel: &str,
        dedup_key: &str,
        outcome: &Result<DeliveryReceipt, DeliveryError>,
        at: DateTime<Utc>,
    ) -> Self {
        let (channel, dedup_key) = (channel.to_owned(), dedup_key.to_owned());
        match outcome {
            Ok(receipt) => Self::Sent { channel, dedup_key, at, message_id: receipt.message_id.clone() },
            Err(error) => {
                let retry_after = error.retry_after.map(|wait| wait.as_secs());
                let why = clip(error.why.as_str(), MESSAGE_BYTES);
                Self::NotSent { channel, dedup_key, at, why, retry_after }
            }
        }
    }

    /// The outcome of requesting the rebuild `key`.
    #[must_use]
    pub fn from_rebuild_call(key: &str, outcome: &Result<Option<String>, WebhookError>, at: DateTime<Utc>) -> Self {
        let key = key.to_owned();
        match outcome {
            Ok(message_id) => Self::RebuildRequested { key, at, message_id: message_id.clone() },
            Err(error) => Self::RebuildNotRequested {
                key,
                at,
                why: clip(error.why.as_str(), MESSAGE_BYTES),
                retry_after: error.retry_after.map(|wait| wait.as_secs()),
                is_about_call: error.is_about_call,
                may_have_arrived: error.may_have_arrived,
            },
        }
    }
}

impl OutboxEntry {
    /// Records a failed attempt and when the next one may be made.
    pub(super) fn failed(&mut self, now: DateTime<Utc>, why: &str, retry_after: Option<u64>) {
        self.attempts += 1;
        self.last_error = Some(why.to_owned());
        let requested = retry_after.and_then(|seconds| Duration::try_seconds(i64::try_from(seconds).ok()?));
        // After the first failure, the next run retries at once.
        let backoff = (self.attempts > 1).then(|| MIN_BACKOFF * 2_i32.pow((self.attempts - 2).min(10)));
        self.not_before = requested.max(backoff).map(|wait| now + wait.min(MAX_BACKOFF));
    }
}

impl Ledger {
    /// Applies the outcome `entry`.
    pub(super) fn apply(&mut self, entry: &DeliveryRecord) {
        match entry {
            DeliveryRecord::Sent { channel, dedup_key, at, message_id } => {
                self.acknowledged(channel, dedup_key, *at, message_id.as_ref());
            }
            DeliveryRecord::NotSent { channel, dedup_key, at, why, retry_after } => {
                self.failed(channel, dedup_key, *at, why, *retry_after);
            }
            DeliveryRecord::RebuildRequested { key, at, message_id } => {
                if let Some(rebuild) = self.rebuilds.get_mut(key) {
                    rebuild.acknowledged(*at, message_id.clone());
                }
            }
            DeliveryRecord::RebuildNotRequested { key, at, why, retry_after, is_about_call, may_have_arrived } => {
                if let Some(rebuild) = self.rebuilds.get_mut(key) {
                    let retry_after = retry_after.map(std::time::Duration::from_secs);
                    let (is_about_call, may_have_arrived) = (*is_about_call, *may_have_arrived);
                    let error = WebhookError { why: why.clone(), retry_after, is_about_call, may_have_arrived };
                    rebuild.failed(*at, &error);
                }
            }
        }
    }

    pub(super) fn acknowledged(&mut self, channel: &str, key: &str, now: DateTime<Utc>, message_id: Option<&String>) {
        let Some(index) = self.find(channel, key) else { return };
        let message_id = message_id.map(|id| Arc::from(id.as_str()));
        let entry = self.outbox.remove(index);
        for alert in &entry.alerts {
            let history = self.alerts.get_mut(alert).and_then(|alert| alert.deliveries.get_mut(channel));
            for event in
                history.into_iter().flat_map(|history| &mut history.events).filter(|event| *event.dedup_key == *key)
            {
                event.sent_at = Some(now);
                event.message_id.clone_from(&message_id);
            }
        }
        let state = self.channels.entry(channel.to_owned()).or_default();
        state.last_sent_at = Some(now);
        state.failing_since = None;
    }

    fn failed(&mut self, channel: &str, key: &str, now: DateTime<Utc>, why: &str, retry_after: Option<u64>) {
        let Some(index) = self.find(channel, key) else { return };
        self.outbox[index].failed(now, why, retry_after);
        self.channels.entry(channel.to_owned()).or_default().failing_since.get_or_insert(now);
    }

    fn find(&self, channel: &str, key: &str) -> Option<usize> {
        self.outbox.iter().position(|entry| entry.channel == channel && entry.message.dedup_key == key)
    }
}
