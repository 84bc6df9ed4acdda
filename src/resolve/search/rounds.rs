//! The search itself: in rounds, in which each group of images reads one candidate, so that one whose base is hard to
//! find leaves requests for the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Searcher,
    candidates::{CandidateState, Candidates},
    groups::{SHARED_LAYERS, groups},
    known::KnownReleases,
    order::{Depth, Extent, Hints, Step, is_possible, steps},
    read::{Manifests, ReadError},
    scope::{Need, SearchedImage},
};
use crate::{
    identify::Search,
    image::{Arch, Digest, ImageFacts, MatchedPrefix, Repository, chain_ids},
};
use chrono::{DateTime, Utc};

/// What a run knows of releases, and what it asked for in vain.
#[derive(Debug, Default)]
pub(super) struct SearchState {
    pub(super) known: KnownReleases,
    pub(super) is_loaded: bool,
    lists: Vec<Candidates>,
    /// Why registries are not asked any more in this run.
    failures: BTreeMap<String, String>,
    /// Why candidates could not be read.
    unreadable: BTreeMap<Repository, String>,
    manifests: Manifests,
}

/// How the search for one image ended.
#[derive(Clone, Debug, Default)]
pub(super) struct SearchOutcome {
    pub(super) search: Search,
    /// How many requests were sent for it.
    pub(super) request_count: usize,
}

/// Images that are searched together, and the search for the first one.
struct Group {
    members: VecDeque<usize>,
    learned: BTreeSet<(Repository, String)>,
    plan: Option<Plan>,
}

/// The candidates that are still to be read for one image.
struct Plan {
    need: Need,
    published: BTreeSet<DateTime<Utc>>,
    lists: Vec<usize>,
    steps: VecDeque<Step>,
}

/// A search for several images.
pub(super) struct Rounds<'a> {
    pub(super) searcher: &'a Searcher<'a>,
    pub(super) state: &'a mut SearchState,
    pub(super) images: &'a [SearchedImage],
    pub(super) outcomes: Vec<SearchOutcome>,
    /// Tags are listed until then: no image of these can be built on a later release.
    pub(super) until: DateTime<Utc>,
}

