//! What a run did, as data: the JSON contract `basewatch.run/v1`; fields are added, never changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    notify::{Delivery, EventKind, Message, MessageKind, Preview},
    report::{ErrorEntry, Note, Report, Summary},
};

/// The value of `schema` in every outcome.
pub const RUN_SCHEMA: &str = "basewatch.run/v1";

/// What a run did, or would have done.
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
    /// Where the run was recorded.
    pub store: String,
    /// Whether everything that was to be audited could be.
    pub complete: bool,
    /// The counts of its report.
    pub summary: Summary,
    /// What could not be seen.
    pub errors: Vec<ErrorEntry>,
    /// The notes of its report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Messages that were sent, or could not be; in a dry run those that would be.
    pub messages: Vec<MessageOutcome>,
    /// Findings that are told after the quiet hours.
    pub findings_waiting: u64,
    /// Messages that wait: for the end of the quiet hours, or for a receiver that is down.
    pub waiting: u64,
    /// Messages that were given up after having been tried for long; what they told will be told anew.
    pub given_up: u64,
    /// Rebuilds that were asked for, or could not be; in a dry run those that would be.
    pub rebuilds: Vec<RebuildOutcome>,
    /// Rebuilds that wait for the next run, as this one has asked for enough.
    pub rebuilds_waiting: u64,
    /// What went wrong with recording and telling, for people.
    pub problems: Vec<String>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageOutcome {
    /// To whom, by the receiver's name.
    pub receiver: String,
    /// What it is about.
    pub kind: MessageKind,
    /// Whose findings it tells; absent for those of nobody or of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How many findings it tells, by what happened.
    pub events: BTreeMap<EventKind, u64>,
    /// The same in every repeat of it.
    pub dedup_key: String,
    /// Whether the receiver acknowledged it.
    pub sent: bool,
    /// The id that the receiver gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Why it was not delivered; it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How it would look, in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// What became of asking for one rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RebuildOutcome {
    /// The repository, with its registry.
    pub repository: String,
    /// The base to build on.
    pub base: String,
    /// The release of that base, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_release: Option<String>,
    /// Who is asked, by the name of the rule.
    pub rule: String,
    /// How many deployments need it.
    pub deployments: u64,
    /// Whether it was acknowledged.
    pub sent: bool,
    /// The id of the build that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Why it was not; it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RunReport {
    /// What a run came to whose `report` is recorded in `store`, before anything was done about it.
    pub(super) fn of(report: &Report, store: String) -> Self {
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
    fn of(receiver: &str, message: &Message) -> Self {
        Self {
            receiver: receiver.to_owned(),
            kind: message.kind,
            owner: message.owner.clone(),
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
    pub fn previewed(receiver: &str, message: &Message, preview: Preview) -> Self {
        Self { preview: Some(preview), ..Self::of(receiver, message) }
    }
}

impl From<Delivery> for MessageOutcome {
    fn from(delivery: Delivery) -> Self {
        let of = Self::of(&delivery.receiver, &delivery.message);
        match delivery.outcome {
            Ok(receipt) => Self { sent: true, message_id: receipt.message_id, ..of },
            Err(why) => Self { error: Some(why), ..of },
        }
    }
}
