//! The two subjects of a finding: the base in use, and the workload itself. Each is alerted about by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::judge::{Action, Judgement, Severity};

/// A finding by what it is about. Its own severity and action are those of both together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingSubjects {
    /// The base in use, judged as if nothing were wrong with the workload.
    pub base: SubjectFields,
    /// The workload itself: its image was deleted, or it cannot be invoked.
    pub workload: SubjectFields,
}

/// What a finding says about one of its subjects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectFields {
    /// How bad it is.
    pub severity: Severity,
    /// What to do about it.
    pub action: Action,
    /// The codes of the finding's reasons that are about it.
    pub reasons: Vec<String>,
    /// Whether an exemption covers it.
    pub exempted: bool,
}

impl SubjectFields {
    /// What `judgement` says, which an exemption covers or not.
    #[must_use]
    pub fn new(judgement: &Judgement, exempted: bool) -> Self {
        let codes = judgement.reasons.iter().map(|reason| reason.code.as_str().to_owned());
        Self { severity: judgement.severity, action: judgement.action, reasons: codes.collect(), exempted }
    }
}

impl Finding {
    /// How bad its base is, whatever is wrong with the workload.
    #[must_use]
    pub fn base_severity(&self) -> Severity {
        self.subjects.as_ref().map_or(self.severity, |subjects| subjects.base.severity)
    }

    /// What to do about its base, whatever is wrong with the workload.
    #[must_use]
    pub fn base_action(&self) -> Action {
        self.subjects.as_ref().map_or(self.action, |subjects| subjects.base.action)
    }

    /// Whether an exemption covers what is said about its base.
    #[must_use]
    pub fn is_base_exempted(&self) -> bool {
        self.subjects.as_ref().map_or(self.exemption.is_some(), |subjects| subjects.base.exempted)
    }
}
