//! Stage 2: identification of the base. Reads the records of an image and combines them with what its layers prove.
//!
//! Pure: no registry, no catalog, no clock. Malformed records are reported, never corrected by guesses.

mod base_rule;
mod builder_comment;
mod combine;
mod identification;
mod label;
mod layers;
mod line;
mod mirror;
mod oci_base;
mod provenance;
mod settings;

pub use base_rule::{BaseRule, BaseRules};
pub use combine::combine;
pub use identification::{Confidence, Identification, IdentifiedBase};
pub use label::BaseRecordError;
pub use layers::{LayerEvidence, PrefixCheck, SearchCompletion};
pub use mirror::RegistryMirror;
pub use oci_base::{DIGEST as OCI_BASE_DIGEST, NAME as OCI_BASE_NAME};
pub use provenance::provenance_readings;
pub use settings::{IdentifySettings, SearchLimits};

use std::sync::Arc;

use crate::{
    image::{Annotations, Digest, ImageFacts, LambdaTag, Reference, Repository},
    inventory::DeployedImage,
};

/// The kind of evidence for a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// A label of the image configuration.
    Label,
    /// An annotation of the manifest, of its descriptor in an index, or of that index.
    Annotation,
    /// A provenance attestation of the image.
    Provenance,
    /// A comment of the builder in the history of the image.
    BuilderComment,
    /// The layers of the image, which begin with all layers of the base.
    Layers,
    /// The image itself, which is a release of a base.
    Itself,
}

impl EvidenceKind {
    /// The spelling in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Annotation => "annotation",
            Self::Provenance => "provenance",
            Self::BuilderComment => "builder-comment",
            Self::Layers => "layers",
            Self::Itself => "itself",
        }
    }

    /// Whether it names images used in the build, one or none of which is the base.
    #[must_use]
    pub fn is_candidate(self) -> bool {
        self == Self::Provenance
    }
}

/// A base as an image records it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base {
    /// The repository of the base.
    pub repository: Repository,
    /// The mirror or pull-through cache that the image names instead.
    pub mirror: Option<Repository>,
    /// The recorded tag; with a digest only a hint, because Docker ignores it.
    pub tag: Option<String>,
    /// The recorded digest.
    pub digest: Option<Digest>,
    /// Further recorded digests of this repository. They may belong to the same release: digests of an index, of a
    /// platform's manifest and of a configuration differ. Resolution compares them.
    pub further_digests: Vec<Digest>,
    /// A tag from another record of the same digest: the line, if it belongs to the same release.
    pub further_tag: Option<String>,
    /// The moving tag that the configuration sets for this image.
    pub configured_tag: Option<String>,
    /// The configured default tag, if nothing better is known.
    pub default_tag: Option<String>,
}

impl Base {
    /// The base as a reference.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference { repository: self.repository.clone(), tag: self.tag.clone(), digest: self.digest.clone() }
    }

    /// Whether both may name one release. Different digests may; a tag with a digest is ignored.
    fn may_be(&self, other: &Self) -> bool {
        let has_digest = self.digest.is_some() || other.digest.is_some();
        self.repository == other.repository && (has_digest || self.is_tag_of(other))
    }

    /// Whether the tags may belong to one release: equal, a release and its line, or `latest`, which matches any line.
    fn is_tag_of(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (self.tag.as_deref(), other.tag.as_deref()) else { return true };
        let (Some(one), Some(two)) = (LambdaTag::parse(own), LambdaTag::parse(other)) else { return own == other };
        match (one.built_at, two.built_at) {
            (Some(_), Some(_)) => one.release() == two.release(),
            (None, None) => one.family == two.family,
            _ => one.family == two.family || [one, two].iter().any(|tag| tag.family == "latest"),
        }
    }

    /// Whether it records `digest`, as its own or a further one.
    #[must_use]
    pub fn records(&self, digest: &Digest) -> bool {
        self.digest.as_ref() == Some(digest) || self.further_digests.contains(digest)
    }

    /// Adds missing records of the same release from `other`. A digest identifies the release of a moving tag; for a
    /// dated tag it is compared.
    fn complete(&mut self, other: &Self) {
        if !self.may_be(other) {
            return;
        }
        let is_dated = self.tag.as_deref().and_then(LambdaTag::parse).is_some_and(|tag| tag.built_at.is_some());
        if self.digest.is_none() && !is_dated && self.is_tag_of(other) {
            self.digest.clone_from(&other.digest);
        }
        if self.tag.is_none() && self.further_tag.is_none() {
            self.further_tag.clone_from(&other.tag);
        }
        for digest in other.digest.iter().chain(&other.further_digests) {
            if self.digest.as_ref() != Some(digest) && !self.further_digests.contains(digest) {
                self.further_digests.push(digest.clone());
            }
        }
    }
}

/// One recorded base: kind, key, value, and the parsed base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseRecord {
    /// The kind of evidence.
    pub kind: EvidenceKind,
    /// The label, the annotation, or other location.
    pub key: String,
    /// Its original value.
    pub value: String,
    /// The base that it names, or why it is malformed.
    pub base: Result<Base, BaseRecordError>,
}

/// The sources of recorded evidence.
struct EvidenceSources<'a> {
    facts: &'a ImageFacts,
    descriptor_annotations: &'a Annotations,
    index_annotations: &'a Annotations,
    /// The image's own repository, without its registry; rules may be limited to some images.
    image: Option<&'a str>,
}

/// The recorded bases of `image`, best first. `repository` is that of the image, to which rules may be limited; an
/// image from a folder has none.
#[must_use]
pub fn read(image: &DeployedImage, repository: Option<&Repository>, settings: &IdentifySettings) -> Vec<BaseRecord> {
    let sources = EvidenceSources {
        facts: &image.facts,
        descriptor_annotations: &image.descriptor_annotations,
        index_annotations: &image.index_annotations,
        image: repository.map(|repository| &*repository.name),
    };
    let mut readings = label::readings(&sources, settings);
    readings.extend(oci_base::readings(&sources, settings));
    readings.extend(builder_comment::readings(&sources, settings));
    complete_best(&mut readings);
    readings
}

/// The identification from the records of `image` alone, before its layers are compared.
#[must_use]
pub fn identify(image: &DeployedImage, repository: Option<&Repository>, settings: &IdentifySettings) -> Identification {
    combine(read(image, repository, settings), Arc::default(), image, repository, settings)
}

/// Completes the first valid base by further readings of the same release.
fn complete_best(readings: &mut [BaseRecord]) {
    let Some(best) = readings.iter().position(|reading| reading.base.is_ok()) else { return };
    let (best, others) = readings[best..].split_first_mut().expect("it is one of them");
    let Ok(base) = &mut best.base else { return };
    others.iter().filter_map(|other| other.base.as_ref().ok()).for_each(|other| base.complete(other));
}
