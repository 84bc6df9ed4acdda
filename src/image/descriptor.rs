//! Descriptors of manifests, indexes and configurations, and the entries of an index.

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Annotations, Digest, InvalidDocument, Platform, QUOTED_BYTES,
    attestation::is_envelope,
    clip, is_provenance,
    lenient::{self, LenientEntry},
};

/// The four media types of manifests. A request has to accept all of them: a registry converts the manifest or answers
/// 404 if the stored type is not accepted.
pub const MANIFEST_MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The kind of a digest. One image has three different digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigestKind {
    /// An image index: one digest for all platforms.
    Index,
    /// The manifest of one platform.
    Manifest,
    /// The configuration of one platform's image: the `Id` of `docker inspect`, and the image ID of some container
    /// runtimes.
    Config,
}

impl DigestKind {
    /// The kind of one of [`MANIFEST_MEDIA_TYPES`], with or without parameters.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let media_type = essence(media_type);
        match MANIFEST_MEDIA_TYPES.iter().position(|known| known.eq_ignore_ascii_case(media_type))? {
            0 | 2 => Some(Self::Index),
            _ => Some(Self::Manifest),
        }
    }
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildManifest {
    /// The digest of the platform's manifest or of a nested index.
    pub digest: Digest,
    /// The platform, if the entry states it; the specification makes it optional.
    pub platform: Option<Platform>,
    /// The kind that the entry states: an image manifest, or a nested index.
    #[serde(default = "manifest_kind", skip_serializing_if = "is_manifest_kind")]
    pub kind: DigestKind,
    /// The annotations of the entry that basewatch uses: [`CHILD_ANNOTATIONS`].
    #[serde(
        default,
        deserialize_with = "lenient::texts",
        skip_serializing_if = "std::collections::BTreeMap::is_empty"
    )]
    pub annotations: Annotations,
    /// The manifest digests of the image's attestations in the same index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Digest>,
}

/// The most attestations of an image that are kept. `BuildKit` writes one, with several statements.
const ATTESTATIONS: usize = 4;

impl ChildManifest {
    /// An entry with only a digest and a platform.
    #[must_use]
    pub fn new(digest: Digest, platform: Option<Platform>) -> Self {
        Self { digest, platform, kind: DigestKind::Manifest, annotations: Annotations::new(), attestations: Vec::new() }
    }

    /// Adds the attestation whose manifest has `digest`.
    pub(super) fn attest(&mut self, digest: Digest) {
        if self.attestations.len() < ATTESTATIONS && !self.attestations.contains(&digest) {
            self.attestations.push(digest);
        }
    }

    /// The entry of a nested index, completed by `outer`, the entry of that index.
    #[must_use]
    pub fn within(&self, outer: &Self) -> Self {
        let inner = self.clone();
        Self {
            // A nested index with a platform is for that platform only.
            platform: inner.platform.or_else(|| outer.platform.clone()),
            annotations: if inner.annotations.is_empty() { outer.annotations.clone() } else { inner.annotations },
            ..inner
        }
    }
}

