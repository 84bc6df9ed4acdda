//! The answer to "which base?" of one image: the base with its evidence and confidence, and the bases below it.

use std::{collections::BTreeSet, sync::Arc};

use super::{Base, LayerEvidence, Malformed, PrefixCheck, Reading};
use crate::image::{Provenance, Reference};

/// How sure it is that an image is built on a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// The layers prove it.
    Confirmed,
    /// The image says so, and its layers could not be compared.
    Unconfirmed,
    /// The same, and the configuration had to say in which repository the base is.
    Assumed,
}

impl Confidence {
    /// The word in reports.
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
    /// The base, completed by all evidence that is of the same release.
    pub base: Base,
    /// The evidence that names it; of layers and of the image itself, put as a reading.
    pub evidence: Reading,
    /// The place of the evidence among the readings; none if the image records nothing of this base.
    pub position: Option<usize>,
    /// How sure it is.
    pub confidence: Confidence,
    /// How many layers of the image are the base's, where that is known.
    pub layer_count: Option<usize>,
    /// Further releases of equal content, the earliest first: the image may be built on any of them.
    pub equal_releases: Vec<Reference>,
}

/// Everything an image says of its base, and what follows from that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identification {
    /// What the image records, best first; empty when it records nothing.
    pub readings: Vec<Reading>,
    /// What its layers say.
    pub layers: Arc<LayerEvidence>,
    /// The base, then the base of that, as far as they are known; empty when the base is not known.
    pub chain: Vec<IdentifiedBase>,
    /// The places of readings that name a base which the layers disprove.
    pub contradicted: BTreeSet<usize>,
    /// What the attestations of its build say; `None` where none were looked for, because other evidence decides.
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
    pub fn best(&self) -> Option<(&Reading, &Base)> {
        self.base().map(|identified| (&identified.evidence, &identified.base))
    }

    /// The readings that are garbage.
    pub fn malformed(&self) -> impl Iterator<Item = (&Reading, &Malformed)> {
        self.readings.iter().filter_map(|reading| Some((reading, reading.base.as_ref().err()?)))
    }

    /// The readings that name a base which the layers disprove.
    pub fn contradicted(&self) -> impl Iterator<Item = (&Reading, &Base)> {
        let readings = self.contradicted.iter().filter_map(|position| self.readings.get(*position));
        readings.filter_map(|reading| Some((reading, reading.base.as_ref().ok()?)))
    }

    /// Why the base could not be confirmed, where its layers were to be compared.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<PrefixCheck> {
        let base = self.base().filter(|base| base.confidence != Confidence::Confirmed)?;
        self.layers.checks.get(&base.position?).copied()
    }

    /// The readings that name another base than the best one, as far as the layers do not say how that came. Where only
    /// digests differ, `is_contradicted` says whether those of a reading were found to name another release.
    pub fn dissenting(&self, is_contradicted: impl Fn(&Base) -> bool) -> impl Iterator<Item = (&Reading, &Base)> {
        let best = self.base();
        self.readings.iter().enumerate().filter_map(move |(position, reading)| {
            let (base, best) = (reading.base.as_ref().ok()?, best?);
            // An inherited label names a base further in, and a material of the build any image that was used in it.
            let is_explained = self.contradicted.contains(&position)
                || reading.kind.is_candidate()
                || matches!(self.layers.checks.get(&position), Some(PrefixCheck::Prefix { .. }));
            let is_other = best.position != Some(position) && (!best.base.may_be(base) || is_contradicted(base));
            (is_other && !is_explained).then_some((reading, base))
        })
    }
}
