//! Manifests and indexes, checked by their content as well as their media type.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Annotations, ChildManifest, Digest, DigestKind, InvalidDocument, QUOTED_BYTES,
    attestation::is_envelope,
    clip,
    descriptor::{RawDescriptor, essence, predicate_type},
    fingerprint,
    invalid_document::INDEX_IMAGES,
    is_provenance,
    lenient::{self, FirstEntries, LenientEntry},
};

/// The most entries of an index that are read: images and their attestations.
const INDEX_ENTRIES: usize = 1024;

/// A parsed manifest or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestDocument {
    /// An image index (or Docker manifest list).
    Index(ImageIndex),
    /// An image manifest.
    Manifest(ImageManifest),
}

/// An image index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageIndex {
    /// Its images; attestations are left out.
    pub children: Vec<ChildManifest>,
    /// The index's own annotations.
    #[serde(default, deserialize_with = "lenient::texts", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

/// The manifest of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// The digest of the image configuration.
    pub config: Digest,
    /// The size of the image configuration in bytes, if the manifest states it.
    pub config_bytes: Option<u64>,
    /// The digests of its layers, lowest first. Empty if one of them is malformed: a partial list would be a prefix of
    /// other images.
    pub layers: Vec<Digest>,
    /// Whether its first layers have the sizes of those of a Lambda base.
    pub has_lambda_sizes: bool,
    /// The in-toto statements among its layers, if it is an attestation.
    pub statements: Vec<StatementDescriptor>,
    /// The manifest's annotations.
    pub annotations: Annotations,
}

/// The descriptor of an in-toto statement in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementDescriptor {
    /// The digest of its blob.
    pub digest: Digest,
    /// The size of the blob in bytes, if stated.
    pub bytes: Option<u64>,
    /// The predicate type: `https://slsa.dev/provenance/v1`; `None` for an envelope without one.
    pub predicate_type: Option<String>,
}

impl StatementDescriptor {
    /// Whether it may be provenance.
    #[must_use]
    pub fn may_be_provenance(&self) -> bool {
        self.predicate_type.as_deref().is_none_or(is_provenance)
    }
}

impl ImageManifest {
    /// A manifest with only the configuration `config` of `config_bytes`.
    #[must_use]
    pub fn new(config: Digest, config_bytes: Option<u64>) -> Self {
        Self {
            config,
            config_bytes,
            layers: Vec::new(),
            has_lambda_sizes: false,
            statements: Vec::new(),
            annotations: Annotations::new(),
        }
    }
}

/// The fields that distinguish a manifest from an index before it is parsed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentProbe {
    #[serde(default, deserialize_with = "lenient::text")]
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "manifests", deserialize_with = "lenient::is_there")]
    is_index: bool,
}