/// The annotations of an index entry that are kept: build date and base (OCI image specification, annotations.md).
/// docker-library writes them there instead of into the manifest.
pub const CHILD_ANNOTATIONS: [&str; 3] =
    ["org.opencontainers.image.created", "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];

/// The artifact types of attestations: `BuildKit`'s, and in-toto statements as oras and zot attach them.
const ATTESTATION_TYPES: [&str; 2] =
    ["application/vnd.docker.attestation.manifest.v1+json", "application/vnd.in-toto+json"];

/// The annotations with the predicate type: the first by `BuildKit`, oras and zot, the second by Sigstore bundles, the
/// third by cosign, on a layer.
const PREDICATE_TYPES: [&str; 3] = ["in-toto.io/predicate-type", "dev.sigstore.bundle.predicateType", "predicateType"];
/// The annotation with the content of a Sigstore bundle: an envelope or a signature.
const BUNDLE_CONTENT: &str = "dev.sigstore.bundle.content";

/// The most referrers of an image that are kept.
const REFERRERS: usize = 8;

/// Whether an artifact of this type may hold provenance.
#[must_use]
pub fn may_hold_provenance(artifact_type: &str) -> bool {
    ATTESTATION_TYPES.contains(&artifact_type) || is_provenance(artifact_type) || is_envelope(artifact_type)
}

/// The same for a referrer, by its type and annotations.
#[must_use]
pub fn is_provenance_referrer(artifact_type: &str, annotations: &Annotations) -> bool {
    may_hold_provenance(artifact_type)
        && predicate_type(annotations).is_none_or(is_provenance)
        && annotations.get(BUNDLE_CONTENT).is_none_or(|content| content == "dsse-envelope")
}

/// The predicate type in `annotations`.
pub(super) fn predicate_type(annotations: &Annotations) -> Option<&str> {
    PREDICATE_TYPES.iter().find_map(|key| annotations.get(*key)).map(String::as_str)
}

/// The manifest digests of those referrers of an image that may hold provenance, from a response of the referrers API
/// (OCI distribution specification, "Listing Referrers").
///
/// # Errors
///
/// [`InvalidDocument::Json`] when it does not parse.
pub fn provenance_referrers(body: &[u8]) -> Result<Vec<Digest>, InvalidDocument> {
    #[derive(Deserialize)]
    struct RawReferrers {
        #[serde(default, deserialize_with = "referrers")]
        manifests: Vec<Digest>,
    }

    fn referrers<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<Digest>, D::Error> {
        let mut digests = Vec::new();
        lenient::each_entry_or_none(field, |LenientEntry(entry): LenientEntry<RawDescriptor>| {
            digests.extend(entry.and_then(|entry| entry.provenance()).filter(|_| digests.len() < REFERRERS));
        })?;
        Ok(digests)
    }

    let referrers: RawReferrers = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
    Ok(referrers.manifests)
}

fn manifest_kind() -> DigestKind {
    DigestKind::Manifest
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_manifest_kind(kind: &DigestKind) -> bool {
    *kind == DigestKind::Manifest
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDescriptor {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(super) media_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub(super) size: Option<u64>,
    #[serde(default, deserialize_with = "lenient::object")]
    platform: Option<RawPlatform>,
    #[serde(default, deserialize_with = "lenient::text")]
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::standard_texts")]
    pub(super) annotations: Annotations,
}

#[derive(Deserialize)]
struct RawPlatform {
    #[serde(default, deserialize_with = "lenient::text")]
    os: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    architecture: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    variant: Option<String>,
}

impl RawDescriptor {
    /// The digest that it names.
    ///
    /// # Errors
    ///
    /// [`InvalidDocument::Json`] if it is missing or malformed.
    pub(super) fn digest(&self) -> Result<Digest, InvalidDocument> {
        let text = self.digest.as_deref().unwrap_or_default();
        text.parse().map_err(|error| InvalidDocument::json(format!("digest {:?}: {error}", clip(text, QUOTED_BYTES))))
    }

    /// The platform, if operating system and architecture are both stated. `unknown` counts as not stated.
    fn platform(&self) -> Option<Platform> {
        let platform = self.platform.as_ref()?;
        let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (os, architecture) = (stated(&platform.os)?, stated(&platform.architecture)?);
        Some(Platform::new(&os, &architecture, platform.variant.as_deref())).filter(|platform| !platform.is_unknown())
    }

    /// The descriptor as an index entry: `None` for an attestation, a signature or another artifact. Not every entry
    /// for `unknown/unknown` is an attestation.
    ///
    /// # Errors
    ///
    /// As for its digest.
    pub(super) fn child(&self) -> Result<Option<ChildManifest>, InvalidDocument> {
        if self.annotations.contains_key("vnd.docker.reference.type") || self.artifact_type.is_some() {
            return Ok(None);
        }
        let kind = self.media_type.as_deref().map_or(Some(DigestKind::Manifest), DigestKind::from_media_type);
        let Some(kind) = kind else { return Ok(None) };
        let mut annotations = self.annotations.clone();
        annotations.retain(|key, _| CHILD_ANNOTATIONS.contains(&key.as_str()));
        Ok(Some(ChildManifest { kind, annotations, ..ChildManifest::new(self.digest()?, self.platform()) }))
    }

    /// The descriptor as an attestation, if it is one: the digests of image and attestation manifest
    /// (docs/attestations/attestation-storage.md of `BuildKit`).
    pub(super) fn attestation(&self) -> Option<(Digest, Digest)> {
        let annotation = |key: &str| self.annotations.get(key).map(String::as_str);
        let is_attestation = annotation("vnd.docker.reference.type") == Some("attestation-manifest");
        let image = annotation("vnd.docker.reference.digest").filter(|_| is_attestation)?;
        Some((image.parse().ok()?, self.digest().ok()?))
    }

    /// The digest, if it is a referrer that may hold provenance: an attestation of `BuildKit`, or an in-toto statement
    /// or envelope of another tool.
    pub(super) fn provenance(&self) -> Option<Digest> {
        let artifact_type = self.artifact_type.as_deref()?;
        is_provenance_referrer(artifact_type, &self.annotations).then(|| self.digest().ok())?
    }
}

/// A media type without its parameters.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type).trim()
}
