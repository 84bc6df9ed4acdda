//! The steps of an explanation.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplanationStep {
    /// What was checked: `label sdkBaseVersion`.
    pub title: Cow<'static, str>,
    /// The evidence, verbatim.
    pub detail: String,
    /// The outcome.
    pub outcome: StepOutcome,
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// The evidence was found and is used.
    Found,
    /// The evidence was not found.
    NotFound,
    /// The evidence contradicts stronger evidence.
    Contradiction,
    /// Information without effect on the result.
    Note,
}

impl StepOutcome {
    /// The text for display.
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
