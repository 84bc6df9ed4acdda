//! The position of a base on its release line: current, behind, or ahead of a tag that was rolled back.

use crate::{
    image::{Digest, DigestKind, ImageFacts},
    resolve::{CurrentImage, Resolution, ResolvedBase},
};

/// The position of a base relative to the current release of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePosition {
    /// It is the current release.
    Current,
    /// The current release is another digest with the same layers.
    SameContent,
    /// The current release is older: the tag was rolled back.
    Ahead,
    /// A newer release exists.
    Behind,
    /// It is held; no newer release exists, but another one can be used.
    Held,
    /// Not enough is known to compare.
    Unknown,
}

impl LinePosition {
    /// Whether nothing newer exists, so that rebuilding does not help.
    #[must_use]
    pub fn is_newest(self) -> bool {
        matches!(self, Self::Current | Self::SameContent | Self::Ahead)
    }

    /// Compares the base in use with the current release: per platform, then by content, then by date. A bound counts
    /// only in the direction that it proves. An estimate proves no rollback: a newer release may have an older
    /// `created`.
    #[must_use]
    pub fn from_resolution(resolution: &Resolution, image: &ImageFacts) -> Self {
        match Self::on_line(resolution, image) {
            position if position.is_newest() && resolution.base.hold.is_some() => Self::Held,
            position => position,
        }
    }

    fn on_line(resolution: &Resolution, image: &ImageFacts) -> Self {
        let Some(current) = &resolution.current else { return Self::Unknown };
        let base = &resolution.base;
        if is_same_digest(base, current) {
            return Self::Current;
        }
        if is_ahead(base, current) {
            return Self::Ahead;
        }
        if is_same_content(base, current, image) {
            return Self::SameContent;
        }
        // If two releases differ, the one in use counts as newer only with proof.
        let differ = |one: &Option<Digest>, other: &Option<Digest>| one.is_some() && other.is_some() && one != other;
        let releases_differ = differ(&base.platform_digest, &current.platform_digest)
            || (base.kind == Some(DigestKind::Config) && differ(&base.config, &current.config));
        if is_older(base, current) || releases_differ { Self::Behind } else { Self::Unknown }
    }
}

fn is_same_digest(base: &ResolvedBase, current: &CurrentImage) -> bool {
    let same_platform = base.platform_digest.is_some() && base.platform_digest == current.platform_digest;
    let same_config = base.kind == Some(DigestKind::Config) && base.config == current.config;
    base.digest.as_ref() == Some(&current.digest) || same_platform || same_config
}

/// An image whose layers start with all layers of the current release is built on it, whatever the digests.
fn is_same_content(base: &ResolvedBase, current: &CurrentImage, image: &ImageFacts) -> bool {
    let Some(layers) = &current.diff_ids else { return false };
    let same_layers = !layers.is_empty() && base.diff_ids.as_ref() == Some(layers);
    same_layers || image.is_built_on(layers)
}

fn is_ahead(base: &ResolvedBase, current: &CurrentImage) -> bool {
    base.published.zip(current.published).is_some_and(|(base, current)| current.is_proven_before(base))
}

fn is_older(base: &ResolvedBase, current: &CurrentImage) -> bool {
    base.published.zip(current.published).is_some_and(|(base, current)| base.is_before(current))
}
