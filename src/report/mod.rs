//! Stage 5: what the audit found, as data. These types *are* the JSON contract `basewatch.report/v1`;
//! fields are added, never changed.
//!
//! Pure. Decides nothing: verdicts come from `judge`, and a renderer only shows them.

mod base;
pub mod base_table;
mod build;
mod company_base;
pub mod csv;
pub mod dockerfiles;
mod error;
mod exemption;
pub mod explain;
mod finding;
mod fitting;
pub(crate) mod grid;
mod group;
mod hold;
pub mod html;
pub mod json;
mod known;
mod line;
pub mod markdown;
mod note_code;
pub mod query;
pub mod sarif;
mod search;
pub mod stamp;
pub(crate) mod style;
mod subject;
mod summary;
pub mod table;
mod text;
pub(crate) mod words;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    image::{AccountId, Region},
    inventory::DeploymentKind,
};

pub use base::{BASE_SCHEMA, BaseReport, PlatformBase, ReleaseRow};
pub use build::{Run, Subjects};
pub use company_base::is_base_id;
pub use error::{ErrorAbout, Location};
pub use exemption::ExemptionFields;
pub use explain::{EXPLAIN_SCHEMA, Explanation};
pub use finding::{
    BaseInUse, BaseLink, Behind, CurrentRelease, DeploymentFields, Finding, ImageFields, ReasonFields,
    ReplacementFields, RuntimeFields,
};
pub use hold::HoldFields;
pub use known::ExitReason;
pub use line::{LineFields, LineRelease};
pub use note_code::NoteCode;
pub use query::Query;
pub use search::SearchBudget;
pub use style::Style;
pub use subject::{FindingSubjects, SubjectFields};
pub use summary::{AgeDistribution, Summary};
pub use text::{Harmless, harmless, is_visible};

/// The value of `schema` in every report.
pub const SCHEMA: &str = "basewatch.report/v1";

/// The whole report of one audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch report", extend("$id" = SCHEMA))]
pub struct Report {
    /// Always `basewatch.report/v1`.
    pub schema: String,
    /// A ULID: sortable by time, unique to the run.
    pub run_id: String,
    /// The instant that counts as now: the clock's, or that of `--as-of`.
    pub generated_at: DateTime<Utc>,
    /// Whether everything that was to be audited could be.
    pub complete: bool,
    /// The policy that was applied where no override says otherwise.
    pub policy: PolicyFields,
    /// The counts.
    pub summary: Summary,
    /// One entry per deployment and platform, worst first.
    pub findings: Vec<Finding>,
    /// The lines that the deployments stand on, and where on each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineFields>,
    /// What could not be seen.
    pub errors: Vec<ErrorEntry>,
    /// What is to be known about how the answers were got, and about exemptions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Requests sent, by registry host or AWS service.
    pub requests: BTreeMap<String, u64>,
    /// The same by kind: `head`, `manifest`, `blob`, `tags`, `token`, `api`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests_by_kind: BTreeMap<String, BTreeMap<String, u64>>,
    /// How much of its budget the search for unrecorded bases has used; absent if no search was
    /// necessary or allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchBudget>,
    /// How registries were authenticated to, by host: `anonymous`, `ecr`, `ecr-public`, `basic`, `docker-config`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub authentication: BTreeMap<String, String>,
}

/// The general policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFields {
    /// The age in days over which a base is stale.
    pub max_age_days: i64,
    /// The days a deployment may be behind.
    pub grace_days: i64,
}

/// Something to be known about how the answers were got, or about an exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// A stable code: `base-releases-unread`, `exemption-expired`, `exemption-expiring`, `exemption-unused`,
    /// `hold-expired`, `hold-expiring`, `hold-unused`, `most-unknown`, `pull-through-cache`, `release-catalog-refused`,
    /// `release-catalog-unavailable`, `report-cut`.
    pub code: String,
    /// What is to be known, for people.
    pub message: String,
}

/// Something that could not be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorEntry {
    /// Whether deployments could not be listed, or a base not be fully resolved.
    #[serde(default)]
    pub about: ErrorAbout,
    /// What could not be seen, for people: `ecr eu-west-1`, `account 210987654321`.
    pub scope: String,
    /// The only kind of deployments that may be missing because of it; absent where any may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DeploymentKind>,
    /// The AWS account in which deployments may be missing, or that of the repository's registry; absent where that is
    /// not narrowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The AWS region in which deployments may be missing, or that of the repository's registry; absent where that is
    /// not narrowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The repository, without its registry, whose deployments may be missing; absent where that is not narrowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// A stable code: `access-denied`, `credentials`, `failed`, `incomplete`, `malformed`, `not-found`, `throttled`,
    /// `unreachable`.
    pub code: String,
    /// What happened, for people.
    pub message: String,
}
