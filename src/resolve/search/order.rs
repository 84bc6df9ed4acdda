//! In which order candidates are read: those that are the base most probably first. Pure.
//!
//! What an image says of its dates is a hint: builders clamp, omit and misplace dates. So it orders candidates and
//! excludes none. Only the instant by which the image existed does.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Utc};

use super::{
    candidates::{Candidate, Candidates},
    known::{is_one_run, is_same_run},
    scope::{NamedLine, is_provided},
};
use crate::image::Repository;

/// How many candidates of a line count as close to a hint.
const CLOSE: usize = 14;

/// How many releases of `provided` are read to find out when the operating system was published.
const PROBES: usize = 30;

/// What an image says of where its base may be.
#[derive(Debug)]
pub(super) struct Hints<'a> {
    /// About when its base was the newest.
    pub(super) built_at: DateTime<Utc>,
    /// By when it existed: its base was published by then.
    pub(super) existed_at: DateTime<Utc>,
    /// When releases on the same operating system were published.
    pub(super) published: &'a BTreeSet<DateTime<Utc>>,
    /// The lines that it names.
    pub(super) named: &'a [NamedLine],
    /// The lines of images that it is searched together with.
    pub(super) learned: &'a BTreeSet<(Repository, String)>,
    /// Which candidates may be its base.
    pub(super) extent: Extent,
}

/// Which candidates may be the base of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those of the lines that it names.
    Named,
    /// All.
    All,
    /// Those that were published together with a known prefix, unless they are `provided` themselves.
    SameRun,
}

/// A candidate to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The position of its repository's candidates.
    pub(super) list: usize,
    /// Its position in them.
    pub(super) candidate: usize,
    /// How much of it is read.
    pub(super) depth: Depth,
}

/// How much of a candidate is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// Its manifest: the digests of its layers.
    Manifest,
    /// Its configuration: the `diff_ids`.
    Configuration,
}

/// Why a candidate is read early; the earlier ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Of a line that the image names, and published together with the operating system of the image.
    NamedSameRun,
    /// Of a line that the image names, close to its dates.
    NamedClose,
    /// Published together with the operating system of the image, which was published in one run only.
    SameRun,
    /// Of a line that the image names.
    Named,
    /// Of a line that an image searched with it is built on, close to its dates.
    Learned,
    /// The newest of its line when the image was built.
    Newest,
    /// Published together with the operating system of the image, as other runs were: it says less than the dates.
    SameSystem,
    /// Finds out when the operating system was published.
    Probe,
    /// All others.
    Rest,
}

impl Class {
    /// The place of a step in the order. Configurations tell releases apart only where something compressed the image's
    /// layers anew, which is rare: they are read after the manifests of what is as probable.
    fn place(self, depth: Depth) -> u8 {
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
        if depth == Depth::Manifest { manifest } else { configuration }
    }
}

/// Whether `candidate` of `list` may be the base of an image with `hints`.
pub(super) fn is_possible(list: &Candidates, candidate: &Candidate, hints: &Hints<'_>) -> bool {
    candidate.built_at <= hints.existed_at
        && match hints.extent {
            Extent::All => true,
            Extent::Named => is_named(list, candidate, hints),
            Extent::SameRun => {
                let is_same_run = hints.published.is_empty() || is_same_run(candidate.built_at, hints.published);
                is_same_run && !is_provided(&list.repository)
            }
        }
}

/// The steps by which the candidates in `lists` are read for an image with `hints`, first things first.
pub(super) fn steps<'a>(lists: impl Iterator<Item = (usize, &'a Candidates)>, hints: &Hints<'_>) -> VecDeque<Step> {
    let mut possible = Vec::new();
    for (position, list) in lists {
        let all = list.all.iter().enumerate().filter(|(_, candidate)| is_possible(list, candidate, hints));
        possible.extend(all.map(|(at, candidate)| (position, list, at, candidate)));
    }
    possible.sort_by_key(|(_, list, _, candidate)| {
        (distance(candidate.built_at, hints.built_at), &list.repository, &candidate.tag)
    });
    // How many candidates of the line were closer, and how many of them were older than the image.
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
            () if is_named && is_same_run && is_one_run => Class::NamedSameRun,
            () if is_named && *closer < CLOSE => Class::NamedClose,
            () if is_same_run && is_one_run => Class::SameRun,
            () if is_named => Class::Named,
            () if *closer < CLOSE && is_learned() => Class::Learned,
            () if is_older && *older == 0 => Class::Newest,
            () if is_same_run => Class::SameSystem,
            () if is_provided(&list.repository) && probe_count < PROBES => Class::Probe,
            () => Class::Rest,
        };
        *closer += 1;
        *older += usize::from(is_older);
        probe_count += usize::from(class == Class::Probe);
        for depth in [Depth::Manifest, Depth::Configuration] {
            steps.push((class.place(depth), Step { list: position, candidate: at, depth }));
        }
    }
    // Stable: within a place, the closest stay first.
    steps.sort_by_key(|(place, _)| *place);
    steps.into_iter().map(|(_, step)| step).collect()
}

fn is_named(list: &Candidates, candidate: &Candidate, hints: &Hints<'_>) -> bool {
    hints.named.iter().any(|line| line.has(&list.repository, &candidate.tag))
}

/// How far a release is from the instant at which an image was built by its own word, in seconds. A release that is
/// younger than that is possible where the image's date is clamped, and less probable.
fn distance(released_at: DateTime<Utc>, built_at: DateTime<Utc>) -> i64 {
    let before = (built_at - released_at).num_seconds();
    if before >= 0 { before } else { before.saturating_mul(-2) }
}
