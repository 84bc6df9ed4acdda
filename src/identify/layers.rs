//! Layer evidence: known releases and recorded bases, compared with the layers of an image.

use std::collections::BTreeMap;

use crate::image::MatchedPrefix;

/// The layer evidence of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerEvidence {
    /// Releases of configured base repositories whose layers are all a prefix of the image's, longest first. Includes
    /// the image itself if it is such a release.
    pub prefixes: Vec<MatchedPrefix>,
    /// Whether the base of a reading is a prefix of the image, by the position of the reading in
    /// [`super::Identification::records`]. Malformed readings have no entry.
    pub checks: BTreeMap<usize, PrefixCheck>,
    /// How complete the search for unknown releases was.
    pub search: SearchCompletion,
    /// The number of requests of the search for this image. Images of one group share them.
    pub request_count: usize,
}

/// Whether a base is a prefix of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixCheck {
    /// Its layers are the first layers of the image.
    Prefix {
        /// Their number.
        layer_count: usize,
    },
    /// They are not, and the image has at least as many layers.
    Different,
    /// The image has fewer layers than the base, as after `--squash`, so they cannot be compared.
    Fewer,
    /// The base cannot be read any more or its release is unknown, so they were not compared.
    Unread,
}

/// How complete the search for releases that are a prefix of the image was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SearchCompletion {
    /// No search: known releases suffice, or nothing shows which line the base could belong to.
    #[default]
    Idle,
    /// Every release that the image could be built on was compared.
    Complete {
        /// The lines whose releases were compared, as `repository:tag`.
        lines: Vec<String>,
    },
    /// The budget of the run ended first; the next run continues.
    Unfinished {
        /// The number of releases compared in this and earlier runs.
        compared_count: usize,
        /// The number of releases left, according to tag lists.
        left_count: usize,
    },
    /// The releases could not be listed or read.
    Failed {
        /// The error.
        why: String,
    },
}
