//! The output of `basewatch stamp --check`: whether each `FROM` in Dockerfiles is pinned, recorded and current. The
//! JSON contract `basewatch.dockerfiles/v1`.

pub mod table;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Behind, CurrentRelease, ErrorEntry, ReasonFields, RuntimeFields};
use crate::{
    image::Digest,
    judge::{Action, Judgement, Severity, Verdict},
    resolve::{PublishDateSource, Resolution},
};

/// The value of `schema` in every [`DockerfileReport`].
pub const DOCKERFILES_SCHEMA: &str = "basewatch.dockerfiles/v1";

/// The result of checking Dockerfiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch stamp --check", extend("$id" = DOCKERFILES_SCHEMA))]
pub struct DockerfileReport {
    /// Always `basewatch.dockerfiles/v1`.
    pub schema: String,
    /// The time of the report.
    pub generated_at: DateTime<Utc>,
    /// Whether all files and registries could be read.
    pub complete: bool,
    /// The counts.
    pub summary: DockerfileSummary,
    /// The files, in the given order.
    pub files: Vec<DockerfileFields>,
    /// Errors of reading files and registries.
    pub errors: Vec<ErrorEntry>,
}

/// The counts of a report on Dockerfiles. All except `files` count final bases in configured base repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DockerfileSummary {
    /// Files.
    pub files: u64,
    /// Final bases.
    pub bases: u64,
    /// Bases that are not pinned by digest.
    pub unpinned: u64,
    /// Bases that no label records.
    pub unrecorded: u64,
    /// Bases with a verdict, by verdict.
    pub by_verdict: BTreeMap<Verdict, u64>,
}

/// One Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DockerfileFields {
    /// The path as given or found; `-` for standard input.
    pub path: String,
    /// Whether `--fix` changed the file.
    pub fixed: bool,
    /// The `FROM` instructions, in order; empty if the file cannot be read, with an entry in `errors`.
    pub froms: Vec<FromFields>,
}

/// What a `FROM` instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuildsOn {
    /// An image in a registry.
    Image,
    /// An earlier build stage.
    Stage,
    /// The empty image `scratch`.
    Scratch,
    /// An image that depends on unknown build arguments.
    Unresolved,
}

/// The source of an argument value in `FROM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentValue {
    /// The default in the file.
    Default,
    /// `--build-arg`.
    BuildArg,
    /// No value.
    Unset,
    /// Set by the builder for each platform.
    Builder,
}

/// Whether labels record the final base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelRecord {
    /// A label records the base with the digest in `FROM`.
    Recorded,
    /// No label records a base.
    Missing,
    /// A label records a different image or digest, or no digest.
    Differs,
    /// The label depends on unknown build arguments.
    Unresolved,
}

/// One `FROM` instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FromFields {
    /// The line of the instruction, from 1.
    pub line: u64,
    /// The line of the image, from 1.
    pub image_line: u64,
    /// The first column of the image, from 1, in UTF-16 code units.
    pub column: u64,
    /// The column after the end of the image.
    pub end_column: u64,
    /// The image as written.
    pub written: String,
    /// The name of the stage.
    pub stage: Option<String>,
    /// The value of `--platform` as written.
    pub platform: Option<String>,
    /// What the instruction refers to.
    pub builds_on: BuildsOn,
    /// The image with all arguments replaced; null for stages, `scratch` and unresolved images.
    pub reference: Option<String>,
    /// The name of the parent stage; null if there is none.
    pub parent: Option<String>,
    /// The arguments in the image, with the source of each value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, ArgumentValue>,
    /// Whether this is the final base, which ships in the image. Only final bases count.
    pub ships: bool,
    /// Whether the repository is a configured base repository. Other images are not resolved.
    pub tracked: bool,
    /// Whether the image is pinned by digest; null without an image.
    pub pinned: Option<bool>,
    /// Whether labels record the base; null if it is not the final base.
    pub label: Option<LabelRecord>,
    /// The resolved base; null if it was not resolved.
    pub base: Option<PinnedBase>,
    /// The verdict; null if the image is not pinned to a release that can be judged.
    pub verdict: Option<Verdict>,
    /// The severity of the verdict.
    pub severity: Option<Severity>,
    /// The recommended action.
    pub action: Option<Action>,
    /// The reasons of the verdict, and missing pins and labels.
    pub reasons: Vec<ReasonFields>,
    /// The recommended image; null if no change is needed or possible.
    pub fix: Option<FixFields>,
}

