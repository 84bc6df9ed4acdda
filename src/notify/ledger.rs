//! The ledger: alerts and rebuilds, what each channel was notified of, and the outbox.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AlertKey, ByChannel, EventKind, Message};
use crate::{
    image::{Digest, ReferenceText},
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    outbox::DeliveryState,
    rebuild::Rebuild,
    store::{SharedTexts, StoredDocument},
};

/// The record of alerts and rebuilds: `ledger.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Number of times it was written. Outcomes since then are in the journal of the same generation.
    #[serde(default)]
    pub generation: u64,
    /// The last run that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RecordedRun>,
    /// The alerts, by finding and subject.
    #[serde(default)]
    pub alerts: BTreeMap<AlertKey, Alert>,
    /// Messages not yet acknowledged, oldest first.
    #[serde(default)]
    pub outbox: Vec<OutboxEntry>,
    /// When the first notifications of each channel were planned, by id. From then on it is notified of changes.
    #[serde(default)]
    pub channels: BTreeMap<String, DateTime<Utc>>,
    /// When the last scheduled summary of each channel was due, by id; for a new channel, when it was first seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub summaries: BTreeMap<String, DateTime<Utc>>,
    /// Rebuilds that are due or were requested, by key.
    #[serde(default)]
    pub rebuilds: BTreeMap<String, Rebuild>,
}

impl StoredDocument for Ledger {
    const SCHEMA: &'static str = "basewatch.ledger/v1";
    const NAME: &'static str = "ledger.json";

    fn entries(&self) -> impl Iterator<Item = Vec<u8>> + Send {
        let alerts =
            self.alerts.iter().map(|(key, alert)| LedgerEntry::Alert(Cow::Borrowed(key), Cow::Borrowed(alert)));
        let rebuilds = self.rebuilds.iter();
        let rebuilds = rebuilds.map(|(key, rebuild)| LedgerEntry::Rebuild(key.into(), Cow::Borrowed(rebuild)));
        let due = self.outbox.iter().map(|due| LedgerEntry::Message(Cow::Borrowed(due)));
        let entries = alerts.chain(rebuilds).chain(due);
        entries.map(|entry| serde_json::to_vec(&entry).expect("an entry has only strings as keys"))
    }

    fn without_entries(&self) -> impl Serialize {
        Self {
            generation: self.generation,
            last_run: self.last_run.clone(),
            channels: self.channels.clone(),
            summaries: self.summaries.clone(),
            ..Self::default()
        }
    }

    fn add_entry(&mut self, json: &[u8], texts: &mut SharedTexts) -> serde_json::Result<()> {
        match serde_json::from_slice(json)? {
            LedgerEntry::Alert(key, mut alert) => {
                alert.to_mut().share(texts);
                // A copy has no spare capacity.
                self.alerts.insert(key.into_owned(), (*alert).clone());
            }
            LedgerEntry::Rebuild(key, rebuild) => drop(self.rebuilds.insert(key.into_owned(), rebuild.into_owned())),
            LedgerEntry::Message(due) => self.outbox.push(due.into_owned()),
        }
        Ok(())
    }
}

/// An entry of the ledger, as it is stored in parts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LedgerEntry<'a> {
    Alert(Cow<'a, AlertKey>, Cow<'a, Alert>),
    Rebuild(Cow<'a, str>, Cow<'a, Rebuild>),
    Message(Cow<'a, OutboxEntry>),
}

/// A run that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRun {
    /// Its id.
    pub id: String,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
}

/// An alert about a finding: about its base, or about the workload itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id for people: 12 hexadecimal digits, derived from its key.
    pub id: String,
    /// The finding when a run last concluded something about it.
    pub subject: FindingSnapshot,
    /// Since when its severity has been at or above the threshold in every run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerting_since: Option<DateTime<Utc>>,
    /// When a run last reported the finding.
    pub seen_at: DateTime<Utc>,
    /// Whether it is about a pushed image that no inventory lists: its absence from a run resolves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unlisted: bool,
    /// Its last snooze, which may have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Arc<Snooze>>,
    /// Notifications by channel id.
    #[serde(default, skip_serializing_if = "ByChannel::is_empty")]
    pub deliveries: ByChannel<DeliveryHistory>,
}

/// A snooze of an alert: until it ends, no notification is sent unless the severity rises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snooze {
    /// When it ends.
    pub until: DateTime<Utc>,
    /// When it was set.
    pub at: DateTime<Utc>,
    /// Who set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A finding as stored in the ledger, for when it no longer exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingSnapshot {
    /// Display name of the deployment.
    pub name: String,
    /// Kind of the deployment.
    pub kind: DeploymentKind,
    /// The AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The AWS region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The image it ran.
    pub image: ReferenceText,
    /// The image's repository, without its registry.
    pub repository: String,
    /// The digest of the image, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The verdict.
    pub verdict: Verdict,
    /// The severity of the subject of the alert.
    pub severity: Severity,
    /// The action for the subject of the alert.
    pub action: Action,
}

/// Notifications of one alert to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryHistory {
    /// Number of times the alert was triggered.
    pub episode: u32,
    /// Number of events in all episodes.
    pub count: u32,
    /// The worst severity notified in this episode.
    pub severity: Severity,
    /// The events of this episode, oldest first: the first one and the latest five.
    pub events: Vec<AlertEvent>,
}

