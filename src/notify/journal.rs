//! What was answered since the ledger was last written: a few lines, where the ledger of a large fleet is megabytes.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::{Due, Ledger, Receipt, Undelivered};
use crate::{
    image::{MESSAGE_BYTES, clip},
    store::Document,
    webhook::Refused,
};

/// The longest wait between two tries of one message: less than the time between two daily runs.
const LONGEST_WAIT: Duration = Duration::hours(6);
/// The wait after the second failure; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::minutes(5);

/// Answers that are not in the ledger yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    /// Which state of the ledger they continue: one that has gone on since knows them already.
    pub(super) of: u64,
    /// The answers, oldest first.
    pub(super) answers: Vec<Answer>,
}

impl Document for Journal {
    const SCHEMA: &'static str = "basewatch.journal/v1";
    const NAME: &'static str = "journal.json";
}

/// What came of sending one message or one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    /// A receiver acknowledged a message.
    Sent {
        /// The receiver.
        receiver: String,
        /// The message.
        dedup_key: String,
        /// When.
        at: DateTime<Utc>,
        /// The id that it gave the message.
        message_id: Option<String>,
    },
    /// A receiver did not.
    NotSent {
        /// The receiver.
        receiver: String,
        /// The message.
        dedup_key: String,
        /// When.
        at: DateTime<Utc>,
        /// Why.
        why: String,
        /// For how many seconds it wants to be left alone.
        retry_after: Option<u64>,
    },
    /// A rebuild was accepted.
    Asked {
        /// Its key.
        key: String,
        /// When.
        at: DateTime<Utc>,
        /// The build that was started.
        message_id: Option<String>,
    },
    /// A rebuild was not.
    NotAsked {
        /// Its key.
        key: String,
        /// When.
        at: DateTime<Utc>,
        /// Why.
        why: String,
        /// For how many seconds whoever is asked wants to be left alone.
        retry_after: Option<u64>,
        /// Whether it was about this rebuild alone.
        is_about_call: bool,
        /// Whether it may be under way all the same.
        may_have_arrived: bool,
    },
}

impl Answer {
    /// What `receiver` said to a message.
    pub(super) fn of(
        receiver: &str,
        dedup_key: &str,
        outcome: &Result<Receipt, Undelivered>,
        at: DateTime<Utc>,
    ) -> Self {
        let (receiver, dedup_key) = (receiver.to_owned(), dedup_key.to_owned());
        match outcome {
            Ok(receipt) => Self::Sent { receiver, dedup_key, at, message_id: receipt.message_id.clone() },
            Err(undelivered) => {
                let retry_after = undelivered.retry_after.map(|wait| wait.as_secs());
                let why = clip(undelivered.why.as_str(), MESSAGE_BYTES);
                Self::NotSent { receiver, dedup_key, at, why, retry_after }
            }
        }
    }

    /// What was said to the rebuild `key`.
    #[must_use]
    pub fn of_rebuild(key: &str, outcome: &Result<Option<String>, Refused>, at: DateTime<Utc>) -> Self {
        let key = key.to_owned();
        match outcome {
            Ok(message_id) => Self::Asked { key, at, message_id: message_id.clone() },
            Err(refused) => Self::NotAsked {
                key,
                at,
                why: clip(refused.why.as_str(), MESSAGE_BYTES),
                retry_after: refused.retry_after.map(|wait| wait.as_secs()),
                is_about_call: refused.is_about_call,
                may_have_arrived: refused.may_have_arrived,
            },
        }
    }
}

impl Due {
    /// Takes note of a try in vain, and of when the next one is worth it.
    pub(super) fn failed(&mut self, now: DateTime<Utc>, why: &str, retry_after: Option<u64>) {
        self.attempts += 1;
        self.last_error = Some(why.to_owned());
        let asked = retry_after.and_then(|seconds| Duration::try_seconds(i64::try_from(seconds).ok()?));
        // The first failure is tried again by the next run, whenever that is.
        let own = (self.attempts > 1).then(|| FIRST_WAIT * 2_i32.pow((self.attempts - 2).min(10)));
        self.not_before = asked.max(own).map(|wait| now + wait.min(LONGEST_WAIT));
    }
}

impl Ledger {
    /// Takes `answer` in.
    pub(super) fn take(&mut self, answer: &Answer) {
        match answer {
            Answer::Sent { receiver, dedup_key, at, message_id } => {
                self.acknowledged(receiver, dedup_key, *at, message_id.as_ref());
            }
            Answer::NotSent { receiver, dedup_key, at, why, retry_after } => {
                self.failed(receiver, dedup_key, *at, why, *retry_after);
            }
            Answer::Asked { key, at, message_id } => {
                if let Some(rebuild) = self.rebuilds.get_mut(key) {
                    rebuild.acknowledged(*at, message_id.clone());
                }
            }
            Answer::NotAsked { key, at, why, retry_after, is_about_call, may_have_arrived } => {
                if let Some(rebuild) = self.rebuilds.get_mut(key) {
                    let retry_after = retry_after.map(std::time::Duration::from_secs);
                    let (is_about_call, may_have_arrived) = (*is_about_call, *may_have_arrived);
                    let refused = Refused { why: why.clone(), retry_after, is_about_call, may_have_arrived };
                    rebuild.failed(*at, &refused);
                }
            }
        }
    }

    pub(super) fn acknowledged(&mut self, receiver: &str, key: &str, now: DateTime<Utc>, message_id: Option<&String>) {
        let Some(place) = self.find(receiver, key) else { return };
        let due = self.outbox.remove(place);
        for finding in &due.findings {
            let told = self.alerts.get_mut(finding).and_then(|alert| alert.told.get_mut(receiver));
            for event in told.into_iter().flat_map(|told| &mut told.events).filter(|event| event.dedup_key == key) {
                event.sent_at = Some(now);
                event.message_id = message_id.cloned();
            }
        }
        let state = self.receivers.entry(receiver.to_owned()).or_default();
        state.last_sent_at = Some(now);
        state.failing_since = None;
    }

    fn failed(&mut self, receiver: &str, key: &str, now: DateTime<Utc>, why: &str, retry_after: Option<u64>) {
        let Some(place) = self.find(receiver, key) else { return };
        self.outbox[place].failed(now, why, retry_after);
        self.receivers.entry(receiver.to_owned()).or_default().failing_since.get_or_insert(now);
    }

    fn find(&self, receiver: &str, key: &str) -> Option<usize> {
        self.outbox.iter().position(|due| due.receiver == receiver && due.message.dedup_key == key)
    }
}
