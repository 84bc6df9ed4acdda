//! Stage 2: which base is it? Reads what the image records of its base, and combines that with what its layers prove.
//!
//! Pure: no registry, no catalog, no clock. Garbage is reported as such, never guessed around.

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
pub use label::Malformed;
pub use layers::{LayerEvidence, PrefixCheck, Search};
pub use mirror::Mirror;
pub use oci_base::{DIGEST as OCI_BASE_DIGEST, NAME as OCI_BASE_NAME};
pub use provenance::provenance_readings;
pub use settings::{SearchLimits, Settings};

use std::sync::Arc;

use crate::{
    image::{Annotations, Digest, ImageFacts, LambdaTag, Reference, Repository},
    inventory::DeployedImage,
};

/// What sort of evidence names a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// A label of the image configuration.
    Label,
    /// An annotation of the manifest, of its descriptor in an index, or of that index.
    Annotation,
    /// An attestation of how the image was built.
    Provenance,
    /// What a builder wrote into the history of the image.
    BuilderComment,
    /// The layers of the image, which begin with all of the base's.
    Layers,
    /// The image itself, which is a release of a base.
    Itself,
}

impl EvidenceKind {
    /// The word in reports.
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

    /// Whether it names images that were used to build this one, of which any or none may be the base.
    #[must_use]
    pub fn is_candidate(self) -> bool {
        self == Self::Provenance
    }
}

/// A base as an image records it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base {
    /// Where the base is from.
    pub repository: Repository,
    /// The mirror or pull-through cache that the image names instead.
    pub mirror: Option<Repository>,
    /// The recorded tag; beside a digest only a hint, for Docker ignores it there.
    pub tag: Option<String>,
    /// The recorded digest.
    pub digest: Option<Digest>,
    /// Digests recorded beside it in this repository. They may name the same release in another way: the digest of an
    /// index, of a platform's manifest and of a configuration differ, and only resolution knows.
    pub further_digests: Vec<Digest>,
    /// A tag recorded beside a digest without one: the line, if it is of the same release.
    pub further_tag: Option<String>,
    /// The moving tag that the configuration says this image follows.
    pub configured_tag: Option<String>,
    /// The moving tag the configuration lets assume where nothing better is known.
    pub default_tag: Option<String>,
}

impl Base {
    /// The base as a reference.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference { repository: self.repository.clone(), tag: self.tag.clone(), digest: self.digest.clone() }
    }

    /// Whether both may name one release. Digests that differ may; a tag beside a digest does not count.
    fn may_be(&self, other: &Self) -> bool {
        let has_digest = self.digest.is_some() || other.digest.is_some();
        self.repository == other.repository && (has_digest || self.is_tag_of(other))
    }

    /// Whether the tags may be of one release: equal, a release and its line, or `latest`, which is any line.
    fn is_tag_of(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (self.tag.as_deref(), other.tag.as_deref()) else { return true };
        let (Some(one), Some(two)) = (LambdaTag::parse(own), LambdaTag::parse(other)) else { return own == other };
        match (one.built_at, two.built_at) {
            (Some(_), Some(_)) => one.release() == two.release(),
            (None, None) => one.family == two.family,
            _ => one.family == two.family || [one, two].iter().any(|tag| tag.family == "latest"),
        }
    }

    /// Whether it records `digest`, for itself or beside that.
    #[must_use]
    pub fn records(&self, digest: &Digest) -> bool {
        self.digest.as_ref() == Some(digest) || self.further_digests.contains(digest)
    }

    /// Takes from `other` what it records of the same release and this does not. A moving tag says nothing of which
    /// release it is, so a digest beside it is the truth; to a dated tag it is one more thing to compare.
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

/// One piece of evidence and how it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What sort of evidence it is.
    pub kind: EvidenceKind,
    /// The label or annotation, or where else it stands.
    pub key: String,
    /// Its value, as it stands there.
    pub value: String,
    /// The base it names, or what is wrong with it.
    pub base: Result<Base, Malformed>,
}

/// Where evidence is looked for.
struct Sources<'a> {
    facts: &'a ImageFacts,
    descriptor_annotations: &'a Annotations,
    index_annotations: &'a Annotations,
    /// The image's own repository, without its registry: rules may be for some images only.
    image: Option<&'a str>,
}

/// The readings of what `image` records of its base, best first. `repository` is the image's own, which rules of the
/// configuration may be limited to; an image from a folder has none.
#[must_use]
pub fn read(image: &DeployedImage, repository: Option<&Repository>, settings: &Settings) -> Vec<Reading> {
    let sources = Sources {
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

/// What follows from the records of `image` alone, while its layers have been compared with nothing.
#[must_use]
pub fn identify(image: &DeployedImage, repository: Option<&Repository>, settings: &Settings) -> Identification {
    combine(read(image, repository, settings), Arc::default(), image, repository, settings)
}

/// Completes the first base that was read by what further readings record of it.
fn complete_best(readings: &mut [Reading]) {
    let Some(best) = readings.iter().position(|reading| reading.base.is_ok()) else { return };
    let (best, others) = readings[best..].split_first_mut().expect("it is one of them");
    let Ok(base) = &mut best.base else { return };
    others.iter().filter_map(|other| other.base.as_ref().ok()).for_each(|other| base.complete(other));
}
