//! Publish dates of a base and of its line's current release: the best source, checked against the others. Sends no
//! requests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};

use super::{
    BaseQueryKey, BaseResolver, ExplanationStep, ImageAge, PublishDate, PublishDateSource, ReleaseLine, Resolution,
    StepOutcome,
    estimate::{BUILD_TIME, BuildDates, ContradictedDate, EstimateContext, KnownDates},
    observed::{ReleaseDigests, TagHistory, TagInterval},
};
use crate::{
    image::{Digest, DigestContent, Platform, Repository, choose_child},
    store::TagObservation,
};

/// The longest interval between two observations of a line that is more precise than an estimate within it.
const WIDE_INTERVAL: Duration = Duration::days(7);

/// The most changes of a line that are considered: ten years of a line that moves weekly.
const MOST_STAYS: usize = 520;

/// A line on one platform.
type PlatformLine = (ReleaseLine, Platform);

/// The data of lines that dates are checked against.
#[derive(Default)]
pub(super) struct LineDates {
    observations: Mutex<HashMap<PlatformLine, Arc<TagHistory>>>,
    builds: Mutex<KnownDates<PlatformLine>>,
}

/// A release with the data that its date is checked against.
struct DatingInput<'a> {
    repository: &'a Repository,
    line: Option<&'a PlatformLine>,
    observations: &'a TagHistory,
    release: ReleaseDigests<'a>,
    age: ImageAge,
}

impl BaseResolver {
    /// Dates the resolution `found` of `key` for an image of this `age`. All bases of a run have to be found first,
    /// because they may contradict each other's estimates.
    #[must_use]
    pub fn date(&self, key: &BaseQueryKey, found: &Resolution, age: ImageAge) -> Resolution {
        let mut resolution = found.clone();
        let is_base_tagged = is_tagged(found.base.published);
        let is_current_tagged = found.current.as_ref().is_none_or(|current| is_tagged(current.published));
        let line = found.line.as_ref().map(|(line, _)| (line.clone(), key.platform.clone()));
        // For a current release with a dated tag, no observation adds anything.
        let is_current = found.current.as_ref().is_none_or(|current| is_same(found.base.digests(), current.digests()));
        let observed = line.as_ref().filter(|_| !(is_base_tagged && is_current_tagged && is_current));
        let observations = observed.map_or_else(Arc::default, |line| self.observations(line));
        let candidate = |release, age| DatingInput {
            repository: key.repository(),
            line: line.as_ref(),
            observations: &observations,
            release,
            age,
        };
        if !is_base_tagged {
            let (published, contradictions) = self.publish_date(&candidate(found.base.digests(), age));
            resolution.base.published = published;
            resolution.steps.extend(contradictions.iter().map(contradicted));
        }
        resolution.steps.extend(resolution.base.published.map(dated_step));
        if let Some(current) = &found.current {
            let mut current = current.clone();
            if !is_current_tagged {
                current.published = self.publish_date(&candidate(current.digests(), ImageAge::default())).0;
            }
            let line = found.line.as_ref().map(|(line, _)| line);
            let received = line.and_then(|line| self.received_after(line, &resolution.base, &current));
            resolution.later_releases =
                self.later_releases(key.repository(), &observations, &current, &resolution.base, received);
            resolution.current = Some(current);
        }
        resolution
    }

    /// The publish date of the current release of `line`, which has no dated tag.
    pub(super) fn undated(
        &self,
        line: &ReleaseLine,
        platform: &Platform,
        release: ReleaseDigests<'_>,
    ) -> Option<PublishDate> {
        let line = (line.clone(), platform.clone());
        self.note_builds(&line, release);
        let observations = self.observations(&line);
        let candidate = DatingInput {
            repository: &line.0.repository,
            line: Some(&line),
            observations: &observations,
            release,
            age: ImageAge::default(),
        };
        self.publish_date(&candidate).0
    }

    /// Adds the recorded build dates of the base and the current release that were `found`.
    pub(super) fn note_found(&self, platform: &Platform, found: &Resolution) {
        if let Some((line, _)) = &found.line {
            let line = (line.clone(), platform.clone());
            self.note_builds(&line, found.base.digests());
            if let Some(current) = &found.current {
                self.note_builds(&line, current.digests());
            }
        }
    }

