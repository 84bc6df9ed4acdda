//! Recorded build dates of releases, and what contradicts them.
//!
//! Official images carry the commit date of their Dockerfile as `created`, the same in every rebuild
//! (docker-library/httpd#266); reproducible builds carry 1970 or 1980.

use std::{collections::HashMap, hash::Hash};

use chrono::{DateTime, Duration, Utc};

use super::{PublishDate, PublishDateSource};
use crate::image::{Annotations, Digest, ImageFacts, is_plausible};

/// The annotation with the build date of an image (OCI image specification, annotations.md).
const CREATED: &str = "org.opencontainers.image.created";

/// The clock difference that is tolerated.
const CLOCK_SKEW: Duration = Duration::hours(1);

/// The longest build: `created` may be younger than the youngest history entry by this much.
pub(super) const BUILD_TIME: Duration = Duration::days(1);

/// The build dates that the documents of one image record, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuildDates {
    /// The digest of the configuration, by which two images are distinguished.
    image: Digest,
    descriptor: Option<DateTime<Utc>>,
    history: Option<DateTime<Utc>>,
    config: Option<DateTime<Utc>>,
}

/// The data that a build date is checked against.
pub(super) struct EstimateContext<'a> {
    /// The time of the system clock.
    pub(super) now: DateTime<Utc>,
    /// The release was not published then: the line still pointed at another one.
    pub(super) not_before: Option<DateTime<Utc>>,
    /// The release existed then.
    pub(super) not_after: Option<DateTime<Utc>>,
    /// Whether another release has the same value from the same source.
    pub(super) is_repeated: &'a dyn Fn(PublishDateSource, DateTime<Utc>, &Digest) -> bool,
}

/// A contradicted build date, with the reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContradictedDate {
    pub(super) source: PublishDateSource,
    pub(super) at: DateTime<Utc>,
    pub(super) why: &'static str,
}

impl BuildDates {
    /// The dates in `facts` and in the annotations of the image's descriptor in an index.
    pub(super) fn new(facts: &ImageFacts, descriptor: Option<&Annotations>) -> Self {
        let annotated = descriptor.and_then(|annotations| annotations.get(CREATED));
        let annotated = annotated.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        Self {
            image: facts.config.clone(),
            descriptor: annotated.map(|at| at.to_utc()),
            history: facts.history_created_at,
            config: facts.created_at,
        }
    }

    /// The best uncontradicted estimate, and the better sources that are contradicted.
    pub(super) fn estimate(&self, evidence: &EstimateContext<'_>) -> (Option<PublishDate>, Vec<ContradictedDate>) {
        let mut contradictions = Vec::new();
        for (source, at) in self.each() {
            match self.contradiction(source, at, evidence) {
                None => return (Some(PublishDate::new(at, source)), contradictions),
                Some(why) => contradictions.push(ContradictedDate { source, at, why }),
            }
        }
        (None, contradictions)
    }

    /// The youngest plausible date, whatever else contradicts it.
    pub(super) fn youngest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.each().map(|(_, at)| at).filter(|at| is_plausible(*at, now)).max()
    }

    fn each(&self) -> impl Iterator<Item = (PublishDateSource, DateTime<Utc>)> {
        let dates = [
            (PublishDateSource::DescriptorCreated, self.descriptor),
            (PublishDateSource::HistoryCreated, self.history),
            (PublishDateSource::ConfigCreated, self.config),
        ];
        dates.into_iter().filter_map(|(source, at)| Some((source, at?)))
    }

    fn contradiction(
        &self,
        source: PublishDateSource,
        at: DateTime<Utc>,
        evidence: &EstimateContext<'_>,
    ) -> Option<&'static str> {
        let is_younger = |other: Option<DateTime<Utc>>, by: Duration| {
            other.is_some_and(|other| is_plausible(other, evidence.now) && other > at + by)
        };
        if !is_plausible(at, evidence.now) {
            Some("the date is implausible")
        } else if source != PublishDateSource::HistoryCreated && is_younger(self.history, CLOCK_SKEW) {
            Some("a history entry is younger")
        } else if source == PublishDateSource::HistoryCreated && is_younger(self.config, BUILD_TIME) {
            Some("the configuration is younger, so the history is incomplete")
        } else if evidence.not_after.is_some_and(|existed| at > existed + CLOCK_SKEW) {
            Some("the release existed before")
        } else if evidence.not_before.is_some_and(|elsewhere| at + CLOCK_SKEW < elsewhere) {
            Some("the line still pointed at another release later")
        } else if (evidence.is_repeated)(source, at, &self.image) {
            Some("another image has the same date, so it may be a commit date")
        } else {
            None
        }
    }
}

impl ContradictedDate {
    /// The name of the contradicted source.
    pub(super) fn what(&self) -> &'static str {
        match self.source {
            PublishDateSource::DescriptorCreated => "org.opencontainers.image.created in the index",
            PublishDateSource::HistoryCreated => "the youngest entry of the history",
            _ => "created in the configuration",
        }
    }
}

/// The build dates of the images of one scope (a line or a repository). A date that several images share may be a
/// commit date.
pub(super) struct KnownDates<S>(HashMap<(S, PublishDateSource, DateTime<Utc>), Option<Digest>>);

