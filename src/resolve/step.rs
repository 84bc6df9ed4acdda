//! The steps of an explanation: what was looked for, and what was found.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplanationStep {
    /// What was looked for: `label sdkBaseVersion`.
    pub title: Cow<'static, str>,
    /// The evidence: what was there, word for word.
    pub detail: String,
    /// What came of it.
    pub outcome: StepOutcome,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It was there, and counts.
    Found,
    /// It was not there.
    NotFound,
    /// It says something else than better evidence does.
    Contradiction,
    /// Worth knowing; nothing follows from it.
    Note,
}

impl StepOutcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Found, Self::NotFound, Self::Contradiction, Self::Note];

    /// The word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not found",
            Self::Contradiction => "contradiction",
            Self::Note => "note",
        }
    }
}
