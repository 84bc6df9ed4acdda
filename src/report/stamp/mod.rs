//! The answer of `basewatch stamp`: what a build passes on to pin its base and to record it. The JSON contract
//! `basewatch.stamp/v1`, and the forms in which build tools take it.

mod formats;

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use formats::{buildah, cdk, docker, dockerfile, env, gradle, sbt};

use super::BaseReport;
use crate::{
    identify::{OCI_BASE_DIGEST, OCI_BASE_NAME},
    image::{Digest, DigestKind, Reference},
};

/// The value of `schema` in every [`Stamp`].
pub const STAMP_SCHEMA: &str = "basewatch.stamp/v1";

/// The build argument that holds the base.
const ARGUMENT: &str = "BASE";

/// A base, pinned, and how a build passes it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch stamp", extend("$id" = STAMP_SCHEMA))]
pub struct Stamp {
    /// Always `basewatch.stamp/v1`.
    pub schema: String,
    /// The instant that counts as now.
    pub generated_at: DateTime<Utc>,
    /// The reference that was asked for, as it was written: what stands in `FROM`.
    pub reference: String,
    /// The base by its digest: `public.ecr.aws/lambda/java@sha256:…`.
    pub base: String,
    /// The same with the tag that it was asked for by, if there was one.
    pub pinned: String,
    /// The digest.
    pub digest: Digest,
    /// What that digest names.
    pub digest_kind: DigestKind,
    /// The line it belongs to, where that is known.
    pub line: Option<String>,
    /// The release, where a dated tag names it.
    pub release: Option<String>,
    /// When that was published.
    pub published_at: Option<DateTime<Utc>>,
    /// The label that records the base by default, the first of `identify.labels`; null where there is none.
    pub label: Option<String>,
    /// All labels that record it.
    pub labels: BTreeMap<String, String>,
    /// The build arguments that pin it.
    pub build_arguments: BTreeMap<String, String>,
    /// The named contexts that pin it where `FROM` names it literally.
    pub build_contexts: BTreeMap<String, String>,
}

/// Why a label cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLabelKey(String);

impl fmt::Display for InvalidLabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the label {:?} cannot be passed to a build: use letters, digits, and . _ - / only", self.0)
    }
}

impl std::error::Error for InvalidLabelKey {}

impl Stamp {
    /// The stamp of `base`, which was asked for by the text `written`; `labels` are the keys that are looked for in
    /// images, of which the first is set.
    ///
    /// # Errors
    ///
    /// When that key has a character that a shell or a build tool would take for something else.
    pub fn new(
        base: &BaseReport,
        written: &str,
        reference: &Reference,
        labels: &[String],
    ) -> Result<Self, InvalidLabelKey> {
        let label = labels.first().cloned();
        let is_plain = |key: &&String| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
            !key.is_empty() && !key.starts_with('-') && key.bytes().all(is_allowed)
        };
        if let Some(key) = label.iter().find(|key| !is_plain(key)) {
            return Err(InvalidLabelKey(key.clone()));
        }
        let by_digest = Reference::pinned(reference.repository.clone(), base.digest.clone());
        let pinned = Reference { tag: reference.tag.clone(), ..by_digest.clone() };
        let name = match &reference.tag {
            Some(tag) => Some(Reference::tagged(reference.repository.clone(), tag).to_string()),
            None => base.line.clone(),
        };
        let by_digest = by_digest.to_string();
        let mut recorded = BTreeMap::from([(OCI_BASE_DIGEST.to_owned(), base.digest.to_string())]);
        recorded.extend(name.map(|name| (OCI_BASE_NAME.to_owned(), name)));
        recorded.extend(label.clone().map(|key| (key, by_digest.clone())));
        let first = base.platforms.first();
        Ok(Self {
            schema: STAMP_SCHEMA.to_owned(),
            generated_at: base.generated_at,
            reference: written.to_owned(),
            pinned: pinned.to_string(),
            digest: base.digest.clone(),
            digest_kind: base.digest_kind,
            line: base.line.clone(),
            release: first.and_then(|platform| platform.release.clone()),
            published_at: first.and_then(|platform| platform.published_at),
            label,
            labels: recorded,
            build_arguments: BTreeMap::from([(ARGUMENT.to_owned(), by_digest.clone())]),
            build_contexts: BTreeMap::from([(written.to_owned(), format!("docker-image://{by_digest}"))]),
            base: by_digest,
        })
    }

    /// The labels, the one that records the base by default first.
    fn ordered_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_first = |key: &str| self.label.as_deref() == Some(key);
        let first = self.labels.iter().filter(move |(key, _)| is_first(key));
        let rest = self.labels.iter().filter(move |(key, _)| !is_first(key)).rev();
        first.chain(rest).map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