impl<S> Default for KnownDates<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: Clone + Eq + Hash> KnownDates<S> {
    /// Adds the dates of one image.
    pub(super) fn add(&mut self, scope: &S, dates: &BuildDates) {
        for (source, at) in dates.each() {
            let image = self.0.entry((scope.clone(), source, at)).or_insert_with(|| Some(dates.image.clone()));
            if image.as_ref() != Some(&dates.image) {
                *image = None;
            }
        }
    }

    /// Whether another image than `image` has the same date from the same source.
    pub(super) fn is_repeated(&self, scope: &S, source: PublishDateSource, at: DateTime<Utc>, image: &Digest) -> bool {
        self.0.get(&(scope.clone(), source, at)).is_some_and(|known| known.as_ref() != Some(image))
    }
}

#[cfg(test)]
mod tests {
    use super::{PublishDateSource as Source, *};

    fn now() -> DateTime<Utc> {
        "2026-11-20T06:00:00Z".parse().unwrap()
    }

    fn ago(days: i64) -> DateTime<Utc> {
        now() - Duration::days(days)
    }

    fn dates(descriptor: Option<i64>, history: Option<i64>, config: Option<i64>) -> BuildDates {
        let image = Digest::sha256(b"ours");
        BuildDates { image, descriptor: descriptor.map(ago), history: history.map(ago), config: config.map(ago) }
    }

    fn estimated(dates: &BuildDates, evidence: &EstimateContext<'_>) -> Option<(Source, DateTime<Utc>)> {
        dates.estimate(evidence).0.map(|published| (published.source, published.at))
    }

    const UNCHECKED: &dyn Fn(Source, DateTime<Utc>, &Digest) -> bool = &|_, _, _| false;

    fn nothing() -> EstimateContext<'static> {
        EstimateContext { now: now(), not_before: None, not_after: None, is_repeated: UNCHECKED }
    }

    #[test]
    fn the_best_uncontradicted_date_is_the_estimate() {
        for (dates, expected) in [
            // An official image: `created` is the commit date of the Dockerfile.
            (dates(Some(6), Some(6), Some(94)), Some((Source::DescriptorCreated, ago(6)))),
            (dates(None, Some(6), Some(94)), Some((Source::HistoryCreated, ago(6)))),
            (dates(None, None, Some(94)), Some((Source::ConfigCreated, ago(94)))),
            (dates(Some(94), Some(6), Some(94)), Some((Source::HistoryCreated, ago(6)))),
            // A builder that writes no history of its own: the youngest entry is that of the image below.
            (dates(None, Some(90), Some(5)), Some((Source::ConfigCreated, ago(5)))),
            (dates(None, None, None), None),
            // Implausible: the future, and 1970.
            (dates(Some(-3), None, Some(5)), Some((Source::ConfigCreated, ago(5)))),
            (dates(None, Some(-3), Some(5)), Some((Source::ConfigCreated, ago(5)))),
            (dates(None, None, Some(20_000)), None),
        ] {
            assert_eq!(estimated(&dates, &nothing()), expected, "{dates:?}");
        }
    }

    #[test]
    fn a_build_date_is_contradicted_by_observations_of_the_release() {
        let dates = dates(None, Some(20), Some(20));
        for (not_before, not_after, is_used) in [
            (None, None, true),
            (None, Some(19), true),
            (None, Some(21), false),
            (Some(21), Some(19), true),
            (Some(19), Some(18), false),
        ] {
            let evidence =
                EstimateContext { not_before: not_before.map(ago), not_after: not_after.map(ago), ..nothing() };
            assert_eq!(estimated(&dates, &evidence).is_some(), is_used, "{not_before:?} {not_after:?}");
        }
    }

    #[test]
    fn a_date_that_two_images_share_is_not_a_build_date() {
        let ours = dates(None, Some(6), Some(94));
        let other = BuildDates { image: Digest::sha256(b"other"), history: Some(ago(2)), ..ours.clone() };
        let mut known = KnownDates::default();
        known.add(&"line", &ours);
        known.add(&"line", &ours);
        let repeated = |known: &KnownDates<&str>, scope, source, at| known.is_repeated(&scope, source, at, &ours.image);
        assert!(!repeated(&known, "line", Source::ConfigCreated, ago(94)), "it is the same image");
        known.add(&"line", &other);
        assert!(repeated(&known, "line", Source::ConfigCreated, ago(94)));
        assert!(!repeated(&known, "line", Source::HistoryCreated, ago(6)), "only one has it");
        assert!(!repeated(&known, "line", Source::HistoryCreated, ago(94)), "from another source");
        assert!(!repeated(&known, "other line", Source::ConfigCreated, ago(94)));

        let is_repeated = |source, at, image: &Digest| known.is_repeated(&"line", source, at, image);
        let undated = BuildDates { history: None, ..ours.clone() };
        let (estimate, contradictions) = undated.estimate(&EstimateContext { is_repeated: &is_repeated, ..nothing() });
        assert_eq!(estimate, None);
        assert!(contradictions[0].why.contains("another image"), "{contradictions:?}");
    }
}
