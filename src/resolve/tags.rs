//! Dated tags: which there are, which one carries a digest, and which releases a line has.
//!
//! A digest's tag is found by jumping to the tags around its build time, not by walking the list; what
//! a dated tag carries is remembered for good, because dated tags are never re-pointed (0 of 284 observed).

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use chrono::{DateTime, Duration, DurationRound, Utc};

use super::{Problem, ProblemKind, Resolver};
use crate::{
    image::{Arch, Digest, LambdaTag, Platform, Reference, Repository},
    registry,
    store::{Seen, TagMemory},
};

/// How far from a build time its dated tag can be.
const NEAR: Duration = Duration::days(7);

/// How many builds of one hour are asked at the most: more than any repository has families.
const SAME_HOUR: usize = 24;

/// Where the dated tag of a digest is looked for.
pub(super) struct Search<'a> {
    pub(super) repository: &'a Repository,
    pub(super) digest: &'a Digest,
    /// The family, if known; else all are tried, the nearest builds first.
    pub(super) family: Option<&'a str>,
    /// The architecture of a single-platform tag; `None` looks among the plain tags.
    pub(super) arch: Option<Arch>,
    /// When it was built.
    pub(super) around: DateTime<Utc>,
}

/// Dated tags taken apart, oldest first, and when the list they are from was read.
pub(super) type Dated = (DateTime<Utc>, Arc<[LambdaTag]>);

/// The dated releases of one family on one architecture, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    /// The releases, without architecture.
    pub tags: Vec<LambdaTag>,
    /// Whether the list they are from was read to its end.
    pub is_complete: bool,
}

