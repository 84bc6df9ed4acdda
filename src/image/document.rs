//! Manifests and indexes: one document, read by what it is and not only by what it is called.

use serde::{Deserialize, Serialize};

use super::{
    Annotations, Digest, Index, MESSAGE_BYTES, Platform, clip,
    lenient::{self, First},
};

/// The four media types a registry may answer a manifest request with, all of which must be asked for:
/// a registry converts, or answers 404, when the stored one is not among them.
pub const MANIFEST_MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// How many images of an index are read. Each costs two requests, and nobody builds for more platforms;
/// an index of a few megabytes can name ten thousand.
const INDEX_IMAGES: usize = 128;
/// How many entries of an index are looked at: images, and what is attached to each.
const INDEX_ENTRIES: usize = 1024;

/// What kind of thing a digest names. The three differ for one and the same image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigestKind {
    /// An image index: one digest for all platforms.
    Index,
    /// The manifest of one platform.
    Manifest,
}

impl DigestKind {
    /// The kind that one of [`MANIFEST_MEDIA_TYPES`] announces.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        match MANIFEST_MEDIA_TYPES.iter().position(|known| *known == media_type)? {
            0 | 2 => Some(Self::Index),
            _ => Some(Self::Manifest),
        }
    }
}

/// A parsed manifest or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// An image index (or Docker manifest list).
    Index(Index),
    /// An image manifest.
    Manifest(Manifest),
}

/// The manifest of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of the image configuration.
    pub config: Digest,
    /// The size of the image configuration in bytes, as the manifest promises it.
    pub config_bytes: u64,
    /// The manifest's annotations.
    pub annotations: Annotations,
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The digest of the platform's manifest.
    pub digest: Digest,
    /// The platform, where the entry states it; the specification makes it optional.
    pub platform: Option<Platform>,
    /// What the entry says it names: an image manifest, or another index.
    #[serde(default = "manifest_kind", skip_serializing_if = "is_manifest_kind")]
    pub kind: DigestKind,
    /// The annotations of the entry that basewatch uses: [`CHILD_ANNOTATIONS`].
    #[serde(
        default,
        deserialize_with = "lenient::texts",
        skip_serializing_if = "std::collections::BTreeMap::is_empty"
    )]
    pub annotations: Annotations,
}

impl Child {
    /// The entry of an image that says no more than its platform.
    #[must_use]
    pub fn new(digest: Digest, platform: Option<Platform>) -> Self {
        Self { digest, platform, kind: DigestKind::Manifest, annotations: Annotations::new() }
    }
}

/// The annotations of an index entry that are kept: when the image was built, and on which base (OCI image
/// specification, annotations.md). docker-library writes them there and not into the manifest.
pub const CHILD_ANNOTATIONS: [&str; 3] =
    ["org.opencontainers.image.created", "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];

fn manifest_kind() -> DigestKind {
    DigestKind::Manifest
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_manifest_kind(kind: &DigestKind) -> bool {
    *kind == DigestKind::Manifest
}

/// Why a body is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// The media type is none of the four.
    #[error("media type {0:?} is no image manifest or index")]
    MediaType(String),
    /// Header and body disagree.
    #[error("it is served as {served} and says it is {stated}")]
    Contradiction {
        /// The `Content-Type` of the answer.
        served: String,
        /// The `mediaType` in the body.
        stated: String,
    },
    /// The body holds the fields of a manifest and of an index, so that two readers could see two images.
    #[error("it has the fields of both a manifest and an index")]
    Ambiguous,
    /// The index names more images than are read.
    #[error("its index names {0} images, where at most {INDEX_IMAGES} are read")]
    TooManyImages(usize),
    /// The body is no JSON of the shape its type calls for.
    #[error("it does not parse: {0}")]
    Json(String),
}

impl InvalidDocument {
    /// The body is no JSON of its shape; `why` may quote it.
    pub(super) fn json(why: impl std::fmt::Display) -> Self {
        Self::Json(clip(why.to_string(), MESSAGE_BYTES))
    }

    fn media_type(media_type: &str) -> Self {
        Self::MediaType(clip(media_type, QUOTED_BYTES))
    }
}

/// How much of a media type or a digest is quoted, in bytes.
const QUOTED_BYTES: usize = 200;

/// The fields by which a body is told apart before it is parsed as one or the other.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Parses a manifest body that was served as `content_type`.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument`] when header, body and shape do not agree (the OCI distribution specification
    /// asks clients to check this, because of CVE-2021-41190).
    pub fn parse(body: &[u8], content_type: Option<&str>) -> Result<Self, InvalidDocument> {
        let served = content_type.map(|value| value.split(';').next().unwrap_or(value).trim());
        let outline: Outline = serde_json::from_slice(body).map_err(|error| match served {
            // A login page of a proxy, for one.
            Some(served) if served.starts_with("text/html") => InvalidDocument::media_type(served),
            _ => InvalidDocument::json(error),
        })?;
        if let (Some(served), Some(stated)) = (served, outline.media_type.as_deref())
            && served != stated
        {
            let quoted = |media_type: &str| clip(media_type, QUOTED_BYTES);
            return Err(InvalidDocument::Contradiction { served: quoted(served), stated: quoted(stated) });
        }
        let is_index = outline.manifests.is_some();
        if is_index && (outline.config.is_some() || outline.layers.is_some()) {
            return Err(InvalidDocument::Ambiguous);
        }
        if let Some(media_type) = outline.media_type.as_deref().or(served) {
            let kind = DigestKind::of_media_type(media_type).ok_or_else(|| InvalidDocument::media_type(media_type))?;
            if is_index != (kind == DigestKind::Index) {
                return Err(InvalidDocument::json(format!("it is not of the shape of {media_type}")));
            }
        }
        if is_index {
            let index: RawIndex = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
            Index::from_raw(index).map(Self::Index)
        } else {
            let manifest: RawManifest = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
            Manifest::from_raw(manifest).map(Self::Manifest)
        }
    }

    /// Whether this is an index or a single manifest.
    #[must_use]
    pub fn kind(&self) -> DigestKind {
        match self {
            Self::Index(_) => DigestKind::Index,
            Self::Manifest(_) => DigestKind::Manifest,
        }
    }
}

