//! The answer of `basewatch stamp --check`: what each `FROM` of some Dockerfiles builds on, and whether that is pinned,
//! recorded and current. The JSON contract `basewatch.dockerfiles/v1`.

pub mod table;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Behind, CurrentRelease, ErrorEntry, ReasonFields, RuntimeFields};
use crate::{
    image::Digest,
    judge::{Action, Judgement, Severity, Verdict},
    resolve::{PublishedSource, Resolution},
};

/// The value of `schema` in every [`DockerfileReport`].
pub const DOCKERFILES_SCHEMA: &str = "basewatch.dockerfiles/v1";

/// What was found in some Dockerfiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch stamp --check", extend("$id" = DOCKERFILES_SCHEMA))]
pub struct DockerfileReport {
    /// Always `basewatch.dockerfiles/v1`.
    pub schema: String,
    /// The instant that counts as now.
    pub generated_at: DateTime<Utc>,
    /// Whether every file could be read and every registry asked.
    pub complete: bool,
    /// The counts.
    pub summary: DockerfileSummary,
    /// The files, in the order in which they were named.
    pub files: Vec<DockerfileFields>,
    /// What could not be read or asked.
    pub errors: Vec<ErrorEntry>,
}

/// The counts of a report on Dockerfiles. All but the first are of bases that ship and are configured as bases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DockerfileSummary {
    /// Files.
    pub files: u64,
    /// Bases that ship.
    pub bases: u64,
    /// Those that are not pinned by a digest.
    pub unpinned: u64,
    /// Those that no label records.
    pub unrecorded: u64,
    /// Those that were judged, by verdict.
    pub by_verdict: BTreeMap<Verdict, u64>,
}

/// One Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DockerfileFields {
    /// Its path as it was named; `-` is standard input.
    pub path: String,
    /// Whether `--fix` changed it.
    pub fixed: bool,
    /// Its `FROM` instructions, in order; empty where it cannot be read, which is an entry in `errors`.
    pub froms: Vec<FromFields>,
}

/// What a `FROM` builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuildsOn {
    /// An image of a registry.
    Image,
    /// An earlier stage of the file.
    Stage,
    /// Nothing.
    Scratch,
    /// An image that only the build knows.
    Unresolved,
}

/// Where the value of an argument in `FROM` is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentValue {
    /// Its default in the file.
    Default,
    /// `--build-arg`.
    BuildArg,
    /// It has none.
    Unset,
    /// The builder sets it for each platform.
    Builder,
}

/// Whether labels record the base that ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelRecord {
    /// A label names the base by the digest in `FROM`.
    Recorded,
    /// No label does.
    Missing,
    /// A label names another image or digest, or no digest.
    Differs,
    /// Only the build knows what the label says.
    Unresolved,
}

/// One `FROM`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FromFields {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Where its image is written: the line, from 1.
    pub image_line: u64,
    /// The first column of the image, from 1, in UTF-16 code units.
    pub column: u64,
    /// The column behind its last.
    pub end_column: u64,
    /// The image as written.
    pub written: String,
    /// The name of its stage.
    pub stage: Option<String>,
    /// The value of `--platform` as written.
    pub platform: Option<String>,
    /// What it builds on.
    pub builds_on: BuildsOn,
    /// The image with the values of all arguments; null where it is none, or only the build knows it.
    pub reference: Option<String>,
    /// The name of the stage that it builds on; null where it builds on none.
    pub parent: Option<String>,
    /// The arguments that it names, and where their values are from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, ArgumentValue>,
    /// Whether it is the base of the stage that is built: what ships. Only such a base counts; the others are shown.
    pub ships: bool,
    /// Whether its repository is configured as one of bases. Nothing is asked about any other.
    pub tracked: bool,
    /// Whether it names the image by digest; null where it names none.
    pub pinned: Option<bool>,
    /// Whether labels record it; null of a base that does not ship.
    pub label: Option<LabelRecord>,
    /// What is known about the base; null where nothing was asked.
    pub base: Option<PinnedBase>,
    /// What is concluded about it; null where it is not pinned to a release that could be judged.
    pub verdict: Option<Verdict>,
    /// How bad that is.
    pub severity: Option<Severity>,
    /// What to do about that.
    pub action: Option<Action>,
    /// Why, and what is missing.
    pub reasons: Vec<ReasonFields>,
    /// What it should say instead; null where it is as it should be, or nothing better is known.
    pub fix: Option<FixFields>,
}

/// What is known about the base that a `FROM` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedBase {
    /// The digest, where one is named or a dated tag stands for one.
    pub digest: Option<Digest>,
    /// The release, where a dated tag names it.
    pub release: Option<String>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Where that date is from.
    pub published_source: Option<PublishedSource>,
    /// Whole days since then.
    pub age_days: Option<i64>,
    /// The current release of its line; null where it could not be resolved.
    pub current: Option<CurrentRelease>,
    /// How far it is behind; null when it is not, or when that is not known.
    pub behind: Option<Behind>,
    /// The Lambda runtime that the line carries.
    pub runtime: Option<RuntimeFields>,
}

/// What a `FROM` should say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FixFields {
    /// The image, pinned to the current release.
    pub reference: String,
    /// Why `--fix` cannot write that; absent where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl PinnedBase {
    /// What was resolved and judged, as of `now`.
    #[must_use]
    pub fn new(resolution: &Resolution, judgement: &Judgement, now: DateTime<Utc>) -> Self {
        let published = resolution.base.published;
        let runtime = judgement.runtime.as_ref();
        Self {
            digest: resolution.base.digest.clone(),
            release: resolution.base.release.as_ref().map(ToString::to_string),
            published_at: published.map(|published| published.at),
            published_source: published.map(|published| published.source),
            age_days: published.map(|published| (now - published.at).num_days().max(0)),
            current: CurrentRelease::of(resolution),
            behind: Behind::of_judged(resolution, judgement, now),
            runtime: runtime.map(|(runtime, status)| RuntimeFields::of(runtime, *status)),
        }
    }
}

impl FromFields {
    /// Whether it is what a check is about: a base that ships, and that is configured as one or may be one.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.ships && (self.tracked || self.builds_on == BuildsOn::Unresolved)
    }

    /// Whether a label is missing or wrong.
    #[must_use]
    pub fn is_unrecorded(&self) -> bool {
        matches!(self.label, Some(LabelRecord::Missing | LabelRecord::Differs))
    }

    /// Whether it makes a check with this `threshold` fail: by its verdict, or because it is not pinned or not recorded.
    /// Where nothing can be done, the verdict counts as `unknown` at the most.
    #[must_use]
    pub fn fails(&self, threshold: Verdict) -> bool {
        let counted = self.verdict.map(|verdict| {
            let is_moot = self.action == Some(Action::None) && verdict.is_at_least(Verdict::Unknown);
            if is_moot { Verdict::Unknown } else { verdict }
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

    /// Whether a base that ships makes a check with this `threshold` fail.
    #[must_use]
    pub fn fails(&self, threshold: Verdict) -> bool {
        self.files.iter().flat_map(|file| &file.froms).any(|from| from.fails(threshold))
    }
}
