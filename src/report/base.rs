//! The answer of `basewatch base`: one line as it stands now.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HoldFields, RuntimeFields};
use crate::{
    image::{Digest, DigestKind, Platform},
    resolve::PublishedSource,
};

/// The value of `schema` in every [`BaseReport`].
pub const BASE_SCHEMA: &str = "basewatch.base/v1";

/// One base reference, resolved. The JSON contract `basewatch.base/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch base", extend("$id" = BASE_SCHEMA))]
pub struct BaseReport {
    /// Always `basewatch.base/v1`.
    pub schema: String,
    /// The instant that counts as now.
    pub generated_at: DateTime<Utc>,
    /// The reference that was asked for.
    pub reference: String,
    /// What it points at; of a line whose tag points at a release that is held, the newest release that is not.
    pub digest: Digest,
    /// What that digest names.
    pub digest_kind: DigestKind,
    /// The hold on what the reference points at; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFields>,
    /// The line it belongs to, where that is known.
    pub line: Option<String>,
    /// How the line was found.
    pub line_source: Option<String>,
    /// The Lambda runtime the line carries.
    pub runtime: Option<RuntimeFields>,
    /// Each platform.
    pub platforms: Vec<PlatformBase>,
    /// The line's releases, newest first; only with `--history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<ReleaseRow>>,
    /// Whether `history` is all of it.
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
    /// The release, where a dated tag names it.
    pub release: Option<String>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Where that date is from.
    pub published_source: Option<PublishedSource>,
    /// Whether the date rests on a `created` of the image, which builders can set to anything; absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Whole days since then.
    pub age_days: Option<i64>,
}

/// One release of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRow {
    /// Its dated tag, without an architecture.
    pub release: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// The architectures it was seen for: `arm64`, `x86_64`; empty when only the plain tag exists.
    pub architectures: Vec<String>,
    /// Its digest, where that was ever asked for.
    pub digest: Option<Digest>,
    /// Whether it is the current release: what the moving tag points at, or the newest one that is not held.
    pub current: bool,
    /// The hold that takes it out of the line; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFields>,
}