impl Resolver {
    /// Makes sure the remembered tag list of `repository` is not older than `until`, asking at most once
    /// a run. The answer is why it could not be read.
    pub(super) async fn list_tags(&self, repository: &Repository, until: DateTime<Utc>) -> Option<Problem> {
        let read_at = self.images.catalog().recall(repository, |memory| memory.tags.as_ref().map(|tags| tags.read_at));
        if read_at.is_some_and(|read_at| read_at >= until.min(self.seen_at)) {
            return None;
        }
        let ask = async || {
            let listed = match self.images.registry().tags(repository).await {
                Ok(listed) => listed,
                Err(error) => return Some(Problem::of(&error, ProblemKind::LineUnknown)),
            };
            let is_dated = |tag: &String| LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some());
            let mut dated: Vec<_> = listed.tags.into_iter().filter(is_dated).collect();
            dated.sort_unstable();
            let tags = TagMemory { read_at: self.seen_at, is_complete: listed.is_complete, dated };
            self.images.catalog().note(repository, |memory| memory.tags = Some(tags));
            None
        };
        self.tag_lists.get(repository.clone(), ask).await
    }

    /// The remembered dated tags of `repository`, oldest first; taken apart once a list, for every base asks.
    pub(super) fn dated_tags(&self, repository: &Repository) -> Arc<[LambdaTag]> {
        let mut all = self.dated.lock().unwrap_or_else(PoisonError::into_inner);
        self.images.catalog().recall(repository, |memory| {
            let Some(tags) = &memory.tags else { return Arc::default() };
            if let Some((_, known)) = all.get(repository).filter(|(read_at, _)| *read_at == tags.read_at) {
                return Arc::clone(known);
            }
            let mut dated: Vec<_> = tags.dated.iter().filter_map(|tag| LambdaTag::parse(tag)).collect();
            dated.sort_by_key(|tag| tag.built_at);
            let dated: Arc<[_]> = dated.into();
            all.insert(repository.clone(), (tags.read_at, Arc::clone(&dated)));
            dated
        })
    }

    /// The releases of `family` for `platform` up to now. A release is dated by its architecture's own
    /// tag; by the plain one where it has no tag for any architecture.
    pub(super) fn releases(&self, repository: &Repository, family: &str, platform: &Platform) -> Releases {
        let arch = Arch::from_oci(platform.architecture());
        let mut builds: BTreeMap<_, (bool, bool)> = BTreeMap::new();
        for tag in self.dated_tags(repository).iter().filter(|tag| tag.family == family) {
            let Some(built_at) = tag.built_at.filter(|built_at| *built_at <= self.now) else { continue };
            let (has_any, has_this) = builds.entry(built_at).or_default();
            *has_any |= tag.arch.is_some();
            *has_this |= tag.arch.is_some() && tag.arch == arch;
        }
        let tags = builds
            .into_iter()
            .filter(|(_, (has_any, has_this))| *has_this || !has_any)
            .map(|(built_at, _)| LambdaTag { family: family.to_owned(), built_at: Some(built_at), arch: None })
            .collect();
        let is_complete = self
            .images
            .catalog()
            .recall(repository, |memory| memory.tags.as_ref().is_some_and(|tags| tags.is_complete));
        Releases { tags, is_complete }
    }

    /// The dated tag that is already known to carry one of `digests`.
    pub(super) fn known_release(&self, repository: &Repository, digests: &[&Digest]) -> Option<LambdaTag> {
        self.images.catalog().recall(repository, |memory| {
            let carries = |seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| digests.contains(&&seen.digest));
            let (tag, _) = memory.carried.iter().find(|(_, seen)| carries(seen))?;
            LambdaTag::parse(tag).map(|tag| tag.release())
        })
    }

    /// What the dated `tag` carries: remembered, else one `HEAD`. `None` if there is no such tag.
    pub(super) async fn carried(&self, repository: &Repository, tag: &str) -> registry::Result<Option<Seen>> {
        let known = self.images.catalog().recall(repository, |memory| memory.carried.get(tag).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let reference = Reference::tagged(repository.clone(), tag);
        self.tags_asked.get(reference.clone(), async || self.ask_tag(&reference, tag).await).await
    }

    async fn ask_tag(&self, reference: &Reference, tag: &str) -> registry::Result<Option<Seen>> {
        let repository = &reference.repository;
        let seen = match self.images.registry().head(reference).await {
            Ok(pointer) => Some(Seen { digest: pointer.digest, kind: pointer.kind, first_seen: self.seen_at }),
            Err(registry::Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        self.note_carried(repository, tag, seen.clone());
        Ok(seen)
    }

    pub(super) fn note_carried(&self, repository: &Repository, tag: &str, seen: Option<Seen>) {
        self.images.catalog().note(repository, |memory| {
            memory.carried.insert(tag.to_owned(), seen);
        });
    }

    /// Looks for the dated tag that carries a digest, nearest builds first, with a bounded number of
    /// `HEAD`s. The same search asks the same tags again, and those are remembered.
    pub(super) async fn search(&self, search: &Search<'_>) -> registry::Result<Option<(LambdaTag, Seen)>> {
        for tag in self.candidates(search) {
            if let Some(seen) = self.carried(search.repository, &tag.to_string()).await?
                && seen.digest == *search.digest
            {
                return Ok(Some((tag.release(), seen)));
            }
        }
        Ok(None)
    }

    pub(super) fn candidates(&self, search: &Search<'_>) -> Vec<LambdaTag> {
        let distance = |tag: &LambdaTag| tag.built_at.map_or(Duration::MAX, |built_at| gap(built_at, search.around));
        let dated = self.dated_tags(search.repository);
        let near = dated.partition_point(|tag| tag.built_at < Some(search.around - NEAR));
        let mut tags: Vec<_> = dated[near..]
            .iter()
            .take_while(|tag| tag.built_at <= Some(search.around + NEAR))
            .filter(|tag| search.family.is_none_or(|family| family == tag.family) && tag.arch == search.arch)
            .cloned()
            .collect();
        if tags.is_empty() && search.family.is_some() {
            tags = unlisted(search);
        }
        tags.sort_by_cached_key(|tag| (distance(tag), tag.built_at));
        self.within_budget(search, tags)
    }

    /// The nearest tags, as many as may be asked. Families are built in the same hours, so where the family
    /// is not known, all the builds of an hour may be asked, and a few more.
    fn within_budget(&self, search: &Search<'_>, tags: Vec<LambdaTag>) -> Vec<LambdaTag> {
        let probes = self.settings.probes;
        if search.family.is_some() {
            return tags.into_iter().take(probes).collect();
        }
        let is_same_hour = |tag: &LambdaTag| tag.built_at.is_some_and(|at| gap(at, search.around).is_zero());
        let same_hour = tags.iter().filter(|tag| is_same_hour(tag)).count();
        tags.into_iter().take(same_hour.min(SAME_HOUR) + probes).collect()
    }
}

/// How far `instant` is outside the hour that begins at `hour`: the tag names the hour of the build.
fn gap(hour: DateTime<Utc>, instant: DateTime<Utc>) -> Duration {
    if instant < hour { hour - instant } else { (instant - hour - Duration::hours(1)).max(Duration::zero()) }
}

/// The tags a release would have, for a repository whose list cannot be had: of its hour, the one before
/// and the one after.
fn unlisted(search: &Search<'_>) -> Vec<LambdaTag> {
    let Ok(hour) = search.around.duration_trunc(Duration::hours(1)) else { return Vec::new() };
    let family = search.family.unwrap_or_default();
    [0, -1, 1]
        .map(|hours| LambdaTag {
            family: family.to_owned(),
            built_at: Some(hour + Duration::hours(hours)),
            arch: search.arch,
        })
        .to_vec()
}
