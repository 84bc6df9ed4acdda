//! Dated tags: the tags of a repository, the tag of a digest, and the releases of a line.
//!
//! The tag of a digest is searched near its build time instead of through the whole list. The digest of a dated tag is
//! cached forever, because dated tags never move (0 of 284 observed).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
};

use chrono::{DateTime, Duration, DurationRound, Utc};

use super::{BaseResolver, ReleaseHold, ResolutionProblem};
use crate::{
    image::{Digest, LambdaArch, LambdaTag, Platform, Reference, Repository},
    registry::{self, FetchedManifest, TagList},
    store::{RepositoryRecord, TagListRecord, TagObservation},
};

/// The longest time between a build and the hour of its dated tag.
const NEAR: Duration = Duration::days(7);

/// The most dated tags that are tried for a digest, one request each; usually the nearest is right. If the family is
/// unknown, the builds of the same hour come on top.
pub(super) const PROBES: usize = 4;

/// The most builds of one hour that are tried: more than any repository has families.
const SAME_HOUR: usize = 24;

/// A search for the dated tag of a digest.
pub(super) struct TagSearch<'a> {
    pub(super) repository: &'a Repository,
    pub(super) digest: &'a Digest,
    /// The family, if known; `None` tries all, the nearest builds first.
    pub(super) family: Option<&'a str>,
    /// The architecture of a single-platform tag; `None` for plain tags.
    pub(super) arch: Option<LambdaArch>,
    /// The build date.
    pub(super) around: DateTime<Utc>,
}

/// Parsed dated tags, oldest first, with their sources: when each list was read, and how many tags were found without a
/// list.
pub(super) type DatedTags = (Vec<(Option<DateTime<Utc>>, usize)>, Arc<[LambdaTag]>);

/// The dated releases of one family on one architecture, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseTags {
    /// The releases that are not held, without architecture.
    pub tags: Vec<LambdaTag>,
    /// The held releases, each with its hold.
    pub held: Vec<(LambdaTag, Arc<ReleaseHold>)>,
    /// Whether their tag list is complete.
    pub is_complete: bool,
}

impl BaseResolver {
    /// Reads the tag list of `repository` unless the cached one is as new as `until`, at most once a run. Returns the
    /// problem of reading it.
    ///
    /// A partial list is read again in the next run. The list of a pull-through cache is never complete, which is not a
    /// problem: `note_coverage` reports the cache.
    pub(super) async fn list_tags(&self, repository: &Repository, until: DateTime<Utc>) -> Option<ResolutionProblem> {
        let source = self.images.tag_source(repository);
        let is_enough = |tags: &TagListRecord| {
            tags.read_at >= until.min(self.seen_at) && (tags.is_complete || source != *repository)
        };
        if self.images.catalog().read_repository(&source, |record| record.tags.as_ref().is_some_and(is_enough)) {
            return None;
        }
        self.tag_lists.get(repository.clone(), async || self.read_list(repository).await).await
    }