    fn note_builds(&self, line: &PlatformLine, release: ReleaseDigests<'_>) {
        if let Some(dates) = self.build_dates(release, None) {
            let mut builds = self.line_dates.builds.lock().unwrap_or_else(PoisonError::into_inner);
            builds.add(line, &dates);
        }
    }

    fn publish_date(&self, candidate: &DatingInput<'_>) -> (Option<PublishDate>, Vec<ContradictedDate>) {
        let DatingInput { observations, release, .. } = *candidate;
        let arrival = observations.arrival(release);
        let first_seen = self.first_seen(candidate);
        let dates = self.build_dates(release, observations.first(release));
        let (estimate, contradictions) = match &dates {
            Some(dates) => self.estimate(candidate, dates, arrival.and_then(|arrival| arrival.not_before), first_seen),
            None => (None, Vec::new()),
        };
        let not_before = arrival.and_then(|arrival| arrival.not_before).filter(|_| {
            let before =
                observations.before(release).and_then(|before| self.build_dates(before.release(), Some(before)));
            let [before, dates] = [before, dates].map(|dates| dates?.youngest(self.seen_at));
            // The arrival of an older build may be a rollback, so it proves no order.
            before.zip(dates).is_none_or(|(before, dates)| before <= dates)
        });
        let published = match (arrival, estimate) {
            (Some(arrival), None) => Some(PublishDate { not_before, ..arrival }),
            (Some(arrival), Some(estimate)) if !is_wide(arrival) || estimate.at > arrival.at => {
                Some(PublishDate { not_before, ..arrival })
            }
            (_, Some(estimate)) => Some(PublishDate { not_before, not_after: first_seen, ..estimate }),
            (None, None) => bound(first_seen, candidate.age),
        };
        (published, contradictions)
    }

    fn estimate(
        &self,
        candidate: &DatingInput<'_>,
        dates: &BuildDates,
        not_before: Option<DateTime<Utc>>,
        first_seen: Option<DateTime<Utc>>,
    ) -> (Option<PublishDate>, Vec<ContradictedDate>) {
        let builds = self.line_dates.builds.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeated =
            |source, at, image: &Digest| candidate.line.is_some_and(|line| builds.is_repeated(line, source, at, image));
        dates.estimate(&EstimateContext {
            now: self.seen_at,
            not_before,
            not_after: [first_seen, candidate.age.existed_at].into_iter().flatten().min(),
            is_repeated: &is_repeated,
        })
    }

    /// When the catalog first observed the release at any moving tag of its repository, or ECR received it.
    fn first_seen(&self, candidate: &DatingInput<'_>) -> Option<DateTime<Utc>> {
        let digests = [candidate.release.digest, candidate.release.platform_digest];
        let seen_in = self.recall_both(candidate.repository, |record| {
            let seen = record.moving.values().flatten().filter(|seen| digests.contains(&Some(&seen.digest)));
            seen.map(|seen| seen.first_seen).min()
        });
        let on_line = candidate.observations.first(candidate.release).map(|interval| interval.first_seen);
        let received = self.received_at(candidate.repository, candidate.release);
        seen_in.into_iter().flatten().chain(on_line).chain(received).min()
    }

    /// The recorded build dates of `release`, if its configuration was read. `interval` may have the index that lists the
    /// manifest.
    fn build_dates(&self, release: ReleaseDigests<'_>, interval: Option<&TagInterval>) -> Option<BuildDates> {
        let catalog = self.images.catalog();
        let platform_digest = release.platform_digest.or(release.digest)?;
        let DigestContent::Image(facts) = &*catalog.content(platform_digest)? else { return None };
        let indexes = [release.digest, interval.map(|interval| &interval.digest)];
        let descriptor = indexes.into_iter().flatten().find_map(|digest| match &*catalog.content(digest)? {
            DigestContent::Index(index) => {
                let child = index.children.iter().find(|child| child.digest == *platform_digest)?;
                Some(child.annotations.clone())
            }
            DigestContent::Image(_) => None,
        });
        Some(BuildDates::new(facts, descriptor.as_ref()))
    }

