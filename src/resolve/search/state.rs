//! What the search of one run knows and has failed to read.

use std::collections::{BTreeMap, BTreeSet};

use super::{candidates::CandidateReleases, known::KnownReleases, read::ManifestCache};
use crate::image::Repository;

/// The state of the search of a run: known releases, and failures.
#[derive(Debug, Default)]
pub(super) struct SearchState {
    pub(super) known: KnownReleases,
    pub(super) is_loaded: bool,
    /// The base repositories that are searched where an image names none.
    pub(super) repositories: BTreeSet<Repository>,
    /// The company bases among them.
    pub(super) company_bases: BTreeSet<Repository>,
    pub(super) lists: Vec<CandidateReleases>,
    /// The number of times a list was read again, which changes the positions of candidates.
    pub(super) lists_version: usize,
    /// Why no further requests are sent in this run.
    pub(super) failures: BTreeMap<String, String>,
    /// Why candidates could not be read.
    pub(super) unreadable: BTreeMap<Repository, String>,
    pub(super) manifests: ManifestCache,
}