/// The resolved base of a `FROM` instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedBase {
    /// The digest in `FROM` or of its dated tag; null for a moving tag.
    pub digest: Option<Digest>,
    /// The dated tag of the release; null if unknown.
    pub release: Option<String>,
    /// The publish date.
    pub published_at: Option<DateTime<Utc>>,
    /// The source of the publish date.
    pub published_source: Option<PublishDateSource>,
    /// The age in whole days.
    pub age_days: Option<i64>,
    /// The current release of the line; null if it could not be resolved.
    pub current: Option<CurrentRelease>,
    /// How far the base is behind; null if it is current or this is unknown.
    pub behind: Option<Behind>,
    /// The Lambda runtime of the line; null for other lines.
    pub runtime: Option<RuntimeFields>,
}

/// The recommended image of a `FROM` instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FixFields {
    /// The image pinned to the current release.
    pub reference: String,
    /// Why `--fix` cannot apply it; absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl PinnedBase {
    /// The fields of a resolved and judged base.
    #[must_use]
    pub fn new(resolution: &Resolution, judgement: &Judgement, now: DateTime<Utc>) -> Self {
        let published = resolution.base.published;
        Self {
            digest: resolution.base.digest.clone(),
            release: resolution.base.release.as_ref().map(ToString::to_string),
            published_at: published.map(|published| published.at),
            published_source: published.map(|published| published.source),
            age_days: published.map(|published| (now - published.at).num_days().max(0)),
            current: CurrentRelease::from_resolution(resolution),
            behind: Behind::from_judgement(resolution, judgement, now),
            runtime: judgement.runtime.as_ref().map(RuntimeFields::new),
        }
    }
}

impl FromFields {
    /// Whether this is a final base that is configured or may be.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.ships && (self.tracked || self.builds_on == BuildsOn::Unresolved)
    }

    /// Whether a label is missing or wrong.
    #[must_use]
    pub fn is_unrecorded(&self) -> bool {
        matches!(self.label, Some(LabelRecord::Missing | LabelRecord::Differs))
    }

    /// Whether it fails a check with `threshold`, by its verdict or because it is not pinned or recorded. A verdict
    /// without a possible action counts at most as `unknown`.
    #[must_use]
    pub fn fails(&self, threshold: Verdict) -> bool {
        let counted = self.verdict.map(|verdict| {
            let has_no_action = self.action == Some(Action::None) && verdict.is_at_least(Verdict::Unknown);
            if has_no_action { Verdict::Unknown } else { verdict }
        });
        let is_unstamped = self.tracked && (self.pinned == Some(false) || self.is_unrecorded());
        self.counts() && (is_unstamped || counted.is_some_and(|verdict| verdict.is_at_least(threshold)))
    }
}

impl DockerfileReport {
    /// The report on `files`.
    #[must_use]
    pub fn new(generated_at: DateTime<Utc>, files: Vec<DockerfileFields>, errors: Vec<ErrorEntry>) -> Self {
        let mut summary = DockerfileSummary { files: files.len() as u64, ..DockerfileSummary::default() };
        for from in files.iter().flat_map(|file| &file.froms).filter(|from| from.counts()) {
            summary.bases += 1;
            summary.unpinned += u64::from(from.tracked && from.pinned == Some(false));
            summary.unrecorded += u64::from(from.tracked && from.is_unrecorded());
            if let Some(verdict) = from.verdict {
                *summary.by_verdict.entry(verdict).or_default() += 1;
            }
        }
        let schema = DOCKERFILES_SCHEMA.to_owned();
        Self { schema, generated_at, complete: errors.is_empty(), summary, files, errors }
    }

    /// Whether a final base fails a check with `threshold`.
    #[must_use]
    pub fn fails(&self, threshold: Verdict) -> bool {
        self.files.iter().flat_map(|file| &file.froms).any(|from| from.fails(threshold))
    }
}
