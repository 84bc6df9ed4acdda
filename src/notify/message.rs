//! What people and machines are told, as data: one message, before it is text, JSON or a chat card.
//!
//! These types *are* the JSON contract `basewatch.alert/v1`; fields are added, never changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AlertSubject, text, watch::WatchFields};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    report::ReasonFields,
};

/// The value of `schema` in every message.
pub const SCHEMA: &str = "basewatch.alert/v1";

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch alert", extend("$id" = SCHEMA))]
pub struct Message {
    /// Always `basewatch.alert/v1`.
    pub schema: String,
    /// The same whenever this message is delivered again: a receiver that has seen it may drop the repeat.
    /// 64 hexadecimal digits.
    pub dedup_key: String,
    /// What it is about.
    pub kind: MessageKind,
    /// The run that found it.
    pub run_id: String,
    /// The instant the run took for now.
    pub at: DateTime<Utc>,
    /// Whether that run saw everything it was to see.
    pub complete: bool,
    /// Whose findings these are; absent for those of nobody, and where a message is about several owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why this receiver is told, for people: `this topic is told about findings of payments`.
    pub because: String,
    /// The worst severity of what is told; that of the items that are not resolved where there are some.
    pub severity: Severity,
    /// How many alerts it covers, by what happened. Tags of one image with the same state count as
    /// one.
    pub events: BTreeMap<EventKind, u64>,
    /// The same by severity; resolved ones are not counted.
    pub severities: BTreeMap<Severity, u64>,
    /// The same by what the alerts are about; resolved ones are not counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subjects: BTreeMap<AlertSubject, u64>,
    /// The same of those about bases, by verdict; resolved ones are not counted.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// The same by owner, where a message is about several; `""` is nobody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, u64>,
    /// The AWS accounts concerned, the first hundred.
    pub accounts: BTreeSet<String>,
    /// The AWS regions concerned.
    pub regions: BTreeSet<String>,
    /// The image repositories concerned, without their registries, the first hundred.
    pub repositories: BTreeSet<String>,
    /// The alerts, what is new first and worst first, up to a cap.
    pub items: Vec<Item>,
    /// How many more there are that the cap left out.
    pub left_out: u64,
    /// How basewatch itself does, where the message is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchFields>,
    /// Where the whole report of the run is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// What changed in the findings of one owner, or of nobody.
    Findings,
    /// All that is open when a receiver is told for the first time, as one summary.
    Backlog,
    /// Rebuilds that brought no new image, or that cannot be asked for.
    Rebuilds,
    /// How basewatch itself does: its runs fail, find nothing or do not see everything, or work again.
    Watch,
    /// Nothing happened: somebody tries whether messages arrive.
    Test,
}

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It reached the alerting severity.
    Triggered,
    /// It has become worse since it was last told.
    Escalated,
    /// It is still there.
    Reminded,
    /// It has ended.
    Resolved,
}

/// One alert in a message, or one rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// What happened.
    pub event: EventKind,
    /// What of the finding it is about.
    #[serde(default)]
    pub about: AlertSubject,
    /// The id of the alert, for `basewatch alerts show` and `snooze`; of several tags, that of the first.
    pub alert: String,
    /// The id of the finding in reports; of several tags, that of the first.
    pub finding: String,
    /// What people call the deployment: `orders:live`.
    pub name: String,
    /// The tags, where several tags of one image in ECR are one item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What sort of place it is.
    pub kind: DeploymentKind,
    /// The AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The AWS region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The image it runs.
    pub image: String,
    /// The image's repository, without its registry.
    pub repository: String,
    /// The base in use in few words: `lambda/java:21.2026.08.22.00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The line of the base: `public.ecr.aws/lambda/java:21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// How old the base is in words: `90 d`, `≥ 61 d` where that is a bound.
    pub age: String,
    /// How old the base is in whole days, a bound or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<i64>,
    /// How far it is behind, in words: `89 d, 71 releases`.
    pub behind: String,
    /// The current release of the line: its name, else its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The same pinned, where the line's moving tag points at a release that is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// What is concluded.
    pub verdict: Verdict,
    /// How bad it is, as far as the alert is about it.
    pub severity: Severity,
    /// How bad it was when it was last told; only of what escalated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Severity>,
    /// What to do.
    pub action: Action,
    /// The image to deploy instead, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The Lambda runtime: `java21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// From this day on the runtime gets no more patches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_date: Option<NaiveDate>,
    /// From this day on functions with the runtime can no longer be updated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_update_date: Option<NaiveDate>,
    /// Why, the leading reason first.
    pub reasons: Vec<ReasonFields>,
    /// When this receiver was first told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// How it ended, for people; only of what is resolved: `it is fresh now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// What became of a rebuild that was asked for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
}

impl EventKind {
    /// The word in messages and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Escalated => "escalated",
            Self::Reminded => "reminded",
            Self::Resolved => "resolved",
        }
    }
}

impl MessageKind {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Backlog => "backlog",
            Self::Rebuilds => "rebuilds",
            Self::Watch => "watch",
            Self::Test => "test",
        }
    }
}

impl Message {
    /// How many alerts it covers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.events.values().sum()
    }

    /// How many of those that have not ended are about workloads.
    #[must_use]
    pub fn workload_count(&self) -> u64 {
        self.subjects.get(&AlertSubject::Workload).copied().unwrap_or_default()
    }

    /// How many of them have ended.
    #[must_use]
    pub fn resolved_count(&self) -> u64 {
        self.events.get(&EventKind::Resolved).copied().unwrap_or_default()
    }
}

/// The longest `text` of a template, in bytes: Slack and Teams take more, and nobody reads more in a chat.
const TEXT_BYTES: usize = 16 * 1024;

/// Fields that are left out where there is nothing to say: templates may name them all the same.
const OPTIONAL: [&str; 3] = ["owner", "report", "watch"];
/// The same of items.
const OPTIONAL_OF_ITEM: [&str; 16] = [
    "account",
    "age_days",
    "arn",
    "base",
    "block_update_date",
    "current",
    "deprecation_date",
    "ended",
    "line",
    "owner",
    "rebuild",
    "region",
    "replacement",
    "runtime",
    "since",
    "was",
];

impl Message {
    /// All fields, for templates; those that are left out elsewhere are null. And what people get by mail: `subject`
    /// and `text`, the latter as long as chat takes it.
    #[must_use]
    pub fn fields(&self) -> Value {
        let mut fields = serde_json::to_value(self).unwrap_or_default();
        fill(&mut fields, &OPTIONAL);
        if let Some(fields) = fields.as_object_mut() {
            for counts in ["owners", "subjects"] {
                fields.entry(counts).or_insert_with(|| Value::Object(serde_json::Map::new()));
            }
            fields.insert("subject".to_owned(), Value::String(text::subject(self)));
            fields.insert("text".to_owned(), Value::String(text::render(self, TEXT_BYTES)));
        }
        for item in fields["items"].as_array_mut().into_iter().flatten() {
            fill(item, &OPTIONAL_OF_ITEM);
            if let Some(item) = item.as_object_mut() {
                item.entry("tags").or_insert_with(|| Value::Array(Vec::new()));
            }
        }
        fields
    }
}

fn fill(object: &mut Value, names: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    for name in names {
        object.entry(*name).or_insert(Value::Null);
    }
}
