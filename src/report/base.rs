//! The output of `basewatch base`. The JSON contract `basewatch.base/v1`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HoldFields, RuntimeFields};
use crate::{
    image::{Digest, DigestKind, Platform},
    resolve::PublishDateSource,
};

/// The value of `schema` in every [`BaseReport`].
pub const BASE_SCHEMA: &str = "basewatch.base/v1";

/// The current state of a base image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch base", extend("$id" = BASE_SCHEMA))]
pub struct BaseReport {
    /// Always `basewatch.base/v1`.
    pub schema: String,
    /// The time of the report.
    pub generated_at: DateTime<Utc>,
    /// The requested reference.
    pub reference: String,
    /// The digest of the reference; if its tag points at a held release, of the newest release without a hold.
    pub digest: Digest,
    /// What the digest identifies.
    pub digest_kind: DigestKind,
    /// The hold on the release that the reference points at; absent without a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFields>,
    /// The line; null if unknown.
    pub line: Option<String>,
    /// How the line was determined.
    pub line_source: Option<String>,
    /// The Lambda runtime of the line; null for other lines.
    pub runtime: Option<RuntimeFields>,
    /// The platforms.
    pub platforms: Vec<PlatformBase>,
    /// The releases of the line, newest first; only with `--history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<ReleaseRow>>,
    /// Whether `history` is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_complete: Option<bool>,
}

/// One platform of a base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformBase {
    /// The platform.
    pub platform: Platform,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The dated tag of the release; null if unknown.
    pub release: Option<String>,
    /// The publish date.
    pub published_at: Option<DateTime<Utc>>,
    /// The source of the publish date.
    pub published_source: Option<PublishDateSource>,
    /// Whether the publish date is an estimate from `created`, which builders can set to any value; absent if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// The age in whole days.
    pub age_days: Option<i64>,
}

/// One release of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRow {
    /// The dated tag, without an architecture.
    pub release: String,
    /// The publish date.
    pub published_at: DateTime<Utc>,
    /// The known architectures: `arm64`, `x86_64`; empty if only the tag without an architecture exists.
    pub architectures: Vec<String>,
    /// The digest; null if it was never requested.
    pub digest: Option<Digest>,
    /// Whether this is the current release: that of the moving tag, or the newest one without a hold.
    pub current: bool,
    /// The hold on the release; absent without a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFields>,
}