/// One event that a channel was or will be notified of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertEvent {
    /// What happened.
    pub kind: EventKind,
    /// The severity that was notified; for `resolved`, the last one before.
    pub severity: Severity,
    /// When it was recorded as due.
    pub due_at: DateTime<Utc>,
    /// When the channel acknowledged it; absent while it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// The id that the channel gave the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Arc<str>>,
    /// The `dedup_key` of the message that carries it.
    pub dedup_key: Arc<str>,
    /// The id that the message has for all alerts of the same paragraph; absent if there is only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
}

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// The id of the channel.
    pub channel: String,
    /// The message. Every attempt sends it as it was recorded.
    pub message: Message,
    /// The keys of the alerts that it covers.
    pub alerts: Vec<AlertKey>,
    /// Its delivery so far.
    #[serde(flatten)]
    pub delivery: DeliveryState,
}

/// Delivery state of an alert on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// Recorded, not yet acknowledged.
    Due,
    /// Acknowledged.
    Sent,
    /// A reminder was acknowledged.
    Reminded,
    /// An escalation was acknowledged.
    Escalated,
    /// The end of the alert was acknowledged.
    Resolved,
}

/// Number of latest events of an episode that are stored besides the first.
const LATEST_EVENTS: usize = 5;

impl Snooze {
    /// Maximum length of an author, in characters.
    pub const MAX_AUTHOR_CHARS: usize = 100;
    /// Maximum length of a reason, in characters.
    pub const MAX_REASON_CHARS: usize = 500;

    /// A snooze until `until`, set at `at`. Longer texts are cut, empty ones count as absent.
    #[must_use]
    pub fn new(until: DateTime<Utc>, at: DateTime<Utc>, by: Option<&str>, reason: Option<&str>) -> Self {
        let text = |text: Option<&str>, most: usize| {
            let text: String = text?.trim().chars().take(most).collect();
            Some(text).filter(|text| !text.is_empty())
        };
        Self { until, at, by: text(by, Self::MAX_AUTHOR_CHARS), reason: text(reason, Self::MAX_REASON_CHARS) }
    }

    /// Whether it has not ended at `now`.
    #[must_use]
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.until > now
    }
}

impl Alert {
    /// The ids of the groups in which messages that are still on record named it.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let groups = self.deliveries.values().flat_map(|history| &history.events);
        let mut groups: Vec<_> = groups.filter_map(|event| event.group.as_deref()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.into_iter()
    }

    /// Whether it is open on a channel, or above the threshold before the first notification.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_waiting = self.deliveries.is_empty() && self.alerting_since.is_some();
        is_waiting || self.deliveries.values().any(DeliveryHistory::is_open)
    }

    /// Whether it is snoozed at `now`.
    #[must_use]
    pub fn is_snoozed(&self, now: DateTime<Utc>) -> bool {
        self.snooze.as_ref().is_some_and(|snooze| snooze.is_active(now))
    }

    /// Shares the texts that it has in common with other alerts.
    fn share(&mut self, texts: &mut SharedTexts) {
        for (channel, history) in &mut self.deliveries.0 {
            texts.share(channel);
            for event in &mut history.events {
                texts.share(&mut event.dedup_key);
                event.message_id.iter_mut().chain(&mut event.group).for_each(|id| texts.share(id));
            }
        }
    }
}

impl AlertEvent {
    /// An event that is due and that no message carries yet.
    pub(super) fn new(kind: EventKind, severity: Severity, due_at: DateTime<Utc>) -> Self {
        Self { kind, severity, due_at, sent_at: None, message_id: None, dedup_key: "".into(), group: None }
    }
}

impl AlertState {
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

impl DeliveryHistory {
    /// Why the last attempt to send the latest event to `channel` failed; `None` if it was sent or not yet tried.
    #[must_use]
    pub fn last_error(&self, channel: &str, outbox: &[OutboxEntry]) -> Option<String> {
        let key = &self.events.last()?.dedup_key;
        let due = outbox.iter().find(|due| due.channel == channel && *due.message.dedup_key == **key)?;
        due.delivery.last_error.clone()
    }

    /// Adds an event; drops the oldest but the first if there are too many.
    pub fn push(&mut self, event: AlertEvent) {
        // Most alerts have few events, and a large fleet has many alerts.
        self.events.reserve_exact(1);
        self.events.push(event);
        self.count += 1;
        if self.events.len() > LATEST_EVENTS + 1 {
            self.events.remove(1);
        }
    }

    /// Removes the events of the undelivered message `dedup_key` and restores the severity notified before.
    pub(super) fn withdraw(&mut self, dedup_key: &str) {
        self.events.retain(|event| *event.dedup_key != *dedup_key);
        let open = self.events.iter().filter(|event| event.kind != EventKind::Resolved);
        self.severity = open.map(|event| event.severity).max().unwrap_or(self.severity);
    }

    /// The state of the latest event.
    #[must_use]
    pub fn state(&self) -> AlertState {
        match self.events.last() {
            None => AlertState::Due,
            Some(event) if event.sent_at.is_none() => AlertState::Due,
            Some(event) => match event.kind {
                EventKind::Triggered => AlertState::Sent,
                EventKind::Reminded => AlertState::Reminded,
                EventKind::Escalated => AlertState::Escalated,
                EventKind::Resolved => AlertState::Resolved,
            },
        }
    }

    /// When the latest event was recorded.
    #[must_use]
    pub fn last_at(&self) -> Option<DateTime<Utc>> {
        self.events.last().map(|event| event.due_at)
    }

    /// When this episode began.
    #[must_use]
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.events.first().map(|event| event.due_at)
    }

    /// The id of the last group in which the alert was sent.
    #[must_use]
    pub fn group(&self) -> Option<&Arc<str>> {
        self.events.iter().rev().find_map(|event| event.group.as_ref())
    }

    /// Whether the alert is open on this channel.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.events.last().is_some_and(|event| event.kind != EventKind::Resolved)
    }
}