    async fn read_list(&self, repository: &Repository) -> Option<ResolutionProblem> {
        let TagList { tags, is_complete } = match self.images.registry().tags(repository).await {
            Ok(listed) => listed,
            Err(error) => return ResolutionProblem::unreadable_history(repository, &error),
        };
        let problem = match (tags.len(), is_complete) {
            // The list is read only for repositories that have tags.
            (0, _) => {
                Some(ResolutionProblem::partial_history(repository, "its tag list is empty, although it has tags"))
            }
            (_, true) => None,
            (count, false) => {
                let why = format!("its tag list continues after {count} tags or repeats itself");
                Some(ResolutionProblem::partial_history(repository, &why))
            }
        };
        let is_dated = |tag: &String| LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some());
        let mut dated: BTreeSet<_> = tags.into_iter().filter(is_dated).collect();
        // Checked after the response, which may have been the first one from a cache.
        let source = self.images.tag_source(repository);
        let is_complete = problem.is_none() && source == *repository;
        self.images.catalog().update_repository(&source, |record| {
            let known = record.tags.take().filter(|_| !is_complete);
            dated.extend(known.into_iter().flat_map(|known| known.dated));
            record.tags =
                Some(TagListRecord { read_at: self.seen_at, is_complete, dated: dated.into_iter().collect() });
        });
        problem.filter(|_| source == *repository)
    }

    /// Whether all dated tags of `repository` up to `until` are known. Through a cache they never are.
    pub(super) fn is_list_complete(&self, repository: &Repository, until: DateTime<Utc>) -> bool {
        let is_complete = |tags: &TagListRecord| tags.is_complete && tags.read_at >= until.min(self.seen_at);
        self.images.registry().cache_of(repository).is_none()
            && self.images.catalog().read_repository(repository, |record| record.tags.as_ref().is_some_and(is_complete))
    }

    /// Applies `recall` to the cached data of `repository` and of the pull-through cache that it is read through. Not for
    /// the order in which a tag carried digests: a cache lags behind.
    pub(super) fn recall_both<T>(&self, repository: &Repository, recall: impl Fn(&RepositoryRecord) -> T) -> Vec<T> {
        let cache = self.images.registry().cache_of(repository);
        [Some(repository), cache.as_ref()]
            .into_iter()
            .flatten()
            .map(|source| self.images.catalog().read_repository(source, &recall))
            .collect()
    }

    /// The error for `reference` that was not found, as the registry or its cache would return it.
    pub(super) fn absence(&self, reference: &Reference) -> registry::Error {
        match registry::Error::not_found(reference) {
            registry::Error::NotFound { repository, missing, .. } => {
                let cache = self.images.registry().cache_of(&repository);
                registry::Error::NotFound { repository, missing, cache }
            }
            error => error,
        }
    }

    /// The known dated tags of `repository`, oldest first: those listed, also by its pull-through cache. If the list is
    /// incomplete, also those found by other requests.
    pub(super) fn dated_tags(&self, repository: &Repository) -> Arc<[LambdaTag]> {
        let mut all = self.dated.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = self.recall_both(repository, |record| {
            let is_complete = record.tags.as_ref().is_some_and(|tags| tags.is_complete);
            let found = if is_complete { 0 } else { record.carried.len() };
            (record.tags.as_ref().map(|tags| tags.read_at), found)
        });
        // Parsed once for each list, because every base needs it.
        if let Some((_, known)) = all.get(repository).filter(|(of, _)| *of == lists) {
            return Arc::clone(known);
        }
        let texts = self.recall_both(repository, |record| {
            let is_complete = record.tags.as_ref().is_some_and(|tags| tags.is_complete);
            let found = record.carried.keys().filter(|_| !is_complete);
            record.tags.iter().flat_map(|tags| &tags.dated).chain(found).cloned().collect::<Vec<_>>()
        });
        let texts: BTreeSet<_> = texts.into_iter().flatten().collect();
        let mut dated: Vec<_> = texts.iter().filter_map(|tag| LambdaTag::parse(tag)).collect();
        dated.sort_by_key(|tag| tag.built_at);
        let dated: Arc<[_]> = dated.into();
        all.insert(repository.clone(), (lists, Arc::clone(&dated)));
        dated
    }

    /// The releases of `family` for `platform` until now. A release is dated by the tag of its architecture, or by the
    /// plain tag if it has none. Complete if all releases until `until` are known.
    pub(super) fn releases(
        &self,
        repository: &Repository,
        family: &str,
        platform: &Platform,
        until: DateTime<Utc>,
    ) -> ReleaseTags {
        let arch = LambdaArch::from_oci(platform.architecture());
        let mut builds: BTreeMap<_, (bool, bool)> = BTreeMap::new();
        for tag in self.dated_tags(repository).iter().filter(|tag| tag.family == family) {
            let Some(built_at) = tag.built_at.filter(|built_at| *built_at <= self.now) else { continue };
            let (has_any, has_this) = builds.entry(built_at).or_default();
            *has_any |= tag.arch.is_some();
            *has_this |= tag.arch.is_some() && tag.arch == arch;
        }
        let mut releases = ReleaseTags {
            is_complete: self.is_list_complete(repository, until) && !self.holds_unknown_release(repository),
            ..ReleaseTags::default()
        };
        for (built_at, _) in builds.into_iter().filter(|(_, (has_any, has_this))| *has_this || !has_any) {
            let tag = LambdaTag { family: family.to_owned(), built_at: Some(built_at), arch: None };
            match self.hold_of_tag(repository, &tag, arch) {
                Some(hold) => releases.held.push((tag, hold)),
                None => releases.tags.push(tag),
            }
        }
        releases
    }

    /// The dated tag that is known to carry one of `digests`.
    pub(super) fn known_release(&self, repository: &Repository, digests: &[&Digest]) -> Option<LambdaTag> {
        self.images.catalog().read_repository(repository, |record| {
            let (tag, _) = record.carried.iter().find(|(_, seen)| digests.contains(&&seen.digest))?;
            LambdaTag::parse(tag).map(|tag| tag.release())
        })
    }

    /// The cached digest of the dated `tag`.
    pub(super) fn known_carried(&self, repository: &Repository, tag: &str) -> Option<TagObservation> {
        self.images.catalog().read_repository(repository, |record| record.carried.get(tag).cloned())
    }

    /// The digest of the dated `tag`: cached, else one `HEAD`. `None` if it does not exist, which is cached for this
    /// run only.
    pub(super) async fn carried(&self, repository: &Repository, tag: &str) -> registry::Result<Option<TagObservation>> {
        let known = self.known_carried(repository, tag);
        if known.is_some() {
            return Ok(known);
        }
        let reference = Reference::tagged(repository.clone(), tag);
        self.tags_asked.get(reference.clone(), async || self.ask_tag(&reference, tag).await).await
    }

    async fn ask_tag(&self, reference: &Reference, tag: &str) -> registry::Result<Option<TagObservation>> {
        let pointer = match self.images.registry().head(reference).await {
            Ok(pointer) => pointer,
            Err(registry::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let seen = TagObservation::new(pointer.digest, pointer.kind, self.seen_at);
        self.note_carried(&reference.repository, tag, seen.clone());
        Ok(Some(seen))
    }

    /// The same if its image is needed as well: if the digest is not cached, one `GET` returns it with the manifest.
    pub(super) async fn carried_image(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> registry::Result<Option<TagObservation>> {
        let known = self.known_carried(repository, tag);
        if known.is_some() {
            return Ok(known);
        }
        let reference = Reference::tagged(repository.clone(), tag);
        let fetch = async || match self.read_dated(repository, tag).await? {
            Some(seen) => Ok(Some(seen)),
            // A `GET` does not distinguish a missing tag from a missing manifest.
            None => self.ask_tag(&reference, tag).await,
        };
        self.tags_asked.get(reference.clone(), fetch).await
    }

    /// Reads the image of the dated `tag` into the catalog.
    pub(super) async fn read_dated(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> registry::Result<Option<TagObservation>> {
        let Some(fetched) = self.fetch_dated(repository, tag).await? else { return Ok(None) };
        let seen = TagObservation::new(fetched.digest.clone(), Some(fetched.document.kind()), self.seen_at);
        // A configuration that cannot be read is read again where it is needed, and its error reported there.
        drop(self.images.complete(repository, &fetched.digest, fetched.document).await);
        Ok(Some(seen))
    }

    /// Fetches the manifest of the dated `tag`, and caches its digest.
    pub(super) async fn fetch_dated(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> registry::Result<Option<FetchedManifest>> {
        let reference = Reference::tagged(repository.clone(), tag);
        let fetched = match self.images.registry().manifest(&reference).await {
            Ok(fetched) => fetched,
            Err(registry::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let seen = TagObservation::new(fetched.digest.clone(), Some(fetched.document.kind()), self.seen_at);
        self.note_carried(repository, tag, seen);
        Ok(Some(fetched))
    }

    pub(super) fn note_carried(&self, repository: &Repository, tag: &str, seen: TagObservation) {
        self.images.catalog().update_repository(repository, |record| {
            record.carried.insert(tag.to_owned(), seen);
        });
    }

    /// Searches the dated tag of a digest, nearest builds first, with a bounded number of `HEAD`s. A repeated search
    /// uses cached digests.
    pub(super) async fn search(&self, search: &TagSearch<'_>) -> registry::Result<Option<(LambdaTag, TagObservation)>> {
        for tag in self.candidates(search) {
            if let Some(seen) = self.carried(search.repository, &tag.to_string()).await?
                && seen.digest == *search.digest
            {
                return Ok(Some((tag.release(), seen)));
            }
        }
        Ok(None)
    }

    pub(super) fn candidates(&self, search: &TagSearch<'_>) -> Vec<LambdaTag> {
        let distance =
            |tag: &LambdaTag| tag.built_at.map_or(Duration::MAX, |built_at| distance_in_time(built_at, search.around));
        let dated = self.dated_tags(search.repository);
        let near = dated.partition_point(|tag| tag.built_at < Some(search.around - NEAR));
        let around = dated[near..].iter().take_while(|tag| tag.built_at <= Some(search.around + NEAR));
        let around: Vec<_> = around.filter(|tag| search.family.is_none_or(|family| family == tag.family)).collect();
        // A release for one architecture may have a plain tag only.
        let split: BTreeSet<_> =
            around.iter().filter(|tag| tag.arch.is_some()).map(|tag| (&tag.family, tag.built_at)).collect();
        let is_candidate = |tag: &&&LambdaTag| {
            tag.arch == search.arch || (tag.arch.is_none() && !split.contains(&(&tag.family, tag.built_at)))
        };
        let mut tags: Vec<_> = around.iter().filter(is_candidate).map(|tag| (*tag).clone()).collect();
        tags.sort_by_cached_key(|tag| (distance(tag), tag.built_at));
        let mut tags = Self::within_budget(search, tags);
        if search.family.is_some() && !self.is_list_complete(search.repository, search.around) {
            tags.extend(unlisted(search).into_iter().filter(|guess| !dated.contains(guess)));
            tags.sort_by_cached_key(|tag| (distance(tag), tag.built_at));
        }
        tags
    }

    /// The nearest tags, within the limits. Families are built in the same hours: if the family is unknown, all builds
    /// of the hour may be tried, and a few more.
    fn within_budget(search: &TagSearch<'_>, tags: Vec<LambdaTag>) -> Vec<LambdaTag> {
        if search.family.is_some() {
            return tags.into_iter().take(PROBES).collect();
        }
        let is_same_hour =
            |tag: &LambdaTag| tag.built_at.is_some_and(|at| distance_in_time(at, search.around).is_zero());
        let same_hour = tags.iter().filter(|tag| is_same_hour(tag)).count();
        tags.into_iter().take(same_hour.min(SAME_HOUR) + PROBES).collect()
    }
}

/// The distance of `instant` from the hour that begins at `hour`, which is the hour of the build.
fn distance_in_time(hour: DateTime<Utc>, instant: DateTime<Utc>) -> Duration {
    if instant < hour { hour - instant } else { (instant - hour - Duration::hours(1)).max(Duration::zero()) }
}

/// The tags that a release would have if the tag list is incomplete: of its hour, the one before and the one after.
fn unlisted(search: &TagSearch<'_>) -> Vec<LambdaTag> {
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
