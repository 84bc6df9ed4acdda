//! What a report says about an alert: the base, the reasons and what to do.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AlertItem, AlertKey, EventKind, FindingSnapshot, phrases};
use crate::{
    judge::Action,
    report::{CurrentRelease, Finding, ReasonFields},
};

/// What the last report says about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertDetails {
    /// The base, its age and how far it is behind, for people; absent in alerts about a workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The reasons, the leading one first.
    pub reasons: Vec<ReasonFields>,
    /// The pinned reference to build on; absent if a rebuild does not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_on: Option<String>,
    /// What to do, for people.
    pub to_do: String,
}

impl AlertDetails {
    /// What `finding`, as judged at `now`, says about the alert `key`, which the ledger knows as `subject`.
    #[must_use]
    pub fn new(key: &AlertKey, subject: &FindingSnapshot, finding: &Finding, now: DateTime<Utc>) -> Self {
        let named = (key.finding.as_str(), key.about);
        let item = AlertItem::from_snapshot(EventKind::Reminded, "", named, subject, Some(finding));
        let is_rebuilt = item.action == Action::Rebuild;
        let build_on = finding.current.as_ref().filter(|_| is_rebuilt).map(CurrentRelease::build_on_pinned);
        let item = AlertItem { pinned: build_on.clone(), ..item };
        Self {
            base: phrases::base(&item, phrases::clean),
            to_do: phrases::advice(&[&item], now, phrases::clean),
            build_on,
            reasons: item.reasons,
        }
    }
}
