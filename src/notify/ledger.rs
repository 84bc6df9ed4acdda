//! The ledger: who was told what and when, and what is still to be told. Pure data.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AlertKey, AlertSubject, EventKind, Message, shed::shed};
use crate::{
    image::{Digest, ReferenceText},
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    rebuild::Rebuild,
    store::Document,
};

/// The memory of alerts and rebuilds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// How often it was written: answers that came since are in the journal of this number.
    #[serde(default)]
    pub journal: u64,
    /// The last run that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// The alerts, by finding and subject.
    #[serde(default)]
    pub alerts: BTreeMap<AlertKey, Alert>,
    /// Messages that no receiver has acknowledged yet, oldest first.
    #[serde(default)]
    pub outbox: Vec<Due>,
    /// What is known of receivers, by their ids.
    #[serde(default)]
    pub receivers: BTreeMap<String, ReceiverState>,
    /// Rebuilds that were asked for, by their keys.
    #[serde(default)]
    pub rebuilds: BTreeMap<String, Rebuild>,
}

impl Document for Ledger {
    const SCHEMA: &'static str = "basewatch.ledger/v1";
    const NAME: &'static str = "ledger.json";

    fn shed(&mut self) -> bool {
        shed(self.alerts.values_mut().flat_map(|alert| alert.told.values_mut()), &mut self.outbox)
    }
}

/// A run that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its id.
    pub id: String,
    /// The instant it took for now.
    pub at: DateTime<Utc>,
}

/// An alert about a finding: its base, or the workload itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What people call it by: 12 hexadecimal digits, from its key.
    pub id: String,
    /// What it is about, as in its key; absent where it was recorded before alerts were about one subject each. Such
    /// an alert is about the base, and may have covered the workload as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<AlertSubject>,
    /// The finding when last seen, and known.
    pub subject: Subject,
    /// Since when every run has found it bad enough to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerting_since: Option<DateTime<Utc>>,
    /// When a run last saw it, whatever it concluded.
    pub seen_at: DateTime<Utc>,
    /// Whether it is of no inventory, but of an image that was pushed: runs do not see it, and conclude nothing of that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unlisted: bool,
    /// Nobody is told before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<DateTime<Utc>>,
    /// What each receiver was told, by the receiver's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Told>,
}

/// What is remembered of a finding, for when it is there no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// What people call the deployment.
    pub name: String,
    /// What sort of place it is.
    pub kind: DeploymentKind,
    /// The AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The AWS region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The image it ran.
    pub image: ReferenceText,
    /// The image's repository, without its registry.
    pub repository: String,
    /// The digest of the image, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What was concluded.
    pub verdict: Verdict,
    /// How bad it was, as far as the alert is about it.
    pub severity: Severity,
    /// What was to be done about that.
    pub action: Action,
}

/// What one receiver was told of one finding: the entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// How many times it was triggered.
    pub episode: u32,
    /// How many events there were in all: no two are counted alike.
    pub count: u32,
    /// The worst that was told in this episode.
    pub severity: Severity,
    /// What was told in this episode, oldest first; the first, and the last few.
    pub events: Vec<Event>,
}

/// One thing that was told, or is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// How bad it was told to be; of what ended, how bad it had been told to be.
    pub severity: Severity,
    /// When it was recorded as due.
    pub due_at: DateTime<Utc>,
    /// When the receiver acknowledged it; until then it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// The id that the receiver gave the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The `dedup_key` of the message that tells it.
    pub dedup_key: String,
}

/// A message that is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// To whom, by the receiver's id.
    pub receiver: String,
    /// The message. It is delivered as it was recorded, however often that is tried.
    pub message: Message,
    /// When it was recorded.
    pub due_at: DateTime<Utc>,
    /// The keys of all alerts that it covers: the ids of the findings, as far as they are about bases.
    pub findings: Vec<AlertKey>,
    /// How often it was tried in vain.
    #[serde(default)]
    pub attempts: u32,
    /// It is not tried again before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// What is known of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverState {
    /// When a run first knew it: from then on it is told of what changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_since: Option<DateTime<Utc>>,
    /// When it last acknowledged something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<DateTime<Utc>>,
    /// Since when nothing could be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
}

/// Where an entry of the ledger is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Recorded, and not yet acknowledged.
    Due,
    /// Acknowledged.
    Sent,
    /// Acknowledged, and told again since.
    Reminded,
    /// Acknowledged, and told again because it became worse.
    Escalated,
    /// Ended, and that was acknowledged.
    Resolved,
}

/// So many of the last events of an episode are remembered, besides the first.
const LAST_EVENTS: usize = 5;

impl State {
    /// The word in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Sent => "sent",
            Self::Reminded => "reminded",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

impl Told {
    /// Adds an event, and forgets the oldest but the first if there are many.
    pub fn push(&mut self, event: Event) {
        self.events.push(event);
        self.count += 1;
        if self.events.len() > LAST_EVENTS + 1 {
            self.events.remove(1);
        }
    }

    /// Forgets what the message `dedup_key` was to tell: nobody got it. How bad it was told to be goes back with it.
    pub(super) fn untell(&mut self, dedup_key: &str) {
        self.events.retain(|event| event.dedup_key != dedup_key);
        let told = self.events.iter().filter(|event| event.kind != EventKind::Resolved);
        self.severity = told.map(|event| event.severity).max().unwrap_or(self.severity);
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        match self.events.last() {
            None => State::Due,
            Some(event) if event.sent_at.is_none() => State::Due,
            Some(event) => match event.kind {
                EventKind::Triggered => State::Sent,
                EventKind::Reminded => State::Reminded,
                EventKind::Escalated => State::Escalated,
                EventKind::Resolved => State::Resolved,
            },
        }
    }

    /// When it was last told, or recorded to be.
    #[must_use]
    pub fn last_at(&self) -> Option<DateTime<Utc>> {
        self.events.last().map(|event| event.due_at)
    }

    /// When this episode began.
    #[must_use]
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.events.first().map(|event| event.due_at)
    }

    /// Whether the receiver takes it for going on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.events.last().is_some_and(|event| event.kind != EventKind::Resolved)
    }
}
