//! Self-monitoring: alerts about the runs themselves.
//!
//! A run that fails, finds no deployment, judges too little of the fleet, or is incomplete several times in a row triggers
//! an alert, which is reminded and resolved like those of findings. The state is a document of its own, because a run may
//! fail because of its ledger. Knows nothing of findings.

mod keep;
mod plan;
mod state;
#[cfg(test)]
mod tests;
pub(super) mod texts;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keep::{deliver, observe};
pub use plan::addressed;
pub use state::{MonitorHistory, SelfMonitor, TroubleStreak};

use super::EventKind;
use crate::{judge::Severity, secret::SecretSource};

/// Severity of every self-monitoring alert. Channels with a higher threshold do not receive it.
pub const SEVERITY: Severity = Severity::High;
/// Maximum number of errors that are stored and sent.
const MAX_ERRORS: usize = 5;
/// Maximum length of an error scope, in characters.
const SCOPE_CHARS: usize = 200;
/// Maximum length of an error message, in characters.
const MESSAGE_CHARS: usize = 500;
/// Scope of errors about the run as a whole.
pub const RUN: &str = "run";
/// The code of what a run could not record or deliver.
pub const PROBLEM: &str = "problem";

/// Scope prefix of errors about a pushed image.
const PUSH: &str = "push of ";

/// Scope of errors about the push of `image`.
#[must_use]
pub fn push_scope(image: &str) -> String {
    format!("{PUSH}{image}")
}

/// Thresholds and channels of self-monitoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfMonitorSettings {
    /// Failed runs in a row that trigger an alert; 0: never.
    pub failed_runs: u32,
    /// Runs in a row without any deployment that trigger an alert; 0: never.
    pub empty_runs: u32,
    /// Runs in a row that judge too little of the fleet that trigger an alert; 0: never.
    pub blind_runs: u32,
    /// Incomplete runs in a row that trigger an alert; 0: never.
    pub incomplete_runs: u32,
    /// Channel ids; if empty, the channels subscribed to all owners.
    pub channels: Vec<String>,
    /// URL that is called after a run that completed.
    pub heartbeat: Option<SecretSource>,
    /// URL that is called after a run that failed.
    pub heartbeat_fail: Option<SecretSource>,
}

impl Default for SelfMonitorSettings {
    fn default() -> Self {
        Self {
            failed_runs: 1,
            empty_runs: 1,
            blind_runs: 1,
            // A throttled account or an unreachable registry passes by itself.
            incomplete_runs: 3,
            channels: Vec::new(),
            heartbeat: None,
            heartbeat_fail: None,
        }
    }
}

impl SelfMonitorSettings {
    /// Runs in a row with `trouble` that trigger an alert; `None`: never.
    #[must_use]
    pub fn threshold(&self, trouble: RunHealth) -> Option<u32> {
        let runs = match trouble {
            RunHealth::Incomplete => self.incomplete_runs,
            RunHealth::Blind => self.blind_runs,
            RunHealth::Empty => self.empty_runs,
            RunHealth::Failed => self.failed_runs,
        };
        (runs > 0).then_some(runs)
    }
}

/// Problems of a run, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunHealth {
    /// It could not read, record or notify everything.
    Incomplete,
    /// It judged a smaller share of the fleet than `policy.min_known`.
    Blind,
    /// It found no deployment, although an inventory is configured.
    Empty,
    /// It ended without a report.
    Failed,
}

/// Health of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedRun {
    /// The id of the run.
    pub run_id: String,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
    /// Its problem; absent if it was healthy.
    pub trouble: Option<RunHealth>,
    /// Its errors, the most significant first.
    pub errors: Vec<RunError>,
}

/// One error of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunError {
    /// What it is about: `account 210987654321`; `run` for the run as a whole.
    pub scope: String,
    /// Stable code, as in reports; `failed` for a failed run, `most-unknown` for one that judged too little of the
    /// fleet, `problem` for a failure to record or notify.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// When the first run in a row was that had an error in this scope.
    pub since: DateTime<Utc>,
}

impl RunError {
    /// An error of the run as of `at`; long texts are cut.
    #[must_use]
    pub fn new(scope: &str, code: &str, message: &str, at: DateTime<Utc>) -> Self {
        let cut = |text: &str, most: usize| match text.char_indices().nth(most) {
            Some((index, _)) => format!("{}…", &text[..index]),
            None => text.to_owned(),
        };
        Self {
            scope: cut(scope, SCOPE_CHARS),
            code: cut(code, SCOPE_CHARS),
            message: cut(message, MESSAGE_CHARS),
            since: at,
        }
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
