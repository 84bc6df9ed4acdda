//! What never changes about a digest: the facts that are fetched once ever and remembered.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Child, Digest, DigestKind, InvalidDocument, Manifest, Platform,
    document::LAYERS,
    lenient::{self, First, OrNone, Text},
};

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
    #[serde(default, deserialize_with = "lenient::texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

/// The image of one platform: its manifest and configuration, without what basewatch never asks (so that
/// no environment variable of an image, which may be a secret, is ever stored).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The platform, from the configuration; [`Platform::is_unknown`] where that does not say.
    pub platform: Platform,
    /// The digest of the configuration: what Docker calls the image's id.
    pub config: Digest,
    /// `created` of the configuration as it stands there; see [`is_plausible`].
    pub created_at: Option<DateTime<Utc>>,
    /// The youngest `created` among the entries of `history`, as it stands there; see [`is_plausible`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_created_at: Option<DateTime<Utc>>,
    /// The labels of the configuration; of long ones only the beginning, see [`super::is_cut`].
    #[serde(default, deserialize_with = "lenient::texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
    /// The annotations of the manifest, cut like labels.
    #[serde(default, deserialize_with = "lenient::texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
    /// The digests of the uncompressed layers, lowest first: equal content has equal ones, however it
    /// was compressed.
    pub diff_ids: Vec<Digest>,
    /// The digests of the layers as the manifest lists them, lowest first; empty where they are not known. Equal ones
    /// are equal content; different ones may be, compressed in another way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Digest>,
}

impl ImageFacts {
    /// Reads the facts out of a manifest and the configuration it names.
    ///
    /// It must have a `rootfs`, or an operating system and an architecture, by which an image's configuration is told
    /// from other JSON. Whatever else is missing, null or of another type is left out: real configurations have a `rootfs` without `type`, `diff_ids: null` and null labels
    /// (siderolabs/talos#12537, moby/moby#27568). A diff_id that is no digest leaves the layers unknown, for a
    /// shorter list would match images built on another base.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument::Json`] when the configuration does not parse.
    pub fn read(manifest: Manifest, config: &[u8]) -> Result<Self, InvalidDocument> {
        let read: RawConfiguration = serde_json::from_slice(config).map_err(InvalidDocument::json)?;
        let stated = |text: Option<String>| text.filter(|text| !text.is_empty());
        let platform = match (stated(read.os), stated(read.architecture)) {
            (Some(os), Some(architecture)) => Platform::new(&os, &architecture, read.variant.as_deref()),
            _ if read.rootfs.is_some() => Platform::unknown(),
            _ => return Err(InvalidDocument::json("it is no image configuration")),
        };
        Ok(Self {
            platform,
            config: manifest.config,
            created_at: read.created_at,
            history_created_at: read.history_created_at,
            labels: read.config.map(|config| config.labels).unwrap_or_default(),
            annotations: manifest.annotations,
            diff_ids: read.rootfs.and_then(RawRootfs::diff_ids).unwrap_or_default(),
            layers: manifest.layers,
        })
    }

    /// Whether all of `base`'s layers are this image's lowest ones. An image without layers proves nothing.
    #[must_use]
    pub fn stands_on(&self, base: &[Digest]) -> bool {
        !base.is_empty() && self.diff_ids.starts_with(base)
    }
}

/// An image configuration, as far as it is used.
#[derive(Deserialize)]
struct RawConfiguration {
    #[serde(default, deserialize_with = "lenient::text")]
    os: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    architecture: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    variant: Option<String>,
    #[serde(default, rename = "created", deserialize_with = "lenient::instant")]
    created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::object")]
    config: Option<RawSettings>,
    #[serde(default, deserialize_with = "lenient::object")]
    rootfs: Option<RawRootfs>,
    #[serde(default, rename = "history", deserialize_with = "youngest")]
    history_created_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct RawSettings {
    #[serde(default, rename = "Labels", deserialize_with = "lenient::texts")]
    labels: Annotations,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default, deserialize_with = "lenient::first_or_none::<_, _, LAYERS>")]
    diff_ids: First<Text>,
}

#[derive(Deserialize)]
struct RawHistory {
    #[serde(default, rename = "created", deserialize_with = "lenient::instant")]
    created_at: Option<DateTime<Utc>>,
}

impl RawRootfs {
    /// The diff_ids, if all of them are digests, and not too many.
    fn diff_ids(self) -> Option<Vec<Digest>> {
        let all = Some(self.diff_ids).filter(First::is_whole)?;
        all.entries.into_iter().map(|Text(text)| text?.parse().ok()).collect()
    }
}

