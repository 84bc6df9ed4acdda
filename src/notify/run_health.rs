//! The health of runs, for self-monitoring.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scope of errors about the run as a whole.
pub const RUN: &str = "run";
/// Scope prefix of errors about a pushed image.
pub(super) const PUSH: &str = "push of ";
/// Maximum length of an error scope, in characters.
const SCOPE_CHARS: usize = 200;
/// Maximum length of an error message, in characters.
const MESSAGE_CHARS: usize = 500;

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

/// Scope of errors about the push of `image`.
#[must_use]
pub fn push_scope(image: &str) -> String {
    format!("{PUSH}{image}")
}
