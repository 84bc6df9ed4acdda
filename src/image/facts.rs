//! What never changes about a digest: the facts that are fetched once ever and remembered.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, TimeZone, Utc};
use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::{Child, Digest, DigestKind, InvalidDocument, Manifest, Platform};

/// Annotations or labels: untrusted text by key.
pub type Annotations = BTreeMap<String, String>;

/// What a digest names, read as far as basewatch needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// An index over several platforms.
    Index(Index),
    /// The image of one platform.
    Image(ImageFacts),
}

impl Content {
    /// Whether this is an index or the image of one platform.
    #[must_use]
    pub fn kind(&self) -> DigestKind {
        match self {
            Self::Index(_) => DigestKind::Index,
            Self::Image(_) => DigestKind::Manifest,
        }
    }
}

/// An image index: which platforms there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its images; attestations are left out.
    pub children: Vec<Child>,
    /// The index's own annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

/// The image of one platform: its manifest and configuration, without what basewatch never asks (so that
/// no environment variable of an image, which may be a secret, is ever stored).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The platform, from the configuration.
    pub platform: Platform,
    /// `created` of the configuration as it stands there; see [`is_plausible`].
    pub created_at: Option<DateTime<Utc>>,
    /// The labels of the configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
    /// The annotations of the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// The digests of the uncompressed layers, lowest first: equal content has equal ones, however it
    /// was compressed.
    pub diff_ids: Vec<Digest>,
}

impl ImageFacts {
    /// Reads the facts out of a manifest and the configuration it names.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument::Json`] when the configuration does not parse.
    pub fn read(manifest: Manifest, config: &[u8]) -> Result<Self, InvalidDocument> {
        let json = |error: String| InvalidDocument::Json(error);
        let config: ImageConfiguration = serde_json::from_slice(config).map_err(|error| json(error.to_string()))?;
        let diff_ids = config
            .rootfs()
            .diff_ids()
            .iter()
            .map(|text| text.parse().map_err(|error| json(format!("diff_id {text:?}: {error}"))))
            .collect::<Result<_, _>>()?;
        let created_at = config.created().as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let labels = config.config().as_ref().and_then(|config| config.labels().as_ref());
        Ok(Self {
            platform: Platform::new(
                &config.os().to_string(),
                &config.architecture().to_string(),
                config.variant().as_deref(),
            ),
            created_at: created_at.map(|at| at.to_utc()),
            labels: labels.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            annotations: manifest.annotations,
            diff_ids,
        })
    }

    /// Whether all of `base`'s layers are this image's lowest ones. An image without layers proves nothing.
    #[must_use]
    pub fn stands_on(&self, base: &[Digest]) -> bool {
        !base.is_empty() && self.diff_ids.starts_with(base)
    }
}

/// Whether `at` can be an instant at which something was built, seen from `now`.
///
/// Reproducible builds write 1970-01-01, 1980-01-01 or year 1, which say nothing (for one,
/// GoogleContainerTools/distroless#288). An hour of clock skew is forgiven.
#[must_use]
pub fn is_plausible(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let containers_exist = Utc.with_ymd_and_hms(2013, 1, 1, 0, 0, 0).single();
    containers_exist.is_some_and(|start| at >= start) && at <= now + Duration::hours(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_the_future_are_no_dates() {
        let now = "2026-11-20T06:00:00Z".parse().expect("valid");
        for text in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "2026-11-20T07:30:00Z"] {
            assert!(!is_plausible(text.parse().expect("valid"), now), "{text}");
        }
        for text in ["2014-06-01T00:00:00Z", "2026-11-20T06:30:00Z"] {
            assert!(is_plausible(text.parse().expect("valid"), now), "{text}");
        }
    }

    #[test]
    fn a_configuration_is_read_without_its_environment() {
        let manifest = Manifest { config: Digest::of(b""), config_bytes: 0, annotations: BTreeMap::new() };
        let diff_id = Digest::of(b"layer");
        let config = format!(
            r#"{{"architecture":"arm64","os":"linux","created":"2026-08-22T00:13:00.5Z","history":null,
                "config":{{"Env":["TOKEN=hush"],"Labels":{{"sdkBaseVersion":"x"}}}},
                "rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
        );
        let facts = ImageFacts::read(manifest.clone(), config.as_bytes()).expect("reads");
        assert_eq!(facts.platform.to_string(), "linux/arm64");
        assert_eq!(facts.labels["sdkBaseVersion"], "x");
        assert!(facts.stands_on(&[diff_id]) && !facts.stands_on(&[]));
        assert!(!serde_json::to_string(&Content::Image(facts)).expect("serializes").contains("hush"));
        let bare = r#"{"architecture":"amd64","os":"linux","created":"","config":{"Labels":null},"rootfs":{"type":"layers","diff_ids":[]}}"#;
        assert_eq!(ImageFacts::read(manifest, bare.as_bytes()).expect("reads").created_at, None);
    }
}
