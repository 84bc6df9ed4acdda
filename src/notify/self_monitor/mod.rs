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

use chrono::{DateTime, Utc};

pub use keep::{deliver, observe};
pub use plan::addressed;
pub use state::{FinishedRun, MonitorHistory, SelfMonitor, TroubleStreak};

use super::run_health::{RunError, RunHealth};
use crate::{judge::Severity, secret::SecretSource};

/// Severity of every self-monitoring alert. Channels with a higher threshold do not receive it.
pub const SEVERITY: Severity = Severity::High;
/// Maximum number of errors that are stored and sent.
const MAX_ERRORS: usize = 5;
/// The code of what a run could not record or deliver.
pub const PROBLEM: &str = "problem";

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

/// Health of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedRun {
    /// The id of the run.
    pub run_id: String,
    /// The instant that counted as now.
    pub at: DateTime<Utc>,
    /// When it began and ended; absent for the audit of a pushed image.
    pub lasted: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Its problem; absent if it was healthy.
    pub trouble: Option<RunHealth>,
    /// Its errors, the most significant first.
    pub errors: Vec<RunError>,
}

impl ObservedRun {
    /// Whether it ended without a report.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.trouble == Some(RunHealth::Failed)
    }
}
