//! The identification of one image: its base with evidence and confidence, and the inner bases.

use std::{collections::BTreeSet, sync::Arc};

use super::{Base, BaseRecord, BaseRecordError, EvidenceKind, LayerEvidence, PrefixCheck};
use crate::image::{Provenance, Reference, Repository};

/// The confidence that an image is built on a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// The layers prove it.
    Confirmed,
    /// The image records it, and its layers could not be compared.
    Unconfirmed,
    /// Unconfirmed, with the repository from the configuration.
    Assumed,
}

impl Confidence {
    /// The spelling in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Unconfirmed => "unconfirmed",
            Self::Assumed => "assumed",
        }
    }
}

/// One base of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifiedBase {
    /// The base, completed by all evidence of the same release.
    pub base: Base,
    /// The evidence that names it; layers and the image itself in the form of a reading.
    pub evidence: BaseRecord,
    /// The position of the evidence among the readings; `None` if the image does not record this base.
    pub position: Option<usize>,
    /// The confidence.
    pub confidence: Confidence,
    /// The number of layers of the image that belong to the base, if known.
    pub layer_count: Option<usize>,
    /// Further releases of equal content, the earliest first: the image may be built on any of them.
    pub equal_releases: Vec<Reference>,
}

/// The evidence of an image about its base, and the conclusion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identification {
    /// The records of the image, best first.
    pub records: Vec<BaseRecord>,
    /// The evidence of its layers.
    pub layers: Arc<LayerEvidence>,
    /// The base chain, outermost first; empty if the base is unknown.
    pub chain: Vec<IdentifiedBase>,
    /// The base repository that the image is in, under its upstream name; `None` if that holds no bases.
    pub base_repository: Option<Repository>,
    /// The positions of readings whose base the layers disprove.
    pub contradicted: BTreeSet<usize>,
    /// The provenance of its build; `None` if other evidence decided and it was not read.
    pub provenance: Option<Arc<Provenance>>,
}

impl Identification {
    /// The base that the image was built from.
    #[must_use]
    pub fn base(&self) -> Option<&IdentifiedBase> {
        self.chain.first()
    }

    /// The evidence that names the base, and the base.
    #[must_use]
    pub fn best(&self) -> Option<(&BaseRecord, &Base)> {
        self.base().map(|identified| (&identified.evidence, &identified.base))
    }

    /// Whether the image is a release of a base itself: nothing builds it again, a later release replaces it.
    #[must_use]
    pub fn is_itself(&self) -> bool {
        self.base().is_some_and(|base| base.evidence.kind == EvidenceKind::Itself)
    }

    /// The malformed readings.
    pub fn malformed(&self) -> impl Iterator<Item = (&BaseRecord, &BaseRecordError)> {
        self.records.iter().filter_map(|reading| Some((reading, reading.base.as_ref().err()?)))
    }

    /// The readings whose base the layers disprove.
    pub fn contradicted(&self) -> impl Iterator<Item = (&BaseRecord, &Base)> {
        let readings = self.contradicted.iter().filter_map(|position| self.records.get(*position));
        readings.filter_map(|reading| Some((reading, reading.base.as_ref().ok()?)))
    }

    /// Why the base could not be confirmed by its layers, if it was not.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<PrefixCheck> {
        let base = self.base().filter(|base| base.confidence != Confidence::Confirmed)?;
        self.layers.checks.get(&base.position?).copied()
    }

    /// The readings that name a base other than the best one, without those that the layers explain. If only digests
    /// differ, `is_contradicted` decides whether they belong to another release.
    pub fn dissenting(&self, is_contradicted: impl Fn(&Base) -> bool) -> impl Iterator<Item = (&BaseRecord, &Base)> {
        let best = self.base();
        self.records.iter().enumerate().filter_map(move |(position, reading)| {
            let (base, best) = (reading.base.as_ref().ok()?, best?);
            // An inherited label names an inner base, and a material any image that was used in the build.
            let is_explained = self.contradicted.contains(&position)
                || reading.kind.is_candidate()
                || matches!(self.layers.checks.get(&position), Some(PrefixCheck::Prefix { .. }));
            let is_other = best.position != Some(position) && (!best.base.may_be(base) || is_contradicted(base));
            (is_other && !is_explained).then_some((reading, base))
        })
    }
}
