//! Candidates of a layer search: the dated releases of a base repository.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{super::BaseResolver, known::KnownReleases};
use crate::image::{ErrorCode, LambdaArch, LambdaTag, Repository};

/// A dated release on one architecture.
#[derive(Clone, Debug)]
pub(super) struct CandidateRelease {
    /// Its tag: that of its architecture, if there is one.
    pub(super) tag: LambdaTag,
    /// When it was built, to the hour.
    pub(super) built_at: DateTime<Utc>,
    /// How much of it is known.
    pub(super) state: CandidateState,
}

/// How much of a candidate is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CandidateState {
    /// Not read.
    Unread,
    /// Its layer digests, but not its `diff_ids`.
    Layers,
    /// Layer digests and `diff_ids`.
    Whole,
    /// It has no image for this architecture.
    Absent,
    /// Reading it failed in this run.
    Unreadable,
}

/// The candidates of one repository on one architecture.
#[derive(Debug)]
pub(super) struct CandidateReleases {
    /// The repository.
    pub(super) repository: Repository,
    /// The architecture.
    pub(super) arch: LambdaArch,
    /// The candidates, oldest first.
    pub(super) all: Vec<CandidateRelease>,
    /// Why the list may be incomplete.
    pub(super) error: Option<String>,
    /// The instant until which the tag list was read.
    pub(super) until: DateTime<Utc>,
}

impl CandidateReleases {
    /// The dated releases of `repository` for `arch`, published until `until`.
    pub(super) async fn list(
        resolver: &BaseResolver,
        known: &KnownReleases,
        repository: &Repository,
        arch: LambdaArch,
        until: DateTime<Utc>,
    ) -> Self {
        let problem = resolver.list_tags(repository, until).await;
        let is_complete = resolver.is_list_complete(repository, until);
        let error = match problem {
            Some(problem) if problem.failure != Some(ErrorCode::Incomplete) => Some(problem.message),
            _ if is_complete => None,
            _ => Some(format!("only a part of the tags of {repository} could be listed")),
        };
        // A tag of the architecture takes one request for its manifest; releases without one have an index.
        let mut tags: BTreeMap<_, (Option<LambdaTag>, bool)> = BTreeMap::new();
        for tag in resolver.dated_tags(repository).iter() {
            let Some(built_at) = tag.built_at else { continue };
            let (best, has_arch) = tags.entry((built_at, tag.family.clone())).or_default();
            *has_arch |= tag.arch.is_some();
            if tag.arch == Some(arch) || (tag.arch.is_none() && best.is_none()) {
                *best = Some(tag.clone());
            }
        }
        let of_arch = |(tag, has_arch): (Option<LambdaTag>, bool)| tag.filter(|tag| tag.arch.is_some() || !has_arch);
        let candidate = |((built_at, _), found)| {
            let tag = of_arch(found)?;
            let state = match known.layers(repository, &tag, arch) {
                None => CandidateState::Unread,
                Some(layers) if layers.has_diff_ids => CandidateState::Whole,
                Some(_) => CandidateState::Layers,
            };
            Some(CandidateRelease { tag, built_at, state })
        };
        let all = tags.into_iter().filter_map(candidate).collect();
        Self { repository: repository.clone(), arch, all, error, until }
    }
}
