//! Publish dates, each with its source and with what it proves.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a publish date is from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PublishedSource {
    /// The dated tag that carries the digest.
    DatedTag,
    /// The catalog saw the line's tag move to it: published then, or since the tag was last seen elsewhere.
    Observed,
    /// An estimate: `org.opencontainers.image.created` of its descriptor in the index.
    DescriptorCreated,
    /// An estimate: the youngest `created` in the history of the image configuration.
    HistoryCreated,
    /// An estimate: `created` in the image configuration.
    ConfigCreated,
    /// A bound: published then or earlier, because the catalog saw the digest then.
    FirstSeen,
    /// A bound: published then or earlier, because an image built on it existed then.
    AtLeast,
}

/// When a release was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The instant; then or earlier where [`PublishedSource::is_bound`].
    pub at: DateTime<Utc>,
    /// Where it is from.
    pub source: PublishedSource,
    /// Whether it rests on a `created`, which builders can set to anything.
    pub is_estimated: bool,
    /// When it was certainly not yet published, where observations prove that.
    pub not_before: Option<DateTime<Utc>>,
    /// When an estimated release had certainly been published, where observations prove that.
    pub not_after: Option<DateTime<Utc>>,
}

impl Published {
    /// A date from `source` of which nothing more is proven.
    #[must_use]
    pub fn new(at: DateTime<Utc>, source: PublishedSource) -> Self {
        Self { at, source, is_estimated: source.is_estimate(), not_before: None, not_after: None }
    }

    /// Whether the date is an upper bound and not the date itself.
    #[must_use]
    pub fn is_bound(self) -> bool {
        self.source.is_bound()
    }

    /// Whether this release was published before `other`. An estimate counts as the date, a bound only in the
    /// direction that it proves.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        other.earliest().is_some_and(|earliest| self.at < earliest)
    }

    /// The same by more than a `created` on either side: a commit date must not turn a newer release into one
    /// that was rolled back.
    #[must_use]
    pub fn is_proven_before(self, other: Self) -> bool {
        let (Some(latest), Some(earliest)) = (self.proven_latest(), other.proven_earliest()) else { return false };
        // At `not_before` the line still pointed elsewhere, so that what had been published by then came first.
        latest < earliest || (latest == earliest && other.source != PublishedSource::DatedTag)
    }

    /// The earliest instant at which it can have been published; `None` for a bound.
    #[must_use]
    pub fn earliest(self) -> Option<DateTime<Utc>> {
        match self.source {
            PublishedSource::DatedTag => Some(self.at),
            PublishedSource::Observed => self.not_before,
            source => source.is_estimate().then_some(self.at),
        }
    }

    fn proven_earliest(self) -> Option<DateTime<Utc>> {
        if self.source == PublishedSource::DatedTag { Some(self.at) } else { self.not_before }
    }

    fn proven_latest(self) -> Option<DateTime<Utc>> {
        if self.is_estimated { self.not_after } else { Some(self.at) }
    }
}

impl PublishedSource {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatedTag => "dated-tag",
            Self::Observed => "observed",
            Self::DescriptorCreated => "descriptor-created",
            Self::HistoryCreated => "history-created",
            Self::ConfigCreated => "config-created",
            Self::FirstSeen => "first-seen",
            Self::AtLeast => "at-least",
        }
    }

    /// Whether a date from it says when the release was built and not when it was published.
    #[must_use]
    pub fn is_estimate(self) -> bool {
        matches!(self, Self::DescriptorCreated | Self::HistoryCreated | Self::ConfigCreated)
    }

    /// Whether a date from it means "then or earlier".
    #[must_use]
    pub fn is_bound(self) -> bool {
        matches!(self, Self::Observed | Self::FirstSeen | Self::AtLeast)
    }
}

#[cfg(test)]
mod tests {
    use super::{PublishedSource as Source, *};

    fn on(day: i64, source: Source) -> Published {
        Published::new(DateTime::UNIX_EPOCH + chrono::Duration::days(day), source)
    }

    fn observed(last_seen_elsewhere: i64, day: i64) -> Published {
        let not_before = Some(on(last_seen_elsewhere, Source::DatedTag).at);
        Published { not_before, ..on(day, Source::Observed) }
    }

    #[test]
    fn a_date_is_before_another_only_where_both_prove_it() {
        for (one, other, is_before, is_proven) in [
            (on(1, Source::DatedTag), on(2, Source::DatedTag), true, true),
            (on(2, Source::DatedTag), on(2, Source::DatedTag), false, false),
            (on(3, Source::DatedTag), on(2, Source::DatedTag), false, false),
            // An estimate counts as the date and proves nothing.
            (on(1, Source::ConfigCreated), on(2, Source::DatedTag), true, false),
            (on(1, Source::DatedTag), on(2, Source::DescriptorCreated), true, false),
            (on(1, Source::HistoryCreated), on(2, Source::HistoryCreated), true, false),
            // A bound says that it was then or earlier, and never that it was then or later.
            (on(1, Source::FirstSeen), on(2, Source::DatedTag), true, true),
            (on(1, Source::AtLeast), on(2, Source::DatedTag), true, true),
            (on(1, Source::DatedTag), on(2, Source::FirstSeen), false, false),
            (on(1, Source::DatedTag), on(2, Source::AtLeast), false, false),
            // An interval counts by the end that matters.
            (on(1, Source::DatedTag), observed(2, 4), true, true),
            (on(3, Source::DatedTag), observed(2, 4), false, false),
            (observed(2, 4), on(3, Source::DatedTag), false, false),
            (observed(2, 4), on(5, Source::DatedTag), true, true),
            (on(2, Source::FirstSeen), observed(2, 4), false, true),
        ] {
            assert_eq!(one.is_before(other), is_before, "{one:?} {other:?}");
            assert_eq!(one.is_proven_before(other), is_proven, "{one:?} {other:?}");
        }
        let estimated_bound = Published { is_estimated: true, ..on(1, Source::AtLeast) };
        assert!(!estimated_bound.is_proven_before(on(2, Source::DatedTag)));
        let seen = Published { not_after: Some(on(1, Source::DatedTag).at), ..on(0, Source::ConfigCreated) };
        assert!(seen.is_proven_before(on(2, Source::DatedTag)));
    }
}
