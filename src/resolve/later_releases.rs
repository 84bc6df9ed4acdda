//! The releases that a line published after a base.

use chrono::{DateTime, Utc};

use super::{
    BaseResolver, CurrentImage, PublishDate, PublishDateSource, ResolvedBase, estimate::BUILD_TIME,
    observed::TagHistory,
};
use crate::image::{LambdaTag, Repository};

/// The releases that a line published after a base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaterReleases {
    /// When the first of them was published, or then or earlier if not exact. `None` without proof that there is one.
    pub since: Option<DateTime<Utc>>,
    /// Their number; at least that many if not exact.
    pub count: Option<u64>,
    /// Whether both are exact.
    pub is_exact: bool,
    /// Whether `since` is a recorded build date.
    pub is_estimated: bool,
}

impl BaseResolver {
    /// The releases of a line after `base`, up to the current one: from dated tags, observations, images `received` by
    /// ECR, and publish dates, whichever proves most. Held releases do not count.
    pub(super) fn later_releases(
        &self,
        repository: &Repository,
        observations: &TagHistory,
        current: &CurrentImage,
        base: &ResolvedBase,
        received: Option<LaterReleases>,
    ) -> LaterReleases {
        let release = base.digests();
        let tagged = self.tagged_after(observations.last_seen(release), current, base);
        let observed =
            observations.after(release, self.now, |interval| self.hold_of_interval(repository, interval).is_none());
        let observed =
            observed.map(|(since, count)| LaterReleases { since: Some(since), count: Some(count), ..at_least_one() });
        let dated = current.published.filter(|its| base.published.is_some_and(|ours| ours.is_before(*its)));
        let dated =
            dated.map(|its| LaterReleases { since: Some(its.at), is_estimated: its.is_estimated, ..at_least_one() });
        // Each is a bound, so the earliest proves most; of equal ones, dated tags come first.
        let all = [tagged, observed, received, dated];
        let count = all.iter().flatten().filter_map(|later| later.count).max();
        let first = all.into_iter().flatten().min_by_key(|later| later.since).unwrap_or_else(at_least_one);
        // A line with more or earlier observations than dated tags has lost some of its tags.
        let is_exact = first.is_exact && count == first.count;
        LaterReleases { count: count.or(first.count), is_exact, ..first }
    }

    /// The dated releases that are certainly newer than `base`, up to the current one.
    fn tagged_after(
        &self,
        last_seen: Option<DateTime<Utc>>,
        current: &CurrentImage,
        base: &ResolvedBase,
    ) -> Option<LaterReleases> {
        let upper = current.release.as_ref().and_then(|release| release.built_at).unwrap_or(self.now);
        let published = base.published?;
        let after = certainly_after(published, last_seen);
        let is_newer = |tag: &&LambdaTag| tag.built_at.is_some_and(|at| at > after && at <= upper);
        let mut later = current.releases.tags.iter().filter(is_newer).peekable();
        let first = later.peek()?;
        let same_family = base.release.as_ref().is_some_and(|release| release.family == first.family);
        Some(LaterReleases {
            since: first.built_at,
            is_estimated: false,
            is_exact: same_family && current.releases.is_complete && current.release.is_some(),
            count: Some(later.count() as u64),
        })
    }
}

/// The minimum: the line points at another release.
fn at_least_one() -> LaterReleases {
    LaterReleases { since: None, count: Some(1), is_exact: false, is_estimated: false }
}

/// An instant after which every dated release is newer than the base. `last_seen` is when the line was last observed at
/// the base.
fn certainly_after(published: PublishDate, last_seen: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let after = if published.source.is_estimate() { published.at + BUILD_TIME } else { published.at };
    // The hour of a dated tag is that of the build; the moving tag follows some hours later.
    let last_seen = last_seen.filter(|_| published.source != PublishDateSource::DatedTag);
    last_seen.map_or(after, |last_seen| last_seen.max(after))
}
