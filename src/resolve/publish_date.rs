//! Publish dates with their source and the bounds that they prove.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::LambdaTag;

/// The source of a publish date, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PublishDateSource {
    /// The dated tag that carries the digest.
    DatedTag,
    /// The catalog observed the line's tag move to it: published between the previous observation and this one.
    Observed,
    /// An estimate: `org.opencontainers.image.created` of its descriptor in the index.
    DescriptorCreated,
    /// An estimate: the youngest `created` in the history of the image configuration.
    HistoryCreated,
    /// An estimate: `created` in the image configuration.
    ConfigCreated,
    /// A bound: published then or earlier, because the catalog observed the digest then.
    FirstSeen,
    /// A bound: published then or earlier, because an image built on it existed then.
    AtLeast,
}

/// When a release was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishDate {
    /// The instant; for [`PublishDateSource::is_bound`], then or earlier.
    pub at: DateTime<Utc>,
    /// Its source.
    pub source: PublishDateSource,
    /// Whether it is based on a `created`, which builders can set to any value.
    pub is_estimated: bool,
    /// When it was certainly not published, if observations prove that.
    pub not_before: Option<DateTime<Utc>>,
    /// When an estimated release was certainly published, if observations prove that.
    pub not_after: Option<DateTime<Utc>>,
}

impl PublishDate {
    /// A date from `source` without further bounds.
    #[must_use]
    pub fn new(at: DateTime<Utc>, source: PublishDateSource) -> Self {
        Self { at, source, is_estimated: source.is_estimate(), not_before: None, not_after: None }
    }

    /// The date of the dated tag `tag`; `None` for another tag.
    pub(super) fn from_tag(tag: &LambdaTag) -> Option<Self> {
        tag.built_at.map(|at| Self::new(at, PublishDateSource::DatedTag))
    }

    /// Whether the date is an upper bound instead of the date itself.
    #[must_use]
    pub fn is_bound(self) -> bool {
        self.source.is_bound()
    }

    /// Whether this release was published before `other`. An estimate counts as the date; a bound counts only in the
    /// direction that it proves.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        other.earliest().is_some_and(|earliest| self.at < earliest)
    }

    /// The same without estimates: a commit date must not turn a newer release into a rollback.
    #[must_use]
    pub fn is_proven_before(self, other: Self) -> bool {
        let (Some(latest), Some(earliest)) = (self.proven_latest(), other.proven_earliest()) else { return false };
        // At `not_before` the line still pointed elsewhere, so a release published by then came first.
        latest < earliest || (latest == earliest && other.source != PublishDateSource::DatedTag)
    }

    /// The earliest instant at which it can have been published; `None` for a bound.
    #[must_use]
    pub fn earliest(self) -> Option<DateTime<Utc>> {
        match self.source {
            PublishDateSource::DatedTag => Some(self.at),
            PublishDateSource::Observed => self.not_before,
            source => source.is_estimate().then_some(self.at),
        }
    }

    fn proven_earliest(self) -> Option<DateTime<Utc>> {
        if self.source == PublishDateSource::DatedTag { Some(self.at) } else { self.not_before }
    }

    fn proven_latest(self) -> Option<DateTime<Utc>> {
        if self.is_estimated { self.not_after } else { Some(self.at) }
    }
}

impl PublishDateSource {
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

    /// Whether it is a build date instead of a publish date.
    #[must_use]
    pub fn is_estimate(self) -> bool {
        matches!(self, Self::DescriptorCreated | Self::HistoryCreated | Self::ConfigCreated)
    }

    /// Whether it means "then or earlier".
    #[must_use]
    pub fn is_bound(self) -> bool {
        matches!(self, Self::Observed | Self::FirstSeen | Self::AtLeast)
    }
}

#[cfg(test)]
mod tests {
    use super::{PublishDateSource as Source, *};

    fn on(day: i64, source: Source) -> PublishDate {
        PublishDate::new(DateTime::UNIX_EPOCH + chrono::Duration::days(day), source)
    }

    fn observed(last_seen_elsewhere: i64, day: i64) -> PublishDate {
        let not_before = Some(on(last_seen_elsewhere, Source::DatedTag).at);
        PublishDate { not_before, ..on(day, Source::Observed) }
    }

    #[test]
    fn a_date_is_before_another_only_if_both_prove_it() {
        for (one, other, is_before, is_proven) in [
            (on(1, Source::DatedTag), on(2, Source::DatedTag), true, true),
            (on(2, Source::DatedTag), on(2, Source::DatedTag), false, false),
            (on(3, Source::DatedTag), on(2, Source::DatedTag), false, false),
            // An estimate counts as the date and proves nothing.
            (on(1, Source::ConfigCreated), on(2, Source::DatedTag), true, false),
            (on(1, Source::DatedTag), on(2, Source::DescriptorCreated), true, false),
            (on(1, Source::HistoryCreated), on(2, Source::HistoryCreated), true, false),
            // A bound means then or earlier, never then or later.
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
        let estimated_bound = PublishDate { is_estimated: true, ..on(1, Source::AtLeast) };
        assert!(!estimated_bound.is_proven_before(on(2, Source::DatedTag)));
        let seen = PublishDate { not_after: Some(on(1, Source::DatedTag).at), ..on(0, Source::ConfigCreated) };
        assert!(seen.is_proven_before(on(2, Source::DatedTag)));
    }
}