impl Rounds<'_> {
    /// Searches for the bases of all images. `repositories` are those that they are in.
    pub(super) async fn run(mut self, repositories: &[Option<&Repository>]) -> Vec<SearchOutcome> {
        let keys = self.images.iter().zip(repositories).map(|(image, repository)| group_keys(image, *repository));
        let mut queue: VecDeque<_> = groups(keys)
            .into_iter()
            .map(|members| Group { members: members.into(), learned: BTreeSet::new(), plan: None })
            .collect();
        while let Some(mut group) = queue.pop_front() {
            if self.advance(&mut group).await {
                queue.push_back(group);
            }
        }
        self.outcomes
    }

    /// Reads one candidate for the first image of `group` that needs one; `false` when none does any more.
    async fn advance(&mut self, group: &mut Group) -> bool {
        while let Some(position) = group.members.front().copied() {
            let image = &self.images[position];
            let prefixes = self.state.known.prefixes(&image.facts);
            let need = image.need(&prefixes, |repository| self.searcher.resolver.has_dated_tags(repository));
            let search = match need {
                Need::Nothing => Some(Search::Idle),
                Need::Answered => {
                    group.learned.extend(lines_of(&prefixes));
                    Some(Search::Idle)
                }
                Need::SameRun | Need::Named | Need::All => {
                    self.plan(position, need, &prefixes, group).await;
                    match self.next_step(position, group.plan.as_mut()) {
                        Some(step) if !self.searcher.allowance.is_used_up() => {
                            self.take(position, step).await;
                            return true;
                        }
                        _ => Some(self.end(position, group)),
                    }
                }
            };
            self.outcomes[position].search = search.unwrap_or_default();
            group.members.pop_front();
            group.plan = None;
        }
        false
    }

    /// Makes sure that `group` has a plan for the image that fits what is known.
    async fn plan(&mut self, position: usize, need: Need, prefixes: &[MatchedPrefix], group: &mut Group) {
        let image = &self.images[position];
        let mut published = self.state.known.published_on_first_layer(&image.facts);
        published.extend(dated(prefixes));
        if group.plan.as_ref().is_some_and(|plan| plan.need == need && plan.published == published) {
            return;
        }
        let lists = self.lists(image, need).await;
        let chosen = lists.iter().map(|list| (*list, &self.state.lists[*list]));
        // Nothing is read any more: what is left is only counted.
        let steps = if self.searcher.allowance.is_used_up() {
            VecDeque::new()
        } else {
            steps(chosen, &hints(image, need, &published, &group.learned))
        };
        group.plan = Some(Plan { need, published, lists, steps });
    }

    /// The positions of the candidates in all repositories that the image may be built on.
    async fn lists(&mut self, image: &SearchedImage, need: Need) -> Vec<usize> {
        let Some(arch) = image.arch else { return Vec::new() };
        let named = image.named.iter().map(|line| line.repository.clone());
        let mut repositories: BTreeSet<_> = named.collect();
        if need != Need::Named {
            repositories.extend(self.searcher.repositories.iter().cloned());
        }
        repositories.retain(|repository| self.searcher.resolver.has_dated_tags(repository));
        let mut lists = Vec::new();
        for repository in repositories {
            lists.push(self.list(&repository, arch).await);
        }
        lists
    }

    async fn list(&mut self, repository: &Repository, arch: Arch) -> usize {
        let is_list = |list: &Candidates| list.repository == *repository && list.arch == arch;
        let position = self.state.lists.iter().position(is_list);
        if let Some(position) = position.filter(|position| self.state.lists[*position].until >= self.until) {
            return position;
        }
        let list = Candidates::list(self.searcher.resolver, &self.state.known, repository, arch, self.until).await;
        match position {
            Some(position) => {
                self.state.lists[position] = list;
                position
            }
            None => {
                self.state.lists.push(list);
                self.state.lists.len() - 1
            }
        }
    }

    /// The next step of `plan` that still tells something.
    fn next_step(&self, position: usize, plan: Option<&mut Plan>) -> Option<Step> {
        let steps = &mut plan?.steps;
        while let Some(step) = steps.pop_front() {
            if self.is_needed(&self.images[position], step) {
                return Some(step);
            }
        }
        None
    }

    /// Whether `step` still tells something of the image.
    fn is_needed(&self, image: &SearchedImage, step: Step) -> bool {
        let list = &self.state.lists[step.list];
        let candidate = &list.all[step.candidate];
        let is_open = match (candidate.state, step.depth) {
            (CandidateState::Unread, Depth::Manifest) => true,
            (CandidateState::Layers, Depth::Configuration) => !self.state.known.is_compared_by_layers(&image.facts),
            _ => false,
        };
        let line = || (list.repository.clone(), list.arch, candidate.tag.family.clone());
        is_open
            && !self.state.failures.contains_key(&*list.repository.registry)
            && !self.state.known.is_line_longer(line(), image.layer_count())
    }

    /// Reads a candidate for the image.
    async fn take(&mut self, position: usize, step: Step) {
        let sent_count = self.searcher.allowance.sent_count();
        let list = &self.state.lists[step.list];
        let (repository, arch) = (list.repository.clone(), list.arch);
        let candidate = &list.all[step.candidate];
        let before = candidate.state;
        let read = self.searcher.read(&repository, candidate, arch, step.depth, &mut self.state.manifests).await;
        let state = match read {
            Ok(Some(release)) => {
                let state = match release.diff_ids {
                    Some(_) => CandidateState::Whole,
                    None => CandidateState::Layers,
                };
                self.searcher.record(&repository, release.clone());
                self.state.known.add(&repository, release);
                state
            }
            Ok(None) => CandidateState::Absent,
            Err(ReadError::UsedUp) => before,
            Err(error) if error.is_of_candidate() => {
                self.note_failure(&repository, error);
                CandidateState::Unreadable
            }
            Err(error) => {
                self.note_failure(&repository, error);
                before
            }
        };
        self.state.lists[step.list].all[step.candidate].state = state;
        self.outcomes[position].request_count += self.searcher.allowance.sent_count() - sent_count;
    }

    fn note_failure(&mut self, repository: &Repository, error: ReadError) {
        let is_of_candidate = error.is_of_candidate();
        let ReadError::Registry(error) = error else { return };
        if is_of_candidate {
            self.state.unreadable.entry(repository.clone()).or_insert_with(|| error.to_string());
        } else {
            self.state.failures.entry(repository.registry.to_string()).or_insert_with(|| error.to_string());
        }
    }

    /// How the search for the image ends, now that no candidate can be read for it any more.
    fn end(&self, position: usize, group: &Group) -> Search {
        let (image, Some(plan)) = (&self.images[position], &group.plan) else { return Search::Idle };
        let hints = hints(image, plan.need, &plan.published, &group.learned);
        let (mut compared_count, mut left_count, mut why) = (0, 0, None);
        let mut lines = BTreeSet::new();
        for at in &plan.lists {
            let list = &self.state.lists[*at];
            let failure = self.state.failures.get(&*list.repository.registry);
            let possible = list.all.iter().enumerate().filter(|(_, it)| is_possible(list, it, &hints));
            for (candidate, it) in possible {
                lines.insert((&list.repository, it.tag.family.as_str()));
                let step = |depth| Step { list: *at, candidate, depth };
                let depths = [Depth::Manifest, Depth::Configuration];
                if it.state == CandidateState::Unreadable {
                    why = why.or(self.state.unreadable.get(&list.repository));
                } else if depths.into_iter().any(|depth| self.is_needed(image, step(depth))) {
                    left_count += 1;
                } else if it.state == CandidateState::Unread && failure.is_some() {
                    why = why.or(failure);
                } else {
                    compared_count += 1;
                }
            }
            why = why.or(list.gap.as_ref());
        }
        match (left_count, why) {
            (0, None) => {
                let line = |(repository, family): (&Repository, &str)| format!("{repository}:{family}");
                Search::Complete { lines: lines.into_iter().map(line).collect() }
            }
            (0, Some(why)) => Search::Failed { why: why.clone() },
            _ => Search::Unfinished { compared_count, left_count },
        }
    }
}

