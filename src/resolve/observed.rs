//! The observed history of a line's moving tag on one platform.

use chrono::{DateTime, Utc};

use super::{PublishDate, PublishDateSource};
use crate::image::Digest;

/// The releases that a moving tag was observed at, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TagHistory(Vec<TagInterval>);

/// A period in which the tag was observed at one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TagInterval {
    /// The digest that the tag pointed at.
    pub(super) digest: Digest,
    /// The manifest of the platform, if known.
    pub(super) platform_digest: Option<Digest>,
    /// The first observation.
    pub(super) first_seen: DateTime<Utc>,
    /// The last observation.
    pub(super) last_seen: DateTime<Utc>,
}

/// The digests of a release.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReleaseDigests<'a> {
    /// The recorded digest, or the one that the tag points at.
    pub(super) digest: Option<&'a Digest>,
    /// The manifest of the platform.
    pub(super) platform_digest: Option<&'a Digest>,
}

impl TagHistory {
    /// Merges `intervals`, oldest first: an index that changed while this platform's manifest did not is the same release.
    pub(super) fn new(intervals: impl IntoIterator<Item = TagInterval>) -> Self {
        let mut joined: Vec<TagInterval> = Vec::new();
        for interval in intervals {
            match joined.last_mut().filter(|last| last.is(interval.release())) {
                Some(last) => last.last_seen = last.last_seen.max(interval.last_seen),
                None => joined.push(interval),
            }
        }
        Self(joined)
    }

    /// All periods.
    pub(super) fn intervals(&self) -> &[TagInterval] {
        &self.0
    }

    /// When the tag was first observed at `release`.
    pub(super) fn first(&self, release: ReleaseDigests<'_>) -> Option<&TagInterval> {
        self.0.get(self.position(release)?)
    }

    /// The period before the first one at `release`, if the arrival was observed.
    pub(super) fn before(&self, release: ReleaseDigests<'_>) -> Option<&TagInterval> {
        self.0.get(self.position(release)?.checked_sub(1)?)
    }

    /// When the tag was observed to move to `release`: published between the observation before and this one.
    pub(super) fn arrival(&self, release: ReleaseDigests<'_>) -> Option<PublishDate> {
        let (before, first) = (self.before(release)?, self.first(release)?);
        let not_before = Some(before.last_seen).filter(|last_seen| *last_seen <= first.first_seen)?;
        Some(PublishDate {
            not_before: Some(not_before),
            ..PublishDate::new(first.first_seen, PublishDateSource::Observed)
        })
    }

    /// When the tag was last observed at `release`.
    pub(super) fn last_seen(&self, release: ReleaseDigests<'_>) -> Option<DateTime<Utc>> {
        self.0.iter().rfind(|interval| interval.is(release)).map(|interval| interval.last_seen)
    }

    /// When the tag left `release` for a newer one, until `now`, and the number of releases since that `counts` admits.
    /// Releases that it pointed at before `release` are older.
    pub(super) fn after(
        &self,
        release: ReleaseDigests<'_>,
        now: DateTime<Utc>,
        counts: impl Fn(&TagInterval) -> bool,
    ) -> Option<(DateTime<Utc>, u64)> {
        let first = self.position(release)?;
        let last = self.0.iter().rposition(|interval| interval.is(release))?;
        let is_newer = |(at, interval): &(usize, &TagInterval)| {
            let is_first_stay = self.position(interval.release()) == Some(*at);
            *at > first && is_first_stay && interval.first_seen <= now && counts(interval)
        };
        let mut later =
            self.0.iter().enumerate().skip(last + 1).filter(is_newer).map(|(_, interval)| interval).peekable();
        Some((later.peek()?.first_seen, later.count() as u64))
    }

    /// The release that the tag pointed at on `instant`, if observed.
    pub(super) fn on(&self, instant: DateTime<Utc>) -> Option<&TagInterval> {
        self.0.iter().rfind(|interval| interval.first_seen <= instant && instant <= interval.last_seen)
    }

    fn position(&self, release: ReleaseDigests<'_>) -> Option<usize> {
        self.0.iter().position(|interval| interval.is(release))
    }
}

