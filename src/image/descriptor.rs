//! Descriptors: what names a manifest, an index or a configuration, and the entries of an index.

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Annotations, Digest, InvalidDocument, Platform, QUOTED_BYTES,
    attestation::is_envelope,
    clip, is_provenance,
    lenient::{self, OrNone},
};

/// The four media types a registry may answer a manifest request with, all of which must be asked for:
/// a registry converts, or answers 404, when the stored one is not among them.
pub const MANIFEST_MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What kind of thing a digest names. The three differ for one and the same image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigestKind {
    /// An image index: one digest for all platforms.
    Index,
    /// The manifest of one platform.
    Manifest,
    /// The configuration of one platform's image: what `docker inspect` calls its `Id`, and some container runtimes
    /// its image ID.
    Config,
}

impl DigestKind {
    /// The kind that one of [`MANIFEST_MEDIA_TYPES`] announces, with parameters or without.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let media_type = essence(media_type);
        match MANIFEST_MEDIA_TYPES.iter().position(|known| known.eq_ignore_ascii_case(media_type))? {
            0 | 2 => Some(Self::Index),
            _ => Some(Self::Manifest),
        }
    }
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The digest of the platform's manifest, or of the index within.
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
    /// The attestations of the image that the same index lists, by the digests of their manifests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Digest>,
}

/// How many attestations of an image are kept. `BuildKit` writes one, with several statements.
const ATTESTATIONS: usize = 4;

impl Child {
    /// The entry of an image that says no more than its platform.
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

    /// The entry as it reads in an index that `outer` names: with what only that states.
    #[must_use]
    pub fn within(&self, outer: &Self) -> Self {
        let inner = self.clone();
        Self {
            // An index within is for one platform only where it says so, and then all of it is.
            platform: inner.platform.or_else(|| outer.platform.clone()),
            annotations: if inner.annotations.is_empty() { outer.annotations.clone() } else { inner.annotations },
            ..inner
        }
    }
}

/// The annotations of an index entry that are kept: when the image was built, and on which base (OCI image
/// specification, annotations.md). docker-library writes them there and not into the manifest.
pub const CHILD_ANNOTATIONS: [&str; 3] =
    ["org.opencontainers.image.created", "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];

/// The artifact types of attestations: `BuildKit`'s, and in-toto statements as oras and zot attach them.
const ATTESTATION_TYPES: [&str; 2] =
    ["application/vnd.docker.attestation.manifest.v1+json", "application/vnd.in-toto+json"];

/// What the statement in an attestation states: `BuildKit`, oras and zot say it in the first, bundles of Sigstore in the
/// second, and cosign says it in the third of a layer.
const PREDICATE_TYPES: [&str; 3] = ["in-toto.io/predicate-type", "dev.sigstore.bundle.predicateType", "predicateType"];
/// What is in a bundle of Sigstore: an envelope, or the signature of something.
const BUNDLE_CONTENT: &str = "dev.sigstore.bundle.content";

/// How many attestations that refer to an image are kept.
const REFERRERS: usize = 8;

/// Whether an artifact of this type may hold provenance.
#[must_use]
pub fn may_hold_provenance(artifact_type: &str) -> bool {
    ATTESTATION_TYPES.contains(&artifact_type) || is_provenance(artifact_type) || is_envelope(artifact_type)
}

/// The same of one that refers to an image, by what is said of it there.
#[must_use]
pub fn is_provenance_referrer(artifact_type: &str, annotations: &Annotations) -> bool {
    may_hold_provenance(artifact_type)
        && predicate_type(annotations).is_none_or(is_provenance)
        && annotations.get(BUNDLE_CONTENT).is_none_or(|content| content == "dsse-envelope")
}

/// The type of the statement that `annotations` are about, if they say it.
pub(super) fn predicate_type(annotations: &Annotations) -> Option<&str> {
    PREDICATE_TYPES.iter().find_map(|key| annotations.get(*key)).map(String::as_str)
}

/// The attestations among what refers to an image, by the digests of their manifests: of the answer of the referrers API
/// (OCI distribution specification, "Listing Referrers"), only what may hold provenance.
///
/// # Errors
///
/// [`InvalidDocument::Json`] when it does not parse.
pub fn provenance_referrers(body: &[u8]) -> Result<Vec<Digest>, InvalidDocument> {
    #[derive(Deserialize)]
    struct Referrers {
        #[serde(default, deserialize_with = "referrers")]
        manifests: Vec<Digest>,
    }

    fn referrers<'de, D: Deserializer<'de>>(field: D) -> Result<Vec<Digest>, D::Error> {
        let mut digests = Vec::new();
        lenient::each_entry_or_none(field, |OrNone(entry): OrNone<RawDescriptor>| {
            digests.extend(entry.and_then(|entry| entry.provenance()).filter(|_| digests.len() < REFERRERS));
        })?;
        Ok(digests)
    }

    let referrers: Referrers = serde_json::from_slice(body).map_err(InvalidDocument::json)?;
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
    /// [`InvalidDocument::Json`] when that is missing or is no digest.
    pub(super) fn digest(&self) -> Result<Digest, InvalidDocument> {
        let text = self.digest.as_deref().unwrap_or_default();
        text.parse().map_err(|error| InvalidDocument::json(format!("digest {:?}: {error}", clip(text, QUOTED_BYTES))))
    }

    /// The platform, if operating system and architecture are both stated. `unknown` states nothing.
    fn platform(&self) -> Option<Platform> {
        let platform = self.platform.as_ref()?;
        let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (os, architecture) = (stated(&platform.os)?, stated(&platform.architecture)?);
        Some(Platform::new(&os, &architecture, platform.variant.as_deref())).filter(|platform| !platform.is_unknown())
    }

    /// The entry of an index that it is: `None` for an attestation, a signature or another artifact. Not every entry
    /// for `unknown/unknown` is an attestation.
    ///
    /// # Errors
    ///
    /// As for its digest.
    pub(super) fn child(&self) -> Result<Option<Child>, InvalidDocument> {
        if self.annotations.contains_key("vnd.docker.reference.type") || self.artifact_type.is_some() {
            return Ok(None);
        }
        let kind = self.media_type.as_deref().map_or(Some(DigestKind::Manifest), DigestKind::of_media_type);
        let Some(kind) = kind else { return Ok(None) };
        let mut annotations = self.annotations.clone();
        annotations.retain(|key, _| CHILD_ANNOTATIONS.contains(&key.as_str()));
        Ok(Some(Child { kind, annotations, ..Child::new(self.digest()?, self.platform()) }))
    }

    /// The attestation of an image that it is, if it is one: the image, and the attestation's manifest
    /// (docs/attestations/attestation-storage.md of `BuildKit`).
    pub(super) fn attestation(&self) -> Option<(Digest, Digest)> {
        let annotation = |key: &str| self.annotations.get(key).map(String::as_str);
        let is_attestation = annotation("vnd.docker.reference.type") == Some("attestation-manifest");
        let image = annotation("vnd.docker.reference.digest").filter(|_| is_attestation)?;
        Some((image.parse().ok()?, self.digest().ok()?))
    }

    /// The digest of an artifact that may hold provenance, among those that refer to an image: what `BuildKit` writes,
    /// and in-toto statements and envelopes by others.
    pub(super) fn provenance(&self) -> Option<Digest> {
        let artifact_type = self.artifact_type.as_deref()?;
        is_provenance_referrer(artifact_type, &self.annotations).then(|| self.digest().ok())?
    }
}

/// A media type without its parameters.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type).trim()
}
