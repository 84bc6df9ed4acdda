//! What the layers of an image say of its base.

use std::collections::BTreeMap;

use crate::image::MatchedPrefix;

/// What the layers of one image say of its base, as far as releases were compared with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerEvidence {
    /// Releases of configured base repositories whose whole lists of layers are a prefix of the image's, longest first.
    /// The image itself is among them where it is such a release.
    pub prefixes: Vec<MatchedPrefix>,
    /// Whether the base that a reading names is a prefix of the image, by the position of the reading in
    /// [`super::Identification::readings`]. Readings that name no base have none.
    pub checks: BTreeMap<usize, PrefixCheck>,
    /// How far releases that were not known were searched.
    pub search: Search,
    /// How many requests the search sent for this image. Images that are searched together share them.
    pub request_count: usize,
}

/// Whether a base is a prefix of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixCheck {
    /// Its layers are the first of the image.
    Prefix {
        /// How many they are.
        layer_count: usize,
    },
    /// They are not, and the image has at least as many.
    Different,
    /// The image has fewer layers than the base, as after `--squash`: nothing can be compared.
    Fewer,
    /// The base can no longer be read, or which release it is cannot be told: nothing was compared.
    Unread,
}

/// How far the search for releases that are a prefix of the image went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// Nothing was searched: what is known suffices, or nothing shows on which line the base could be.
    #[default]
    Idle,
    /// Every release that the image could be built on was compared.
    Complete {
        /// The lines whose releases were compared, as `repository:tag`.
        lines: Vec<String>,
    },
    /// The budget of the run ended first; the next run goes on.
    Unfinished {
        /// How many releases were compared in this run and in earlier ones.
        compared_count: usize,
        /// How many releases are left, as far as tag lists say.
        left_count: usize,
    },
    /// The releases could not be listed or read.
    Failed {
        /// What went wrong.
        why: String,
    },
}
