//! The output of `basewatch stamp`: build options that pin and record a base. The JSON contract `basewatch.stamp/v1`.

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

/// The build argument for the base.
const ARGUMENT: &str = "BASE";

/// A pinned base with its build options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "basewatch stamp", extend("$id" = STAMP_SCHEMA))]
pub struct Stamp {
    /// Always `basewatch.stamp/v1`.
    pub schema: String,
    /// The time of the stamp.
    pub generated_at: DateTime<Utc>,
    /// The requested reference as written, as in `FROM`.
    pub reference: String,
    /// The base by digest: `public.ecr.aws/lambda/java@sha256:…`.
    pub base: String,
    /// The base by tag and digest, if a tag was requested.
    pub pinned: String,
    /// The digest.
    pub digest: Digest,
    /// What the digest identifies.
    pub digest_kind: DigestKind,
    /// The line; null if unknown.
    pub line: Option<String>,
    /// The dated tag of the release; null if unknown.
    pub release: Option<String>,
    /// The publish date; null if unknown.
    pub published_at: Option<DateTime<Utc>>,
    /// The preferred label, the first of `identify.labels`; null if there is none.
    pub label: Option<String>,
    /// All labels that record the base.
    pub labels: BTreeMap<String, String>,
    /// The build arguments that pin the base.
    pub build_arguments: BTreeMap<String, String>,
    /// The named build contexts that pin the base if `FROM` contains `reference` literally.
    pub build_contexts: BTreeMap<String, String>,
}

/// A label key that is not safe for build tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLabelKey(String);

impl fmt::Display for InvalidLabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the label {:?} cannot be passed to a build: use only letters, digits and . _ - /", self.0)
    }
}

impl std::error::Error for InvalidLabelKey {}

impl Stamp {
    /// Creates the stamp of `base`, requested as `written`. Sets the first of the label keys `labels`.
    ///
    /// # Errors
    ///
    /// When the label key contains a character with a special meaning in shells or build tools.
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

    /// The labels, starting with the preferred one.
    fn ordered_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_first = |key: &str| self.label.as_deref() == Some(key);
        let first = self.labels.iter().filter(move |(key, _)| is_first(key));
        let rest = self.labels.iter().filter(move |(key, _)| !is_first(key)).rev();
        first.chain(rest).map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
