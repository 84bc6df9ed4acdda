//! How far behind a base is: the releases its line has published after it.

use chrono::{DateTime, Duration, Utc};

use super::{BaseInUse, Current, Line, Published, PublishedSource, Resolver};
use crate::image::LambdaTag;

/// What a line has published after a base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newer {
    /// When the first of them was published; then or earlier when not exact.
    pub since: Option<DateTime<Utc>>,
    /// How many there are; at least that many when not exact.
    pub count: Option<u64>,
    /// Whether both are exact.
    pub is_exact: bool,
}

impl Newer {
    /// These bounds, or the tighter ones of what was observed: since when, and how many.
    fn or_earlier(self, observed: Option<(DateTime<Utc>, u64)>) -> Self {
        let (since, count) = observed.unzip();
        Self { since: self.since.into_iter().chain(since).min(), count: self.count.max(count), is_exact: self.is_exact }
    }
}

/// How long a build may take: a release this much newer than another's `created` is another one.
const BUILD_TIME: Duration = Duration::days(1);

impl Resolver {
    /// The releases of `line` after `base`, up to the current one, from its dated tags; else what the dates
    /// of the current release and the catalog's own observations prove.
    pub(super) fn newer(&self, line: &Line, current: &Current, base: &BaseInUse) -> Newer {
        let upper = current.release.as_ref().and_then(|release| release.built_at).unwrap_or(self.now);
        if let Some(after) = certainly_after(base) {
            let is_newer = |tag: &&LambdaTag| tag.built_at.is_some_and(|at| at > after && at <= upper);
            let mut newer = current.releases.tags.iter().filter(is_newer).peekable();
            if let Some(first) = newer.peek() {
                let same_family = base.release.as_ref().is_some_and(|release| release.family == first.family);
                let dated = Newer {
                    since: first.built_at,
                    count: Some(newer.count() as u64),
                    is_exact: same_family && current.releases.is_complete && current.release.is_some(),
                };
                return if dated.is_exact { dated } else { dated.or_earlier(self.moved_on(line, base)) };
            }
        }
        self.observed(line, current, base)
    }

    /// Without dated tags: superseded at the latest when the current release was published, or when the
    /// line was first seen to have moved on.
    fn observed(&self, line: &Line, current: &Current, base: &BaseInUse) -> Newer {
        let after_base = self.moved_on(line, base);
        let published = current.published.map(|published| published.at);
        let since = [after_base.map(|(seen, _)| seen), published].into_iter().flatten().min();
        Newer { since, count: Some(after_base.map_or(1, |(_, count)| count)), is_exact: false }
    }

    /// When the catalog first saw `line` point elsewhere than at `base`, after it had, and at how many releases since.
    fn moved_on(&self, line: &Line, base: &BaseInUse) -> Option<(DateTime<Utc>, u64)> {
        self.images.catalog().recall(&line.repository, |memory| {
            let history = memory.moving.get(&line.tag)?;
            let at = history.iter().rposition(|seen| Some(&seen.digest) == base.digest.as_ref())?;
            let next = history.get(at + 1)?;
            Some((next.first_seen, (history.len() - at - 1) as u64))
        })
    }
}

/// An instant such that every release dated after it is another one than the base, and newer.
fn certainly_after(base: &BaseInUse) -> Option<DateTime<Utc>> {
    let Published { at, source } = base.published?;
    Some(match source {
        PublishedSource::DatedTag | PublishedSource::AtLeast | PublishedSource::FirstSeen => at,
        PublishedSource::ConfigCreated | PublishedSource::Gallery => at + BUILD_TIME,
    })
}