impl ManifestDocument {
    /// Parses a manifest body that was served as `content_type`.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument`] if header, body and shape do not agree (the OCI distribution specification requires this
    /// check, because of CVE-2021-41190).
    pub fn parse(body: &[u8], content_type: Option<&str>) -> Result<Self, InvalidDocument> {
        let served = content_type.map(essence).filter(|served| !is_any_bytes(served));
        let outline: DocumentProbe = serde_json::from_slice(body).map_err(|error| match served {
            // For example, a login page of a proxy.
            Some(served) if served.starts_with("text/html") => InvalidDocument::media_type(served),
            _ => InvalidDocument::json(error),
        })?;
        let stated = outline.media_type.as_deref().map(essence);
        if let (Some(served), Some(stated)) = (served, stated)
            && !served.eq_ignore_ascii_case(stated)
        {
            let quoted = |media_type: &str| clip(media_type, QUOTED_BYTES);
            return Err(InvalidDocument::Contradiction { served: quoted(served), stated: quoted(stated) });
        }
        let is_index = outline.is_index;
        if is_index && (outline.config.is_some() || outline.layers.is_some()) {
            return Err(InvalidDocument::Ambiguous);
        }
        if let Some(media_type) = stated.or(served) {
            let kind =
                DigestKind::from_media_type(media_type).ok_or_else(|| InvalidDocument::media_type(media_type))?;
            if is_index != (kind == DigestKind::Index) {
                return Err(InvalidDocument::json(format!("it does not have the shape of {media_type}")));
            }
        }
        if is_index {
            let index: RawIndex = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
            ImageIndex::from_raw(index).map(Self::Index)
        } else {
            let manifest: RawManifest = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
            ImageManifest::from_raw(manifest).map(Self::Manifest)
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

/// The used fields of a manifest. Real documents break the specification in other fields (`layers: null`, an annotation
/// that is null).
#[derive(Deserialize)]
struct RawManifest {
    config: RawDescriptor,
    #[serde(default, deserialize_with = "lenient::first_or_none::<_, _, LAYERS>")]
    layers: FirstEntries<LenientEntry<RawLayer>>,
    #[serde(default, deserialize_with = "lenient::texts")]
    annotations: Annotations,
}

/// The most layers of an image. No builder or registry accepts as many.
pub(super) const LAYERS: usize = 1000;

#[derive(Deserialize)]
struct RawLayer {
    #[serde(default, rename = "mediaType", deserialize_with = "read_envelope")]
    is_envelope: bool,
    #[serde(default, deserialize_with = "lenient::text")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "lenient::number")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "lenient::standard_texts")]
    annotations: Annotations,
}

/// The most statements of an attestation that are read. `BuildKit` writes two: SBOM and provenance.
const STATEMENTS: usize = 8;

/// Whether the media type in `field` is that of an envelope.
fn read_envelope<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    lenient::derived(field, is_envelope)
}

impl RawLayer {
    /// The layer as an in-toto statement, if its annotations or media type mark it as one. `about` are the annotations
    /// of the artifact, which may have the predicate type.
    fn statement(&self, about: &Annotations) -> Option<StatementDescriptor> {
        let of_artifact = || predicate_type(about).filter(|_| self.is_envelope);
        let predicate_type = predicate_type(&self.annotations).or_else(of_artifact).map(str::to_owned);
        let digest = self.digest.as_ref()?.parse().ok()?;
        (predicate_type.is_some() || self.is_envelope).then_some(StatementDescriptor {
            digest,
            bytes: self.size,
            predicate_type,
        })
    }
}

#[derive(Deserialize)]
struct RawIndex {
    #[serde(default, deserialize_with = "lenient::first::<_, _, INDEX_ENTRIES>")]
    manifests: FirstEntries<LenientEntry<RawDescriptor>>,
    #[serde(default, deserialize_with = "lenient::texts")]
    annotations: Annotations,
}

impl ImageManifest {
    fn from_raw(manifest: RawManifest) -> Result<Self, InvalidDocument> {
        let about = &manifest.annotations;
        let layers_read = manifest.layers.entries.iter();
        let statements = layers_read.filter_map(|LenientEntry(layer)| layer.as_ref()?.statement(about));
        let sizes = manifest.layers.entries.iter().map(|LenientEntry(layer)| layer.as_ref()?.size);
        Ok(Self {
            config: manifest.config.digest()?,
            config_bytes: manifest.config.size,
            has_lambda_sizes: fingerprint::has_lambda_sizes(sizes),
            statements: statements.take(STATEMENTS).collect(),
            layers: layers(manifest.layers).unwrap_or_default(),
            annotations: manifest.annotations,
        })
    }
}

fn layers(all: FirstEntries<LenientEntry<RawLayer>>) -> Option<Vec<Digest>> {
    let all = Some(all).filter(FirstEntries::is_whole)?;
    all.entries.into_iter().map(|LenientEntry(layer)| layer?.digest?.parse().ok()).collect()
}

impl ImageIndex {
    /// Keeps entries for images and nested indexes. Attestations, signatures and malformed entries are left out.
    fn from_raw(index: RawIndex) -> Result<Self, InvalidDocument> {
        if !index.manifests.is_whole() {
            return Err(InvalidDocument::TooManyImages(index.manifests.count));
        }
        let entries: Vec<_> = index.manifests.entries.into_iter().filter_map(|LenientEntry(entry)| entry).collect();
        let mut children: Vec<_> = entries.iter().filter_map(|entry| entry.child().ok().flatten()).collect();
        for (image, attestation) in entries.iter().filter_map(RawDescriptor::attestation) {
            for child in children.iter_mut().filter(|child| child.digest == image) {
                child.attest(attestation.clone());
            }
        }
        if children.len() > INDEX_IMAGES {
            return Err(InvalidDocument::TooManyImages(children.len()));
        }
        Ok(Self { children, annotations: index.annotations })
    }
}

/// Whether `media_type` is a generic one, as file servers send it.
fn is_any_bytes(media_type: &str) -> bool {
    ["application/octet-stream", "binary/octet-stream", "application/json", "text/plain"].contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::MANIFEST_MEDIA_TYPES;

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
            let document =
                ManifestDocument::parse(manifest(media_type).as_bytes(), Some(media_type)).expect(media_type);
            let ManifestDocument::Manifest(read) = document else { panic!("a manifest") };
            assert_eq!((read.config.hex(), read.config_bytes), (HEX, Some(2)));
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
            let document = ManifestDocument::parse(body.as_bytes(), Some(media_type)).expect(media_type);
            assert_eq!(document.kind(), DigestKind::Index);
            let ManifestDocument::Index(index) = document else { panic!("an index") };
            let platforms: Vec<_> = index.children.iter().filter_map(|c| c.platform.clone()).collect();
            assert_eq!(platforms, ["linux/arm64".parse().unwrap(), "linux/amd64".parse().unwrap()]);
        }
    }

