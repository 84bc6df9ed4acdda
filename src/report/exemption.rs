//! Exemptions on findings.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::Exemption;

/// The exemption of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ExemptionFields {
    /// The reason.
    pub reason: String,
    /// The person or team responsible.
    pub owner: String,
    /// The last day, in UTC.
    pub until: NaiveDate,
}

impl ExemptionFields {
    /// The fields of `exemption`.
    #[must_use]
    pub fn new(exemption: &Exemption) -> Self {
        let Exemption { reason, owner, until, .. } = exemption;
        Self { reason: reason.clone(), owner: owner.clone(), until: until.0 }
    }
}