    /// The releases that the line was observed at, read once a run.
    pub(super) fn observations(&self, line: &PlatformLine) -> Arc<TagHistory> {
        let mut known = self.line_dates.observations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(line) {
            return Arc::clone(known);
        }
        let history: Vec<TagObservation> = self.images.catalog().read_repository(&line.0.repository, |record| {
            let history = record.moving.get(&line.0.tag).map(Vec::as_slice).unwrap_or_default();
            history[history.len().saturating_sub(MOST_STAYS)..].to_vec()
        });
        let interval = |seen: TagObservation| {
            let content = self.images.catalog().content(&seen.digest);
            TagInterval {
                platform_digest: content.and_then(|content| platform_digest(&seen.digest, &content, &line.1)),
                first_seen: seen.first_seen,
                last_seen: seen.last_seen(),
                digest: seen.digest,
            }
        };
        let observations = Arc::new(TagHistory::new(history.into_iter().map(interval)));
        for interval in observations.intervals() {
            self.note_builds(line, interval.release());
        }
        known.insert(line.clone(), Arc::clone(&observations));
        observations
    }
}

fn is_same(one: ReleaseDigests<'_>, other: ReleaseDigests<'_>) -> bool {
    one.platform_digest.is_some() && one.platform_digest == other.platform_digest
}

/// The manifest for `platform` of the index or manifest `digest`, from the catalog.
fn platform_digest(digest: &Digest, content: &DigestContent, platform: &Platform) -> Option<Digest> {
    match content {
        DigestContent::Image(_) => Some(digest.clone()),
        DigestContent::Index(index) => choose_child(&index.children, platform).map(|child| child.digest.clone()),
    }
}

fn is_tagged(published: Option<PublishDate>) -> bool {
    published.is_some_and(|published| published.source == PublishDateSource::DatedTag)
}

fn is_wide(arrival: PublishDate) -> bool {
    arrival.not_before.is_some_and(|not_before| arrival.at - not_before > WIDE_INTERVAL)
}

/// The earliest instant by which a release is known to have been published. An estimate replaces a proof only if it is
/// earlier by more than a build takes: every image is built some minutes before its push.
fn bound(first_seen: Option<DateTime<Utc>>, age: ImageAge) -> Option<PublishDate> {
    let proofs = [(first_seen, PublishDateSource::FirstSeen), (age.existed_at, PublishDateSource::AtLeast)];
    let proofs = proofs.into_iter().filter_map(|(at, source)| Some(PublishDate::new(at?, source)));
    let proven = proofs.min_by_key(|proof| proof.at);
    let says_more = |built_at: &DateTime<Utc>| proven.is_none_or(|proven| *built_at + BUILD_TIME < proven.at);
    let estimate = age.built_at.filter(says_more);
    let estimate =
        estimate.map(|at| PublishDate { is_estimated: true, ..PublishDate::new(at, PublishDateSource::AtLeast) });
    estimate.or(proven)
}

fn contradicted(contradiction: &ContradictedDate) -> ExplanationStep {
    let detail = format!("{} is {}, which is ignored: {}", contradiction.what(), contradiction.at, contradiction.why);
    ExplanationStep { title: "build date".into(), outcome: StepOutcome::Contradiction, detail }
}

fn dated_step(published: PublishDate) -> ExplanationStep {
    let PublishDate { at, source, not_before, .. } = published;
    let (outcome, detail) = match (source, not_before) {
        (PublishDateSource::Observed, Some(from)) => {
            (StepOutcome::Found, format!("the line moved to it between {from} and {at} (observed)"))
        }
        _ if published.is_bound() => {
            (StepOutcome::NotFound, format!("published {at} or earlier ({})", source.as_str()))
        }
        _ if published.is_estimated => (StepOutcome::Found, format!("built {at} ({}), an estimate", source.as_str())),
        _ => (StepOutcome::Found, format!("published {at} ({})", source.as_str())),
    };
    ExplanationStep { title: "publish date".into(), outcome, detail }
}
