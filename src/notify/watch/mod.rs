//! Does basewatch itself do its work? Runs that fail, that find nothing at all, that judge too little of the fleet, or
//! that do not see everything several times in a row are told, as findings are: once, again after a while, and when
//! they have ended.
//!
//! What is due is worked out by pure code; `keep` records it in a document of its own, because a run may fail for its
//! ledger. Knows nothing of what runs found.

mod keep;
mod plan;
mod state;
#[cfg(test)]
mod tests;
pub(super) mod words;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keep::{deliver, observe};
pub use plan::addressed;
pub use state::{Row, Watch, WatchTold};

use super::EventKind;
use crate::{judge::Severity, secret::SecretSource};

/// How bad any trouble is: whoever is not told of high severity sleeps through it.
pub const SEVERITY: Severity = Severity::High;
/// So many errors are remembered and told.
const MOST_ERRORS: usize = 5;
/// The longest name of what could not be seen, in characters.
const SCOPE_CHARS: usize = 200;
/// The longest text of an error, in characters.
const MESSAGE_CHARS: usize = 500;
/// What an error is about that is about the run as a whole.
pub const RUN: &str = "run";
/// The code of what a run could not record or deliver.
pub const PROBLEM: &str = "problem";

/// What an error is about that is about the push of one image.
const PUSH: &str = "push of ";

/// What an error about the push of `image` is about.
#[must_use]
pub fn push_scope(image: &str) -> String {
    format!("{PUSH}{image}")
}

/// When basewatch tells of itself, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSettings {
    /// So many failed runs in a row are told; never if 0.
    pub failed_runs: u32,
    /// So many runs in a row that find nothing at all are told; never if 0.
    pub empty_runs: u32,
    /// So many runs in a row that cannot judge most of the fleet are told; never if 0.
    pub blind_runs: u32,
    /// So many incomplete runs in a row are told; never if 0.
    pub incomplete_runs: u32,
    /// Who is told, by the receivers' ids; if empty, those who are told about everybody's findings.
    pub receivers: Vec<String>,
    /// The URL that is called after a run that took place.
    pub heartbeat: Option<SecretSource>,
    /// The URL that is called after a run that failed.
    pub heartbeat_fail: Option<SecretSource>,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            failed_runs: 1,
            empty_runs: 1,
            blind_runs: 1,
            incomplete_runs: 3,
            receivers: Vec::new(),
            heartbeat: None,
            heartbeat_fail: None,
        }
    }
}

impl WatchSettings {
    /// So many runs in a row with `trouble` are told; `None` if they never are.
    #[must_use]
    pub fn threshold(&self, trouble: Trouble) -> Option<u32> {
        let runs = match trouble {
            Trouble::Incomplete => self.incomplete_runs,
            Trouble::Blind => self.blind_runs,
            Trouble::Empty => self.empty_runs,
            Trouble::Failed => self.failed_runs,
        };
        (runs > 0).then_some(runs)
    }
}

/// What may be wrong with a run, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// It could not see, record or tell everything.
    Incomplete,
    /// It could judge less of the fleet than `policy.min_known`.
    Blind,
    /// It found no deployment at all, although something is configured.
    Empty,
    /// It ended before it had a report.
    Failed,
}

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The id of the run.
    pub run_id: String,
    /// The instant it took for now.
    pub at: DateTime<Utc>,
    /// What was wrong with it.
    pub trouble: Option<Trouble>,
    /// What went wrong in it, the most telling first.
    pub errors: Vec<RunError>,
}

/// One thing that went wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunError {
    /// What could not be seen: `account 210987654321`; `run` if it is about the run as a whole.
    pub scope: String,
    /// A stable code, as in reports; `failed` of a run that failed, `most-unknown` of one that could
    /// not judge most of the fleet, `problem` of what it could not record or tell.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// The first of the runs in a row that went wrong there.
    pub since: DateTime<Utc>,
}

impl RunError {
    /// What went wrong in the run of `at`, in bounds.
    #[must_use]
    pub fn new(scope: &str, code: &str, message: &str, at: DateTime<Utc>) -> Self {
        let cut = |text: &str, most: usize| match text.char_indices().nth(most) {
            Some((place, _)) => format!("{}…", &text[..place]),
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

/// How basewatch itself does: what a message of kind `watch` is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchFields {
    /// What happened.
    pub event: EventKind,
    /// What is wrong; of what has ended, the worst that was told.
    pub trouble: Trouble,
    /// How many runs in a row it concerns.
    pub runs: u32,
    /// The first of them.
    pub since: DateTime<Utc>,
    /// When this receiver was first told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_since: Option<DateTime<Utc>>,
    /// The last run with which nothing was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_at: Option<DateTime<Utc>>,
    /// The last run that found anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_report_at: Option<DateTime<Utc>>,
    /// What went wrong in the last run that went wrong, the first few.
    pub errors: Vec<RunError>,
    /// How many more errors it had.
    pub errors_left_out: u64,
}