/// What images have in common that are searched together.
fn group_keys<'a>(image: &SearchedImage, repository: Option<&'a Repository>) -> Vec<GroupKey<'a>> {
    let leading = |facts: &ImageFacts| chain_ids(&facts.diff_ids).nth(SHARED_LAYERS - 1);
    let leading = leading(&image.facts).map(GroupKey::Leading);
    repository.map(GroupKey::Repository).into_iter().chain(leading).collect()
}

#[derive(PartialEq, Eq, Hash)]
enum GroupKey<'a> {
    Repository(&'a Repository),
    Leading(Digest),
}

fn hints<'a>(
    image: &'a SearchedImage,
    need: Need,
    published: &'a BTreeSet<DateTime<Utc>>,
    learned: &'a BTreeSet<(Repository, String)>,
) -> Hints<'a> {
    let extent = match need {
        Need::SameRun => Extent::SameRun,
        Need::Named => Extent::Named,
        Need::All | Need::Nothing | Need::Answered => Extent::All,
    };
    Hints { built_at: image.built_at, existed_at: image.existed_at, published, named: &image.named, learned, extent }
}

/// The dated tags of known releases, by their hours.
fn dated(prefixes: &[MatchedPrefix]) -> impl Iterator<Item = DateTime<Utc>> {
    lambda_tags(prefixes).filter_map(|(_, tag)| tag.built_at)
}

fn lines_of(prefixes: &[MatchedPrefix]) -> impl Iterator<Item = (Repository, String)> {
    let dated = lambda_tags(prefixes).filter(|(_, tag)| tag.built_at.is_some());
    dated.map(|(repository, tag)| (repository.clone(), tag.family))
}

fn lambda_tags(prefixes: &[MatchedPrefix]) -> impl Iterator<Item = (&Repository, crate::image::LambdaTag)> {
    let releases = prefixes.iter().flat_map(|prefix| &prefix.releases);
    releases.flat_map(|known| {
        let tags = known.release.tags.iter().filter_map(|tag| crate::image::LambdaTag::parse(tag));
        tags.map(|tag| (&known.repository, tag))
    })
}
