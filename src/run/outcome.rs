//! The result of a run: the JSON contract `basewatch.run/v1`. Within `v1`, fields are added, never changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    notify::{EventKind, Message, MessageKind, MessagePreview},
    outbox::DeliveryAttempt,
    rebuild::Rebuild,
    report::{ErrorEntry, ExitReason, Note, Report, Summary},
};

/// The value of `schema` in every result.
const RUN_SCHEMA: &str = "basewatch.run/v1";

/// What a run did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch run", extend("$id" = RUN_SCHEMA))]
pub struct RunReport {
    /// Always `basewatch.run/v1`.
    pub schema: String,
    /// The id of the run, as in its report.
    pub run_id: String,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
    /// Whether nothing was written or sent: `--dry-run`.
    pub dry_run: bool,
    /// Location of the store.
    pub store: String,
    /// Whether the audit is complete.
    pub complete: bool,
    /// The summary of its report.
    pub summary: Summary,
    /// The errors of its report.
    pub errors: Vec<ErrorEntry>,
    /// The notes of its report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Attempted messages; in a dry run, those that would be sent.
    pub messages: Vec<MessageOutcome>,
    /// Number of changes held until the end of the quiet hours or the next scheduled summary.
    pub findings_waiting: u64,
    /// Number of messages that wait: for the end of the quiet hours, or for a channel that is down.
    pub waiting: u64,
    /// Number of expired messages that were dropped. Their findings trigger again.
    pub given_up: u64,
    /// Attempted rebuild requests; in a dry run, those that would be made.
    pub rebuilds: Vec<RebuildOutcome>,
    /// Number of rebuilds that wait for the next run: they exceed the cap of this one, or their build service failed.
    pub rebuilds_waiting: u64,
    /// Failures to record or notify, for people.
    pub problems: Vec<String>,
}

/// Outcome of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageOutcome {
    /// The id of the channel.
    pub channel: String,
    /// What it is about.
    pub kind: MessageKind,
    /// The owner of its findings; absent if they have none or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The message in a few words.
    #[serde(default)]
    pub subject: String,
    /// Number of alerts by event.
    pub events: BTreeMap<EventKind, u64>,
    /// Identical in every delivery of the message.
    pub dedup_key: String,
    /// Whether the channel acknowledged it.
    pub sent: bool,
    /// The id that the channel gave the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Why it was not delivered; it is retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The message as it would be sent, in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<MessagePreview>,
}

/// Outcome of one rebuild request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RebuildOutcome {
    /// The repository, with its registry.
    pub repository: String,
    /// The base to build on.
    pub base: String,
    /// The name of that release, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_release: Option<String>,
    /// The name of the rule.
    pub rule: String,
    /// Number of deployments that need it.
    pub deployments: u64,
    /// Whether it was acknowledged.
    pub sent: bool,
    /// The id of the build that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Why it was not accepted; it is retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A completed run: its report and its result.
#[derive(Clone, Debug)]
pub struct CompletedRun {
    /// The audit report.
    pub report: Report,
    /// What the run did.
    pub outcome: RunReport,
}

impl CompletedRun {
    /// The final result. A run with problems does not exit as clean.
    pub(super) fn settled(mut self) -> Self {
        let reason = &mut self.outcome.summary.exit_reason;
        if *reason == Some(ExitReason::Clean) && !self.outcome.problems.is_empty() {
            *reason = Some(ExitReason::Problems);
        }
        self
    }
}

impl RunReport {
    /// The result of a run with `report`, before anything was sent.
    pub(super) fn from_report(report: &Report, store: String) -> Self {
        Self {
            schema: RUN_SCHEMA.to_owned(),
            run_id: report.run_id.clone(),
            at: report.generated_at,
            dry_run: false,
            store,
            complete: report.complete,
            summary: report.summary.clone(),
            errors: report.errors.clone(),
            notes: report.notes.clone(),
            messages: Vec::new(),
            findings_waiting: 0,
            waiting: 0,
            given_up: 0,
            rebuilds: Vec::new(),
            rebuilds_waiting: 0,
            problems: Vec::new(),
        }
    }
}

impl MessageOutcome {
    fn from_message(channel: &str, message: &Message) -> Self {
        Self {
            channel: channel.to_owned(),
            kind: message.kind,
            owner: message.owner.clone(),
            subject: message.subject(),
            events: message.events.clone(),
            dedup_key: message.dedup_key.clone(),
            sent: false,
            message_id: None,
            error: None,
            preview: None,
        }
    }

    /// A message that would be sent.
    #[must_use]
    pub fn previewed(channel: &str, message: &Message, preview: MessagePreview) -> Self {
        Self { preview: Some(preview), ..Self::from_message(channel, message) }
    }
}

impl From<DeliveryAttempt<Message>> for MessageOutcome {
    fn from(delivery: DeliveryAttempt<Message>) -> Self {
        let outcome = Self::from_message(&delivery.target, &delivery.payload);
        match delivery.outcome {
            Ok(receipt) => Self { sent: true, message_id: receipt.message_id, ..outcome },
            Err(error) => Self { error: Some(error.why), ..outcome },
        }
    }
}

impl From<DeliveryAttempt<Rebuild>> for RebuildOutcome {
    fn from(delivery: DeliveryAttempt<Rebuild>) -> Self {
        let outcome = Self::from_rebuild(&delivery.payload);
        match delivery.outcome {
            Ok(receipt) => Self { sent: true, message_id: receipt.message_id, ..outcome },
            Err(error) => Self { error: Some(error.why), ..outcome },
        }
    }
}

impl RebuildOutcome {
    /// The outcome of a request that was not sent yet.
    #[must_use]
    pub fn from_rebuild(rebuild: &Rebuild) -> Self {
        let request = &rebuild.request;
        Self {
            repository: format!("{}/{}", request.registry, request.repository),
            base: request.base.clone(),
            base_release: request.base_release.clone(),
            rule: rebuild.rule.clone(),
            deployments: request.deployment_count,
            sent: false,
            message_id: None,
            error: None,
        }
    }
}
