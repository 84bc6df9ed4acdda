//! Stage 2: which base is it? Reads what the image itself says of its base, best evidence first.
//!
//! Pure: no registry, no catalog, no clock. Garbage is reported as such, never guessed around.

mod label;
mod line;
mod mirror;
mod oci_base;
mod settings;

pub use label::Malformed;
pub use mirror::Mirror;
pub use settings::{LineRule, Settings};

use crate::{
    image::{Annotations, Digest, ImageFacts, Reference, Repository},
    inventory::DeployedImage,
};

/// What sort of evidence names a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// A label of the image configuration.
    Label,
    /// An annotation of the manifest or of the index.
    Annotation,
}

impl EvidenceKind {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Annotation => "annotation",
        }
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

    /// Whether both say the same of what the image stands on. A tag beside a digest does not count.
    fn agrees_with(&self, other: &Self) -> bool {
        let same_content = match (&self.digest, &other.digest) {
            (Some(one), Some(other)) => one == other,
            (None, None) => self.tag == other.tag,
            _ => true,
        };
        self.repository == other.repository && same_content
    }
}

/// One piece of evidence and how it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What sort of evidence it is.
    pub kind: EvidenceKind,
    /// The label or annotation.
    pub key: String,
    /// Its value, as it stands there.
    pub value: String,
    /// The base it names, or what is wrong with it.
    pub base: Result<Base, Malformed>,
}

/// Everything an image says of its base, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identification {
    /// The readings; empty when the image says nothing.
    pub readings: Vec<Reading>,
}

impl Identification {
    /// The first reading that names a base, and that base.
    #[must_use]
    pub fn best(&self) -> Option<(&Reading, &Base)> {
        self.readings.iter().find_map(|reading| Some((reading, reading.base.as_ref().ok()?)))
    }

    /// The readings that are garbage.
    pub fn malformed(&self) -> impl Iterator<Item = (&Reading, &Malformed)> {
        self.readings.iter().filter_map(|reading| Some((reading, reading.base.as_ref().err()?)))
    }

    /// The readings that name another base than the best one.
    pub fn dissenting(&self) -> impl Iterator<Item = (&Reading, &Base)> {
        let best = self.best().map(|(_, base)| base);
        self.readings.iter().filter_map(move |reading| {
            let base = reading.base.as_ref().ok()?;
            best.is_some_and(|best| !best.agrees_with(base)).then_some((reading, base))
        })
    }
}

/// Where evidence is looked for.
struct Sources<'a> {
    facts: &'a ImageFacts,
    index_annotations: &'a Annotations,
    /// The image's own repository, without its registry: rules may be for some images only.
    image: Option<&'a str>,
}

/// Reads what `image` says of its base. `repository` is the image's own, which rules of the configuration
/// may be limited to; an image from a folder has none.
#[must_use]
pub fn identify(image: &DeployedImage, repository: Option<&Repository>, settings: &Settings) -> Identification {
    let sources = Sources {
        facts: &image.facts,
        index_annotations: &image.index_annotations,
        image: repository.map(|repository| &*repository.name),
    };
    let mut readings = label::readings(&sources, settings);
    readings.extend(oci_base::readings(&sources, settings));
    Identification { readings }
}
