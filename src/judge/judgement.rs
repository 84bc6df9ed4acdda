//! The judgement of one deployment: verdict, severity, action and reasons.

use super::{Action, LinePosition, Reason, RuntimeSupport, Severity, Verdict};

/// Verdict, severity, action and reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The worst verdict that holds.
    pub verdict: Verdict,
    /// Whether the base is older than the limit.
    pub is_stale: bool,
    /// Whether it has been behind for longer than the grace.
    pub is_out_of_date: bool,
    /// Whether the line's runtime is past its deprecation date.
    pub is_deprecated: bool,
    /// The Lambda runtime of the line and its support.
    pub runtime: Option<RuntimeSupport>,
    /// The severity, after overrides.
    pub severity: Severity,
    /// What to do.
    pub action: Action,
    /// The reasons, the one that the action addresses first.
    pub reasons: Vec<Reason>,
    /// The position of the base on its release line.
    pub line_position: LinePosition,
    /// Whether the current release differs in content; `None` if that is unknown or if the base is not behind.
    pub content_changed: Option<bool>,
    /// The override that was applied.
    pub rule: Option<String>,
}