/// The youngest `created` in a history.
fn youngest<'de, D: Deserializer<'de>>(field: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let mut youngest = None;
    lenient::each_entry_or_none(field, |OrNone(entry): OrNone<RawHistory>| {
        youngest = youngest.max(entry.and_then(|entry| entry.created_at));
    })?;
    Ok(youngest)
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
        let manifest = Manifest::new(Digest::of(b""), None);
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

    #[test]
    fn of_long_lists_and_long_names_only_as_much_is_kept_as_is_used() {
        let manifest = Manifest::new(Digest::of(b""), None);
        let layer = Digest::of(b"layer");
        let layers = |count: usize| vec![format!("\"{layer}\""); count].join(",");
        let read = |os: &str, layers: &str| {
            let history = r#"{"created":"2026-11-14T07:00:00Z"},"#.repeat(5000);
            let config = format!(
                r#"{{"os":"{os}","architecture":"amd64","created":[{}0],"rootfs":{{"diff_ids":[{layers}]}},
                    "history":[{history}{{"created":"2026-11-15T07:00:00Z"}}]}}"#,
                "0,".repeat(5000)
            );
            ImageFacts::read(manifest.clone(), config.as_bytes()).expect("reads")
        };
        let facts = read("linux", &layers(LAYERS));
        assert_eq!((facts.diff_ids.len(), facts.created_at), (LAYERS, None));
        assert_eq!(facts.history_created_at, "2026-11-15T07:00:00Z".parse().ok(), "of all entries the youngest");
        let facts = read(&"x".repeat(10_000), &layers(LAYERS + 1));
        assert!(facts.diff_ids.is_empty(), "a part of the layers would match other images");
        assert!(facts.platform.to_string().len() < 200);
    }

    #[test]
    fn facts_that_an_earlier_version_kept_whole_are_cut_when_they_are_read() {
        let kept = format!(
            r#"{{"image":{{"platform":"linux/arm64","config":"{}","created_at":null,"diff_ids":[],
                "labels":{{"sdkBaseVersion":"{}"}},"annotations":{{"a":"{}"}}}}}}"#,
            Digest::of(b""),
            "x".repeat(100_000),
            "y".repeat(100_000)
        );
        let Content::Image(facts) = serde_json::from_str(&kept).expect("reads") else { panic!("an image") };
        assert!(super::super::is_cut(&facts.labels["sdkBaseVersion"]) && super::super::is_cut(&facts.annotations["a"]));
        let again = serde_json::to_string(&Content::Image(facts.clone())).expect("has a JSON form");
        assert_eq!(serde_json::from_str::<Content>(&again).expect("reads"), Content::Image(facts), "cut once");
    }

    #[test]
    fn a_configuration_that_breaks_the_specification_is_read_as_far_as_it_goes() {
        let manifest = Manifest::new(Digest::of(b""), None);
        let read = |rest: &str| {
            let config = format!(r#"{{"os":"linux","architecture":"amd64",{rest}}}"#);
            ImageFacts::read(manifest.clone(), config.as_bytes()).expect(rest)
        };
        let layer = Digest::of(b"layer");
        for rest in [
            r#""rootfs":{"diff_ids":null}"#.to_owned(),
            r#""rootfs":null,"config":null,"history":null,"variant":null"#.to_owned(),
            r#""created":7,"config":{"Labels":{"a":null,"b":["x"]},"Env":"A=B"}"#.to_owned(),
            r#""rootfs":{"diff_ids":{}},"config":"x","history":[null,7,{"created":null}]"#.to_owned(),
            // A shorter list would be a prefix of images built on another base.
            format!(r#""rootfs":{{"diff_ids":["{layer}","blake3:00"]}}"#),
            format!(r#""rootfs":{{"diff_ids":["{layer}",null]}}"#),
        ] {
            let facts = read(&rest);
            assert!(facts.diff_ids.is_empty() && facts.labels.is_empty() && facts.created_at.is_none(), "{rest}");
        }
        let facts = read(&format!(
            r#""rootfs":{{"diff_ids":["{layer}"]}},"created":"2026-08-18T00:00:00Z",
               "history":[{{"created":"2026-11-14T07:00:00Z"}},{{"created":"then"}},{{}},{{"created":"2026-08-18T00:00:00Z"}}]"#
        ));
        assert_eq!(facts.diff_ids, [layer]);
        assert_eq!(facts.history_created_at, "2026-11-14T07:00:00Z".parse().ok());
        for garbage in ["{}", "[]", r#"{"config":{}}"#, r#"{"os":"linux","rootfs":null}"#, "<html>"] {
            assert!(ImageFacts::read(manifest.clone(), garbage.as_bytes()).is_err(), "{garbage}");
        }
    }

    #[test]
    fn a_configuration_that_states_no_platform_leaves_it_to_the_index() {
        let manifest = Manifest::new(Digest::of(b""), None);
        for config in [r#"{"rootfs":{"diff_ids":[]}}"#, r#"{"os":"","architecture":"amd64","rootfs":{}}"#] {
            let facts = ImageFacts::read(manifest.clone(), config.as_bytes()).expect(config);
            assert!(facts.platform.is_unknown());
        }
    }
}
