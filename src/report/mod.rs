//! Stage 5: reports and their output formats. The types are the JSON contract `basewatch.report/v1`.
//!
//! Verdicts come from `judge`; renderers only present them.

mod base;
pub mod base_table;
mod build;
mod changes;
mod company_base;
pub mod console;
mod coverage;
pub mod csv;
pub mod dockerfiles;
mod error;
mod exemption;
mod exemption_note;
pub mod explain;
mod finding;
mod fitting;
pub(crate) mod format;
pub(crate) mod grid;
pub(crate) mod group;
mod hold;
pub mod json;
mod line;
pub mod markdown;
mod narrowed;
mod note_code;
mod outline;
pub mod page_path;
pub mod query;
mod sanitize;
pub mod sarif;
mod search_budget;
pub mod stamp;
pub(crate) mod style;
mod subject;
mod summary;
pub mod table;
mod to_do;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    image::{AccountId, Region},
    inventory::DeploymentKind,
};

pub use base::{BASE_SCHEMA, BaseReport, PlatformBase, ReleaseRow};
pub use build::{RunMetadata, SubjectNames};
pub use changes::{ChangedFinding, ReportChanges};
pub use company_base::is_base_id;
pub use coverage::ExitReason;
pub use error::{DeploymentLocation, ErrorAbout};
pub use exemption::ExemptionFields;
pub use explain::{EXPLAIN_SCHEMA, Explanation};
pub use finding::{
    BaseInUse, BaseLink, Behind, CurrentRelease, DeploymentFields, Finding, ImageFields, ReasonFields,
    ReplacementFields, RuntimeFields,
};
pub use hold::HoldFields;
pub use line::{LineFields, LineRelease};
pub use note_code::NoteCode;
pub use outline::{FindingOutline, ReportOutline};
pub use query::FindingQuery;
pub use sanitize::{Sanitized, is_visible, sanitize};
pub use search_budget::SearchBudget;
pub use style::RenderOptions;
pub use subject::{FindingSubjects, SubjectFields};
pub use summary::{AgeDistribution, Summary};
pub use to_do::{ToDoDetail, ToDoItem, ToDoList, ToDoStep, UnlistedItems, WorkCount};

/// The value of `schema` in every report.
pub const SCHEMA: &str = "basewatch.report/v1";

/// The report of an audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch report", extend("$id" = SCHEMA))]
pub struct Report {
    /// Always `basewatch.report/v1`.
    pub schema: String,
    /// The ID of the run, a ULID, which sorts by time.
    pub run_id: String,
    /// The time that the findings are judged by: the time of the run, or `--as-of`.
    pub generated_at: DateTime<Utc>,
    /// Whether the whole inventory was read and all bases were resolved without errors.
    pub complete: bool,
    /// The general policy, without overrides.
    pub policy: PolicyFields,
    /// The counts.
    pub summary: Summary,
    /// One finding per deployment and platform, worst first. Empty in a stored report with `parts`.
    pub findings: Vec<Finding>,
    /// The names of the objects in the store that have the findings, in order, if the report is too large for one object.
    /// Each is gzip-compressed and has one finding per line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The release lines in use, with the deployments on each release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineFields>,
    /// The errors.
    pub errors: Vec<ErrorEntry>,
    /// Notes about the audit, exemptions and holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// The number of requests by registry host or AWS service.
    pub requests: BTreeMap<String, u64>,
    /// The number of requests by host or service and kind: `head`, `manifest`, `blob`, `tags`, `token`, `api`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests_by_kind: BTreeMap<String, BTreeMap<String, u64>>,
    /// How much of its budget the search for unrecorded bases has used; absent if no search was
    /// necessary or allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchBudget>,
    /// The authentication method by registry host: `anonymous`, `ecr`, `ecr-public`, `basic`, `docker-config`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub authentication: BTreeMap<String, String>,
}

/// The general policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFields {
    /// The maximum age of a base in days.
    pub max_age_days: i64,
    /// The number of days that a deployment may be behind.
    pub grace_days: i64,
}

/// A note about the audit, an exemption or a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// A stable code: `base-releases-unread`, `exemption-expired`, `exemption-expiring`, `exemption-unused`,
    /// `hold-expired`, `hold-expiring`, `hold-unused`, `most-unknown`, `pull-through-cache`, `release-catalog-refused`,
    /// `release-catalog-unavailable`, `report-cut`.
    pub code: String,
    /// The message.
    pub message: String,
}

/// An error of the audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorEntry {
    /// Whether deployments could not be listed, or a base could not be resolved.
    #[serde(default)]
    pub about: ErrorAbout,
    /// The affected scope: `ecr eu-west-1`, `account 210987654321`.
    pub scope: String,
    /// The kind of deployments that may be missing; absent for all kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DeploymentKind>,
    /// The AWS account in which deployments may be missing, or the account of the repository; absent for all accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The AWS region in which deployments may be missing, or the region of the repository; absent for all regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The repository, without the registry, whose deployments may be missing; absent for all repositories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// A stable code: `access-denied`, `credentials`, `failed`, `incomplete`, `malformed`, `not-found`, `throttled`,
    /// `unreachable`.
    pub code: String,
    /// The message.
    pub message: String,
}
