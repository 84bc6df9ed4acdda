//! The subjects of a finding: the base in use and the workload itself. Each has its own alert.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::{Action, Judgement, Severity};

/// Severity, action and reasons by subject. The finding itself combines both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingSubjects {
    /// The base in use, judged without problems of the workload.
    pub base: SubjectFields,
    /// The workload itself: for example, its image was deleted or it cannot be invoked.
    pub workload: SubjectFields,
}

/// Severity, action and reasons of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectFields {
    /// The severity.
    pub severity: Severity,
    /// The recommended action.
    pub action: Action,
    /// The reason codes.
    pub reasons: Vec<String>,
    /// Whether an exemption covers the subject.
    pub exempted: bool,
}

impl SubjectFields {
    /// The fields of `judgement`.
    #[must_use]
    pub fn new(judgement: &Judgement, exempted: bool) -> Self {
        let codes = judgement.reasons.iter().map(|reason| reason.code.as_str().to_owned());
        Self { severity: judgement.severity, action: judgement.action, reasons: codes.collect(), exempted }
    }
}
