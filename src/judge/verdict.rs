//! Verdict, severity and action, in the spelling of the report.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict about a deployment's base, in the order of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The base in use is the current release, or equal to it in content.
    Fresh,
    /// A newer release exists, for less than the grace.
    Superseded,
    /// Behind for longer than the grace.
    OutOfDate,
    /// Older than the limit.
    Stale,
    /// The line's runtime is past its deprecation date.
    Deprecated,
    /// Nothing could be concluded.
    Unknown,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing to do.
    None,
    /// For information.
    Info,
    /// Review when convenient.
    Low,
    /// Plan a fix.
    Medium,
    /// Fix now.
    High,
    /// Fix immediately.
    Critical,
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing to do, or nothing would help.
    None,
    /// Build the image again on the current base.
    Rebuild,
    /// Deploy the better image that is already in the repository.
    Redeploy,
    /// Move to a supported runtime.
    Upgrade,
    /// Bring the deployed image back into its repository.
    Restore,
    /// Make the function invocable again: its image exists, but access to the image or a key was lost.
    Repair,
    /// Find out why the verdict is `unknown`.
    Investigate,
}

impl Verdict {
    /// All verdicts, in order.
    pub const ALL: [Self; 6] =
        [Self::Fresh, Self::Superseded, Self::OutOfDate, Self::Stale, Self::Deprecated, Self::Unknown];

    /// The word in reports and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Superseded => "superseded",
            Self::OutOfDate => "out-of-date",
            Self::Stale => "stale",
            Self::Deprecated => "deprecated",
            Self::Unknown => "unknown",
        }
    }
}

impl Verdict {
    /// The rank for `--fail-on`: the order of the verdicts, with `unknown` between `superseded` and `out-of-date`, as
    /// its default severity `low` is.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Fresh => 0,
            Self::Superseded => 1,
            Self::Unknown => 2,
            Self::OutOfDate => 3,
            Self::Stale => 4,
            Self::Deprecated => 5,
        }
    }

    /// Whether this verdict is at or above `threshold` by [`Verdict::rank`].
    #[must_use]
    pub fn is_at_least(self, threshold: Self) -> bool {
        self.rank() >= threshold.rank()
    }
}

impl Severity {
    /// All severities, least first.
    pub const ALL: [Self; 6] = [Self::None, Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in reports and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Action {
    /// All actions, in order.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Rebuild, Self::Redeploy, Self::Upgrade, Self::Restore, Self::Repair, Self::Investigate];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rebuild => "rebuild",
            Self::Redeploy => "redeploy",
            Self::Upgrade => "upgrade",
            Self::Restore => "restore",
            Self::Repair => "repair",
            Self::Investigate => "investigate",
        }
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|verdict| verdict.as_str()).collect();
            format!("no verdict {text:?}; the verdicts are {}", known.join(", "))
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
