//! The message model: the JSON contract `basewatch.alert/v1`, rendered as text, JSON or a chat card.
//!
//! Within `v1`, fields are added, never changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AlertSubject,
    run_health::{RunError, RunHealth},
};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    report::ReasonFields,
};

/// The value of `schema` in every message.
pub const SCHEMA: &str = "basewatch.alert/v1";

/// One message to one notification channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch alert", extend("$id" = SCHEMA))]
pub struct Message {
    /// Always `basewatch.alert/v1`.
    pub schema: String,
    /// Identical in every delivery of this message, so that a consumer can drop repeats. 64 hexadecimal digits.
    pub dedup_key: String,
    /// What it is about.
    pub kind: MessageKind,
    /// The run that planned it.
    pub run_id: String,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
    /// Whether that run read the whole inventory.
    pub complete: bool,
    /// The owner of the findings; absent if they have none, or if the message covers several owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why this channel receives it, for people: `this topic is subscribed to findings of payments`.
    pub subscription_reason: String,
    /// The worst severity of the open alerts in it; if all are resolved, of those.
    pub severity: Severity,
    /// Number of alerts by event. Tags of one image with the same state count once.
    pub events: BTreeMap<EventKind, u64>,
    /// Number of open alerts by severity.
    pub severities: BTreeMap<Severity, u64>,
    /// Number of open alerts by subject.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subjects: BTreeMap<AlertSubject, u64>,
    /// Number of open alerts about bases, by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Number of alerts by owner, if the message covers several owners; `""`: without an owner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, u64>,
    /// The AWS accounts concerned, at most 100.
    pub accounts: BTreeSet<String>,
    /// The AWS regions concerned.
    pub regions: BTreeSet<String>,
    /// The image repositories concerned, without their registries, at most 100.
    pub repositories: BTreeSet<String>,
    /// The alerts, up to 20: new ones first, the most severe first.
    pub items: Vec<AlertItem>,
    /// Number of alerts that are not in `items`.
    pub left_out: u64,
    /// Health of basewatch itself, in messages of kind `watch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<SelfMonitorFields>,
    /// Location of the full report of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// URL of the page of the dashboard about it, if `serve.public_url` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// Changes in the findings of one owner, or in those without an owner.
    Findings,
    /// One summary of all open findings, sent to a new channel.
    Backlog,
    /// Rebuilds that produced no new image, or that were not accepted.
    Rebuilds,
    /// Self-monitoring: runs fail, find no deployments, or are incomplete; or have recovered.
    Watch,
    /// A test message.
    Test,
}

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It reached the alerting severity.
    Triggered,
    /// Its severity rose since the last notification.
    Escalated,
    /// It persists.
    Reminded,
    /// It has ended.
    Resolved,
}

/// One alert in a message, or one rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertItem {
    /// What happened.
    pub event: EventKind,
    /// The subject of the alert.
    #[serde(default)]
    pub about: AlertSubject,
    /// The id of the alert, for `basewatch alerts show`, `snooze` and `resend`; of several tags, that of the first.
    pub alert: String,
    /// The id that stands for all open alerts of this message with the same cause, for the same commands; absent if this
    /// alert is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The id of the finding in reports; of several tags, that of the first.
    pub finding: String,
    /// Display name of the deployment: `orders:live`.
    pub name: String,
    /// The tags, where several tags of one image in ECR are one item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
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
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The deployed image.
    pub image: String,
    /// The image's repository, without its registry.
    pub repository: String,
    /// Short name of the base in use: `lambda/java:21.2026.08.22.00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The release line of the base: `public.ecr.aws/lambda/java:21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Age of the base: `90 d`; `≥ 61 d` if that is a bound.
    pub age: String,
    /// Age of the base in whole days, possibly a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_days: Option<i64>,
    /// How far the base is behind: `89 d, 71 releases`.
    pub behind: String,
    /// The current release of the line: its name, or else its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The pinned reference of the current release, if the moving tag of the line points at a held release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The severity of the subject of the alert.
    pub severity: Severity,
    /// The severity last notified; only in `escalated` items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_severity: Option<Severity>,
    /// The action.
    pub action: Action,
    /// The image to deploy instead, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The Lambda runtime: `java21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// When the runtime stops receiving patches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_date: Option<NaiveDate>,
    /// When AWS blocks updates of functions with this runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_update_date: Option<NaiveDate>,
    /// The reasons, the leading one first.
    pub reasons: Vec<ReasonFields>,
    /// When this channel was first notified of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_notified_at: Option<DateTime<Utc>>,
    /// How it ended, for people; only in `resolved` items: `now built on the current release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The outcome of a rebuild request, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<String>,
    /// Number of alerts of the message that share its cause, including those that are left out; absent if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_size: Option<u64>,
    /// URL of the page of the deployment on the dashboard, if `serve.public_url` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
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

impl AlertItem {
    /// The id for commands: of its group, or else of the alert.
    #[must_use]
    pub fn command_id(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.alert)
    }
}

impl Message {
    /// Number of alerts in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.events.values().sum()
    }

    /// Number of open alerts about workloads.
    #[must_use]
    pub fn workload_count(&self) -> u64 {
        self.subjects.get(&AlertSubject::Workload).copied().unwrap_or_default()
    }

    /// Number of resolved alerts.
    #[must_use]
    pub fn resolved_count(&self) -> u64 {
        self.events.get(&EventKind::Resolved).copied().unwrap_or_default()
    }
}

/// Health of basewatch itself, in messages of kind `watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelfMonitorFields {
    /// What happened.
    pub event: EventKind,
    /// The problem; of a resolved alert, the worst that was notified.
    pub trouble: RunHealth,
    /// Number of affected runs in a row.
    pub runs: u32,
    /// When the first of them was.
    pub since: DateTime<Utc>,
    /// When this channel was first notified of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_notified_at: Option<DateTime<Utc>>,
    /// When the last healthy run was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_at: Option<DateTime<Utc>>,
    /// When the last run was that found deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_report_at: Option<DateTime<Utc>>,
    /// The errors of the last unhealthy run, up to five.
    pub errors: Vec<RunError>,
    /// Number of further errors of that run.
    pub errors_left_out: u64,
}