/// A manifest, as far as it is used. Real documents break the specification in fields that basewatch does not
/// use (`layers: null`, an annotation that is null), and are still images.
#[derive(Deserialize)]
struct RawManifest {
    config: RawDescriptor,
    #[serde(default, deserialize_with = "lenient::texts")]
    annotations: Annotations,
}

#[derive(Deserialize)]
struct RawIndex {
    #[serde(default, deserialize_with = "lenient::first::<_, _, INDEX_ENTRIES>")]
    manifests: First<RawDescriptor>,
    #[serde(default, deserialize_with = "lenient::texts")]
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: String,
    size: Option<u64>,
    platform: Option<RawPlatform>,
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::standard_texts")]
    annotations: Annotations,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl RawDescriptor {
    fn digest(&self) -> Result<Digest, InvalidDocument> {
        let text = &self.digest;
        text.parse().map_err(|error| InvalidDocument::json(format!("digest {:?}: {error}", clip(text, QUOTED_BYTES))))
    }

    /// The platform, if operating system and architecture are both stated.
    fn platform(&self) -> Option<Platform> {
        let platform = self.platform.as_ref()?;
        let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Some(Platform::new(&stated(&platform.os)?, &stated(&platform.architecture)?, platform.variant.as_deref()))
    }

    /// What an entry of an index names; `None` for an attestation, a signature or another artifact.
    fn child_kind(&self) -> Option<DigestKind> {
        let is_attestation = self.annotations.contains_key("vnd.docker.reference.type");
        if is_attestation || self.artifact_type.is_some() || self.platform().is_some_and(|it| it.is_unknown()) {
            return None;
        }
        self.media_type.as_deref().map_or(Some(DigestKind::Manifest), DigestKind::of_media_type)
    }
}

impl Manifest {
    fn from_raw(manifest: RawManifest) -> Result<Self, InvalidDocument> {
        let size = manifest.config.size;
        Ok(Self {
            config: manifest.config.digest()?,
            config_bytes: size.ok_or_else(|| InvalidDocument::json("its config has no size"))?,
            annotations: manifest.annotations,
        })
    }
}

impl Index {
    /// Keeps what names images, also through a nested index: attestations and signatures are left out.
    fn from_raw(index: RawIndex) -> Result<Self, InvalidDocument> {
        if !index.manifests.is_whole() {
            return Err(InvalidDocument::TooManyImages(index.manifests.count));
        }
        let mut children = Vec::new();
        for mut entry in index.manifests.entries {
            let Some(kind) = entry.child_kind() else { continue };
            let mut annotations = std::mem::take(&mut entry.annotations);
            annotations.retain(|key, _| CHILD_ANNOTATIONS.contains(&key.as_str()));
            children.push(Child { digest: entry.digest()?, platform: entry.platform(), kind, annotations });
        }
        if children.len() > INDEX_IMAGES {
            return Err(InvalidDocument::TooManyImages(children.len()));
        }
        Ok(Self { children, annotations: index.annotations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest(media_type: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{HEX}","size":2}},"layers":[],"annotations":{{"a":"b"}}}}"#
        )
    }

    fn entry(os: &str, arch: &str, extra: &str) -> String {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{HEX}","size":2,"platform":{{"os":"{os}","architecture":"{arch}"}}{extra}}}"#
        )
    }

    #[test]
    fn both_manifest_types_are_read() {
        for media_type in [MANIFEST_MEDIA_TYPES[1], MANIFEST_MEDIA_TYPES[3]] {
            let document = Document::parse(manifest(media_type).as_bytes(), Some(media_type)).expect(media_type);
            let Document::Manifest(read) = document else { panic!("a manifest") };
            assert_eq!((read.config.hex(), read.config_bytes), (HEX, 2));
            assert_eq!(read.annotations["a"], "b");
        }
    }

    #[test]
    fn an_index_keeps_images_and_drops_attestations() {
        for media_type in [MANIFEST_MEDIA_TYPES[0], MANIFEST_MEDIA_TYPES[2]] {
            let attestation = r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#;
            let body = format!(
                r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[{},{},{}]}}"#,
                entry("linux", "arm64", ""),
                entry("linux", "amd64", ""),
                entry("unknown", "unknown", attestation),
            );
            let document = Document::parse(body.as_bytes(), Some(media_type)).expect(media_type);
            assert_eq!(document.kind(), DigestKind::Index);
            let Document::Index(index) = document else { panic!("an index") };
            let platforms: Vec<_> = index.children.iter().filter_map(|c| c.platform.clone()).collect();
            assert_eq!(platforms, ["linux/arm64".parse().unwrap(), "linux/amd64".parse().unwrap()]);
        }
    }