    #[test]
    fn an_ambiguous_body_is_rejected() {
        let oci = MANIFEST_MEDIA_TYPES[1];
        let body = manifest(oci);
        assert!(matches!(
            ManifestDocument::parse(body.as_bytes(), Some(MANIFEST_MEDIA_TYPES[0])),
            Err(InvalidDocument::Contradiction { .. })
        ));
        let both = body.replacen('{', r#"{"manifests":[],"#, 1);
        assert_eq!(ManifestDocument::parse(both.as_bytes(), Some(oci)), Err(InvalidDocument::Ambiguous));
        let untyped = body.replace(&format!(r#""mediaType":"{oci}","#), "");
        assert!(ManifestDocument::parse(untyped.as_bytes(), Some(MANIFEST_MEDIA_TYPES[0])).is_err());
        assert!(ManifestDocument::parse(untyped.as_bytes(), Some(oci)).is_ok());
        assert!(matches!(ManifestDocument::parse(b"<html>", Some(oci)), Err(InvalidDocument::Json(_))));
        for page in [&b"<html>"[..], b"{}"] {
            assert!(matches!(ManifestDocument::parse(page, Some("text/html")), Err(InvalidDocument::MediaType(_))));
        }
    }

    #[test]
    fn media_types_may_have_parameters_and_generic_ones_are_accepted() {
        let oci = MANIFEST_MEDIA_TYPES[1];
        let body = manifest(oci);
        for served in [
            "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
            "application/vnd.OCI.image.manifest.v1+json",
            "application/octet-stream",
            "application/json",
        ] {
            assert!(ManifestDocument::parse(body.as_bytes(), Some(served)).is_ok(), "{served}");
        }
        let with_parameter = manifest(&format!("{oci};v=1"));
        assert!(ManifestDocument::parse(with_parameter.as_bytes(), Some(oci)).is_ok());
    }

    #[test]
    fn an_index_may_be_empty() {
        for body in [r#"{"manifests":[]}"#, r#"{"manifests":null}"#, r#"{"manifests":[{}],"annotations":[]}"#] {
            let Ok(ManifestDocument::Index(index)) =
                ManifestDocument::parse(body.as_bytes(), Some(MANIFEST_MEDIA_TYPES[0]))
            else {
                panic!("{body}")
            };
            assert_eq!(index.children, []);
        }
    }

    #[test]
    fn unused_fields_may_break_the_specification() {
        let oci = MANIFEST_MEDIA_TYPES[1];
        let config = format!(r#""config":{{"digest":"sha256:{HEX}","size":2,"annotations":null}}"#);
        for extra in [
            r#""layers":null,"annotations":null"#,
            r#""layers":[{"digest":"blake3:00"}],"annotations":{"a":null,"b":7,"c":"d"}"#,
            r#""schemaVersion":"2","subject":[]"#,
        ] {
            let body = format!("{{{config},{extra}}}");
            let Ok(ManifestDocument::Manifest(read)) = ManifestDocument::parse(body.as_bytes(), Some(oci)) else {
                panic!("{extra}")
            };
            assert_eq!((read.config.hex(), read.layers.len()), (HEX, 0));
            assert!(read.annotations.iter().all(|(key, value)| (key.as_str(), value.as_str()) == ("c", "d")));
        }
        let unsized_config = format!(r#"{{"config":{{"digest":"sha256:{HEX}","size":"2"}}}}"#);
        let Ok(ManifestDocument::Manifest(read)) = ManifestDocument::parse(unsized_config.as_bytes(), Some(oci)) else {
            panic!()
        };
        assert_eq!(read.config_bytes, None);
        for body in [r#"{"config":{"digest":"sha256:00"}}"#, r#"{"config":{}}"#, r#"{"config":null}"#, "[]"] {
            assert!(
                matches!(ManifestDocument::parse(body.as_bytes(), Some(oci)), Err(InvalidDocument::Json(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn one_malformed_layer_leaves_all_layers_unknown() {
        let read = |layers: &str| {
            let body = format!(r#"{{"config":{{"digest":"sha256:{HEX}"}},"layers":[{layers}]}}"#);
            match ManifestDocument::parse(body.as_bytes(), Some(MANIFEST_MEDIA_TYPES[1])) {
                Ok(ManifestDocument::Manifest(manifest)) => manifest.layers.len(),
                other => panic!("{other:?}"),
            }
        };
        let layer = format!(r#"{{"digest":"sha256:{HEX}","size":1,"mediaType":"x"}}"#);
        assert_eq!(read(&format!("{layer},{layer}")), 2);
        for broken in ["{}", "null", "7", r#"{"digest":"sha256:00"}"#, &vec![layer.as_str(); LAYERS].join(",")] {
            assert_eq!(read(&format!("{layer},{broken}")), 0, "{}", &broken[..2]);
        }
    }

    #[test]
    fn the_sizes_of_the_first_layers_show_a_lambda_base() {
        let read = |sizes: &[&str]| {
            let layer = |size: &&str| format!(r#"{{"digest":"sha256:{HEX}","size":{size}}}"#);
            let layers: Vec<_> = sizes.iter().map(layer).collect();
            let body = format!(r#"{{"config":{{"digest":"sha256:{HEX}"}},"layers":[{}]}}"#, layers.join(","));
            match ManifestDocument::parse(body.as_bytes(), Some(MANIFEST_MEDIA_TYPES[1])) {
                Ok(ManifestDocument::Manifest(manifest)) => manifest.has_lambda_sizes,
                other => panic!("{other:?}"),
            }
        };
        assert!(read(&["38700000", "88130", "417", "3770000", "146080000", "14200", "1"]));
        assert!(!read(&["38700000", "88130", "\"417\"", "3770000"]) && !read(&["38700000", "88130", "417"]));
    }

    #[test]
    fn an_error_quotes_a_limited_part_of_the_body() {
        let long = "a".repeat(1 << 20);
        for body in [
            format!(r#"{{"mediaType":"{long}","manifests":[]}}"#),
            format!(r#"{{"manifests":"{long}"}}"#),
            format!(r#"{{"config":{{"digest":"{long}","size":1}}}}"#),
            format!(r#"{{"manifests":[{}]}}"#, vec![r#"{"digest":""}"#; INDEX_ENTRIES + 1].join(",")),
        ] {
            let error = ManifestDocument::parse(body.as_bytes(), None).expect_err(&body[..20]).to_string();
            assert!(error.len() < 1200, "{} bytes: {}", error.len(), &error[..200]);
        }
    }

    #[test]
    fn an_entry_keeps_its_kind_and_the_annotations_for_base_and_date() {
        let oci = MANIFEST_MEDIA_TYPES[0];
        let body = format!(
            r#"{{"manifests":[
                {{"mediaType":"{oci}","digest":"sha256:{HEX}","platform":null}},
                {{"digest":"sha256:{HEX}","platform":{{"architecture":"amd64"}}}},
                {{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{HEX}",
                  "platform":{{"os":"linux","architecture":"arm64","variant":null}},
                  "annotations":{{"org.opencontainers.image.created":"2026-11-14T00:00:00Z","x":"y","z":null}}}},
                {{"artifactType":"application/x","digest":"garbage"}},
                {{"mediaType":"application/vnd.docker.distribution.manifest.v2+json; charset=utf-8",
                  "digest":"sha256:{HEX}","platform":{{"os":"unknown","architecture":"unknown"}}}},
                {{"digest":"garbage"}},{{"digest":"blake3:00"}},{{}},null,7]}}"#
        );
        let Ok(ManifestDocument::Index(index)) = ManifestDocument::parse(body.as_bytes(), Some(oci)) else {
            panic!("an index")
        };
        let read: Vec<_> = index.children.iter().map(|c| (c.kind, c.platform.is_some(), c.annotations.len())).collect();
        let (nested, image) = (DigestKind::Index, DigestKind::Manifest);
        assert_eq!(read, [(nested, false, 0), (image, false, 0), (image, true, 1), (image, false, 0)]);
    }
}
