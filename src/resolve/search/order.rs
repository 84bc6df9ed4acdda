//! The order in which candidates are read: the most probable base first.
//!
//! Recorded dates are hints, because builders clamp, omit and misplace them: they order candidates but exclude none.
//! Only the instant by which the image existed excludes candidates.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Duration, Utc};

use super::{
    candidates::{CandidateRelease, CandidateReleases},
    known::{is_one_run, is_same_run},
    scope::{NamedLine, is_provided},
};
use crate::image::Repository;

/// The number of candidates of a line that count as close to a hint.
const CLOSE: usize = 14;

/// The number of releases of `provided` that are read to date the operating system.
const PROBES: usize = 30;

/// The largest error of the hour in a tag: AWS uses UTC, others may use local time.
const TIME_ZONES: Duration = Duration::hours(14);

/// Hints of an image about its base.
#[derive(Debug)]
pub(super) struct SearchHints<'a> {
    /// The approximate instant at which its base was the newest.
    pub(super) built_at: DateTime<Utc>,
    /// The instant by which it existed, so its base was published by then.
    pub(super) existed_at: DateTime<Utc>,
    /// The publish dates of releases with the same operating system layer.
    pub(super) published: &'a BTreeSet<DateTime<Utc>>,
    /// Until when a line may have been republished on the layers of a known prefix.
    pub(super) published_until: Option<DateTime<Utc>>,
    /// The lines that it names.
    pub(super) named: &'a [NamedLine],
    /// The lines of images in the same group.
    pub(super) learned: &'a BTreeSet<(Repository, String)>,
    /// Which candidates may be its base.
    pub(super) extent: CandidateScope,
}

/// Which candidates may be the base of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CandidateScope {
    /// Those of the lines that the image names.
    Named,
    /// All candidates.
    All,
    /// Those that were published together with a known prefix, or before that was replaced, except releases of
    /// `provided`.
    SameRun,
    /// Those that were published after a known prefix.
    Later,
}

/// A candidate to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadStep {
    /// The position of its repository's candidates.
    pub(super) list: usize,
    /// Its position in them.
    pub(super) candidate: usize,
    /// How much of it to read.
    pub(super) depth: ReadDepth,
}

/// How much of a candidate to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReadDepth {
    /// Its manifest: the digests of its layers.
    Manifest,
    /// Its configuration: the `diff_ids`.
    Configuration,
}

/// The priority of a candidate, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadPriority {
    /// Of a line that the image names, published together with the image's operating system.
    NamedSameRun,
    /// Of a line that the image names, close to its dates.
    NamedClose,
    /// Published together with the image's operating system, which was published in one run only.
    SameRun,
    /// Of a line that the image names.
    Named,
    /// Of the line of another image of the group, close to its dates.
    Learned,
    /// The newest of its line when the image was built.
    Newest,
    /// Published together with the image's operating system, which several runs share; weaker than dates.
    SameSystem,
    /// Dates the operating system.
    Probe,
    /// All others.
    Rest,
}

impl ReadPriority {
    /// The sort key of a step. Configurations are needed only if the image's layers were recompressed, which is rare:
    /// they are read after the manifests of equally probable candidates.
    fn priority(self, depth: ReadDepth) -> u8 {
        let (manifest, configuration) = match self {
            Self::NamedSameRun => (0, 1),
            Self::NamedClose => (2, 3),
            Self::SameRun => (4, 5),
            Self::Named => (6, 7),
            Self::Learned => (8, 12),
            Self::Newest => (9, 12),
            Self::SameSystem => (10, 12),
            Self::Probe => (11, 14),
            Self::Rest => (13, 14),
        };
        if depth == ReadDepth::Manifest { manifest } else { configuration }
    }
}

/// Whether `candidate` of `list` may be the base of an image with `hints`.
pub(super) fn is_possible(list: &CandidateReleases, candidate: &CandidateRelease, hints: &SearchHints<'_>) -> bool {
    candidate.built_at <= hints.existed_at
        && match hints.extent {
            CandidateScope::All => true,
            CandidateScope::Named => is_named(list, candidate, hints),
            CandidateScope::SameRun => {
                let first = hints.published.first();
                let is_again = first
                    .zip(hints.published_until)
                    .is_some_and(|(first, until)| (*first..=until).contains(&candidate.built_at));
                let is_same_run = first.is_none() || is_same_run(candidate.built_at, hints.published);
                (is_same_run || is_again) && !is_provided(&list.repository)
            }
            CandidateScope::Later => {
                hints.published.first().is_none_or(|first| candidate.built_at >= *first - TIME_ZONES)
            }
        }
}

/// The steps that read the candidates in `lists` for an image with `hints`, in order.
pub(super) fn steps<'a>(
    lists: impl Iterator<Item = (usize, &'a CandidateReleases)>,
    hints: &SearchHints<'_>,
) -> VecDeque<ReadStep> {
    let mut possible = Vec::new();
    for (position, list) in lists {
        let all = list.all.iter().enumerate().filter(|(_, candidate)| is_possible(list, candidate, hints));
        possible.extend(all.map(|(at, candidate)| (position, list, at, candidate)));
    }
    possible.sort_by_key(|(_, list, _, candidate)| {
        (distance(candidate.built_at, hints.built_at), &list.repository, &candidate.tag)
    });
    // The number of closer candidates of the line, and of those, the ones older than the image.
    let mut counts: HashMap<(usize, &str), (usize, usize)> = HashMap::new();
    let mut probe_count = 0;
    let is_one_run = is_one_run(hints.published);
    let mut steps = Vec::new();
    for (position, list, at, candidate) in possible {
        let (closer, older) = counts.entry((position, candidate.tag.family.as_str())).or_default();
        let is_older = candidate.built_at <= hints.built_at;
        let is_learned = || hints.learned.contains(&(list.repository.clone(), candidate.tag.family.clone()));
        let is_named = is_named(list, candidate, hints);
        let is_same_run = is_same_run(candidate.built_at, hints.published);
        let class = match () {
            () if is_named && is_same_run && is_one_run => ReadPriority::NamedSameRun,
            () if is_named && *closer < CLOSE => ReadPriority::NamedClose,
            () if is_same_run && is_one_run => ReadPriority::SameRun,
            () if is_named => ReadPriority::Named,
            () if *closer < CLOSE && is_learned() => ReadPriority::Learned,
            () if is_older && *older == 0 => ReadPriority::Newest,
            () if is_same_run => ReadPriority::SameSystem,
            () if is_provided(&list.repository) && probe_count < PROBES => ReadPriority::Probe,
            () => ReadPriority::Rest,
        };
        *closer += 1;
        *older += usize::from(is_older);
        probe_count += usize::from(class == ReadPriority::Probe);
        for depth in [ReadDepth::Manifest, ReadDepth::Configuration] {
            steps.push((class.priority(depth), ReadStep { list: position, candidate: at, depth }));
        }
    }
    // Stable sort: with equal priority, the closest come first.
    steps.sort_by_key(|(priority, _)| *priority);
    steps.into_iter().map(|(_, step)| step).collect()
}

fn is_named(list: &CandidateReleases, candidate: &CandidateRelease, hints: &SearchHints<'_>) -> bool {
    hints.named.iter().any(|line| line.has(&list.repository, &candidate.tag))
}

/// The distance of a release from the recorded build date of an image, in seconds. A younger release is possible if the
/// image's date is clamped, but less probable.
fn distance(released_at: DateTime<Utc>, built_at: DateTime<Utc>) -> i64 {
    let before = (built_at - released_at).num_seconds();
    if before >= 0 { before } else { before.saturating_mul(-2) }
}