impl TagInterval {
    pub(super) fn release(&self) -> ReleaseDigests<'_> {
        ReleaseDigests { digest: Some(&self.digest), platform_digest: self.platform_digest.as_ref() }
    }

    /// Whether the tag pointed at `release`, by either digest: builders record one or the other.
    fn is(&self, release: ReleaseDigests<'_>) -> bool {
        let ours = [Some(&self.digest), self.platform_digest.as_ref()];
        let its = [release.digest, release.platform_digest];
        its.into_iter().flatten().any(|digest| ours.contains(&Some(digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::hours(hour)
    }

    /// A tag observed at each of these, from one hour to another.
    fn seen(intervals: &[(&str, i64, i64)]) -> TagHistory {
        TagHistory::new(intervals.iter().map(|(name, first, last)| TagInterval {
            digest: Digest::sha256(format!("{name} {first}").as_bytes()),
            platform_digest: Some(Digest::sha256(name.as_bytes())),
            first_seen: at(*first),
            last_seen: at(*last),
        }))
    }

    fn with<T>(name: &str, ask: impl FnOnce(ReleaseDigests<'_>) -> T) -> T {
        let digest = Digest::sha256(name.as_bytes());
        ask(ReleaseDigests { digest: Some(&digest), platform_digest: None })
    }

    #[test]
    fn a_release_is_published_between_two_observations() {
        let line = seen(&[("a", 1, 5), ("b", 6, 6), ("b", 7, 8), ("c", 9, 9)]);
        let arrival = |name| with(name, |release| line.arrival(release));
        let b = arrival("b").unwrap();
        assert_eq!((b.not_before, b.at, b.source), (Some(at(5)), at(6), PublishDateSource::Observed));
        assert_eq!(arrival("c").unwrap().not_before, Some(at(8)), "two indexes with one manifest are one release");
        assert_eq!(arrival("a"), None, "it was there at the first observation");
        assert_eq!(arrival("d"), None);
        let overlapping = seen(&[("a", 1, 7), ("b", 6, 8)]);
        assert_eq!(
            with("b", |release| overlapping.arrival(release)),
            None,
            "two concurrent runs observed different releases"
        );
    }

    #[test]
    fn releases_after_one_count_from_its_first_successor() {
        let line = seen(&[("a", 1, 5), ("b", 6, 8), ("c", 9, 9)]);
        let after = |line: &TagHistory, name, now| with(name, |release| line.after(release, at(now), |_| true));
        assert_eq!(after(&line, "a", 20), Some((at(6), 2)));
        assert_eq!(after(&line, "b", 20), Some((at(9), 1)));
        assert_eq!(after(&line, "c", 20), None);
        assert_eq!(after(&line, "d", 20), None);
        assert_eq!(after(&line, "a", 7), Some((at(6), 1)), "the rest is yet to come");
        let is_free = |interval: &TagInterval| interval.platform_digest != Some(Digest::sha256(b"b"));
        let after_held = with("a", |release| line.after(release, at(20), is_free));
        assert_eq!(after_held, Some((at(9), 1)), "a held release does not count");
        // b was withdrawn: a deployment on a is behind since c, one on b is not behind a.
        let rolled_back = seen(&[("a", 1, 5), ("b", 6, 7), ("a", 8, 9), ("c", 10, 10)]);
        assert_eq!(after(&rolled_back, "a", 20), Some((at(10), 1)));
        assert_eq!(after(&rolled_back, "b", 20), Some((at(10), 1)));
        let withdrawn = seen(&[("a", 1, 5), ("b", 6, 7), ("a", 8, 9)]);
        assert_eq!(after(&withdrawn, "b", 20), None);
    }

    #[test]
    fn the_release_of_a_tag_is_known_at_instants_between_observations() {
        let line = seen(&[("a", 1, 5), ("b", 8, 9)]);
        let on = |hour| line.on(at(hour)).and_then(|interval| interval.platform_digest.clone());
        assert_eq!(on(3), Some(Digest::sha256(b"a")));
        assert_eq!([on(0), on(6), on(10)], [None, None, None]);
        assert_eq!(on(9), Some(Digest::sha256(b"b")));
    }
}