    #[test]
    fn a_body_that_two_readers_would_read_differently_is_refused() {
        let oci = MANIFEST_MEDIA_TYPES[1];
        let body = manifest(oci);
        assert!(matches!(
            Document::parse(body.as_bytes(), Some(MANIFEST_MEDIA_TYPES[0])),
            Err(InvalidDocument::Contradiction { .. })
        ));
        let both = body.replacen('{', r#"{"manifests":[],"#, 1);
        assert_eq!(Document::parse(both.as_bytes(), Some(oci)), Err(InvalidDocument::Ambiguous));
        let untyped = body.replace(&format!(r#""mediaType":"{oci}","#), "");
        assert!(Document::parse(untyped.as_bytes(), Some(MANIFEST_MEDIA_TYPES[0])).is_err());
        assert!(Document::parse(untyped.as_bytes(), Some(oci)).is_ok());
        assert!(matches!(Document::parse(b"<html>", Some(oci)), Err(InvalidDocument::Json(_))));
        for page in [&b"<html>"[..], b"{}"] {
            assert!(matches!(Document::parse(page, Some("text/html")), Err(InvalidDocument::MediaType(_))));
        }
    }

    #[test]
    fn fields_that_are_not_used_may_break_the_specification() {
        let oci = MANIFEST_MEDIA_TYPES[1];
        let config = format!(r#""config":{{"digest":"sha256:{HEX}","size":2,"annotations":null}}"#);
        for extra in [
            r#""layers":null,"annotations":null"#,
            r#""layers":[{"digest":"blake3:00"}],"annotations":{"a":null,"b":7,"c":"d"}"#,
            r#""schemaVersion":"2","subject":[]"#,
        ] {
            let body = format!("{{{config},{extra}}}");
            let Ok(Document::Manifest(read)) = Document::parse(body.as_bytes(), Some(oci)) else { panic!("{extra}") };
            assert_eq!(read.config.hex(), HEX);
            assert!(read.annotations.iter().all(|(key, value)| (key.as_str(), value.as_str()) == ("c", "d")));
        }
        for body in [format!(r#"{{"config":{{"digest":"sha256:{HEX}"}}}}"#), r#"{"config":null}"#.to_owned()] {
            assert!(matches!(Document::parse(body.as_bytes(), Some(oci)), Err(InvalidDocument::Json(_))), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_without_quoting_megabytes() {
        let long = "a".repeat(1 << 20);
        for body in [
            format!(r#"{{"mediaType":"{long}","manifests":[]}}"#),
            format!(r#"{{"manifests":"{long}"}}"#),
            format!(r#"{{"config":{{"digest":"{long}","size":1}}}}"#),
            format!(r#"{{"manifests":[{{"digest":"{long}"}}]}}"#),
            format!(r#"{{"manifests":[{}]}}"#, vec![r#"{"digest":""}"#; INDEX_ENTRIES + 1].join(",")),
        ] {
            let error = Document::parse(body.as_bytes(), None).expect_err(&body[..20]).to_string();
            assert!(error.len() < 1200, "{} bytes: {}", error.len(), &error[..200]);
        }
    }

    #[test]
    fn an_entry_keeps_its_kind_and_says_which_base_and_when() {
        let oci = MANIFEST_MEDIA_TYPES[0];
        let body = format!(
            r#"{{"manifests":[
                {{"mediaType":"{oci}","digest":"sha256:{HEX}","platform":null}},
                {{"digest":"sha256:{HEX}","platform":{{"architecture":"amd64"}}}},
                {{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{HEX}",
                  "platform":{{"os":"linux","architecture":"arm64","variant":null}},
                  "annotations":{{"org.opencontainers.image.created":"2026-11-14T00:00:00Z","x":"y","z":null}}}},
                {{"artifactType":"application/x","digest":"garbage"}}]}}"#
        );
        let Ok(Document::Index(index)) = Document::parse(body.as_bytes(), Some(oci)) else { panic!("an index") };
        let read: Vec<_> = index.children.iter().map(|c| (c.kind, c.platform.is_some(), c.annotations.len())).collect();
        let (nested, image) = (DigestKind::Index, DigestKind::Manifest);
        assert_eq!(read, [(nested, false, 0), (image, false, 0), (image, true, 1)]);
    }
}
