//! The search in rounds: in each round, every group of images reads one candidate, so that a difficult group does not
//! use up the budget of the others.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    LayerSearcher,
    candidates::{CandidateRelease, CandidateReleases, CandidateState},
    groups::{SHARED_LAYERS, groups},
    known::PUBLISHING_RUN,
    order::{CandidateScope, ReadDepth, ReadStep, SearchHints, is_possible, steps},
    read::ReadError,
    scope::{SearchNeed, SearchedImage, is_provided, shown_lines},
    state::SearchState,
};
use crate::{
    identify::SearchCompletion,
    image::{Digest, ImageFacts, LambdaArch, LambdaTag, MatchedPrefix, Repository, chain_ids},
};

/// How the search for one image ended.
#[derive(Clone, Debug, Default)]
pub(super) struct SearchOutcome {
    pub(super) search: SearchCompletion,
    /// The number of requests sent for it.
    pub(super) request_count: usize,
}

/// Images that are searched together, and the search for the first one.
struct SearchGroup {
    members: VecDeque<usize>,
    learned: BTreeSet<(Repository, String)>,
    plan: Option<SearchPlan>,
}

/// The candidates that have still to be read for one image.
struct SearchPlan {
    need: SearchNeed,
    published: BTreeSet<DateTime<Utc>>,
    published_until: Option<DateTime<Utc>>,
    lists_version: usize,
    lists: Vec<usize>,
    steps: VecDeque<ReadStep>,
}

/// A search for several images.
pub(super) struct SearchRounds<'a> {
    pub(super) searcher: &'a LayerSearcher<'a>,
    pub(super) state: &'a mut SearchState,
    pub(super) images: &'a [SearchedImage],
    outcomes: Vec<SearchOutcome>,
    /// The instant until which tags are listed: none of the images can be built on a later release.
    until: DateTime<Utc>,
}

impl<'a> SearchRounds<'a> {
    /// A search for the bases of `images`.
    pub(super) fn new(
        searcher: &'a LayerSearcher<'a>,
        state: &'a mut SearchState,
        images: &'a [SearchedImage],
    ) -> Self {
        let outcomes = vec![SearchOutcome::default(); images.len()];
        let mut rounds = Self { searcher, state, images, outcomes, until: DateTime::<Utc>::MIN_UTC };
        let unanswered = images.iter().filter(|image| rounds.need(image).0.is_search());
        rounds.until = unanswered.map(|image| image.existed_at).max().unwrap_or(rounds.until);
        rounds
    }

    /// The need of `image`, and its known prefixes.
    fn need(&self, image: &SearchedImage) -> (SearchNeed, Vec<MatchedPrefix>) {
        let prefixes = self.state.known.prefixes(&image.facts);
        let searcher = self.searcher;
        let is_company_base = |repository: &Repository| searcher.resolver.is_company_base(repository);
        let need = image.need(&prefixes, is_company_base, !self.state.company_bases.is_empty());
        (need, prefixes)
    }

    /// Searches the bases of all images. `repositories` are those of the images.
    pub(super) async fn run(mut self, repositories: &[Option<&Repository>]) -> Vec<SearchOutcome> {
        let keys = self.images.iter().zip(repositories).map(|(image, repository)| group_keys(image, *repository));
        let mut queue: VecDeque<_> = groups(keys)
            .into_iter()
            .map(|members| SearchGroup { members: members.into(), learned: BTreeSet::new(), plan: None })
            .collect();
        while let Some(mut group) = queue.pop_front() {
            if self.advance(&mut group).await {
                queue.push_back(group);
            }
        }
        self.outcomes
    }

    /// Reads one candidate for the first image of `group` that needs one; `false` if none does.
    async fn advance(&mut self, group: &mut SearchGroup) -> bool {
        while let Some(position) = group.members.front().copied() {
            let (need, prefixes) = self.need(&self.images[position]);
            if need.is_search() {
                self.plan(position, need, &prefixes, group).await;
                let step = group.plan.as_mut().and_then(|plan| self.next_step(position, plan));
                if let Some(step) = step.filter(|_| !self.searcher.allowance.is_used_up()) {
                    self.take(position, step).await;
                    return true;
                }
                self.outcomes[position].search = self.end(position, group);
            } else if need == SearchNeed::Answered {
                group.learned.extend(lines_of(&prefixes));
            }
            group.members.pop_front();
            group.plan = None;
        }
        false
    }

    /// Updates the plan of `group` for the image to the current state.
    async fn plan(&mut self, position: usize, need: SearchNeed, prefixes: &[MatchedPrefix], group: &mut SearchGroup) {
        let image = &self.images[position];
        self.until = self.until.max(image.existed_at);
        group.learned.extend(shown_lines(&image.facts));
        let mut published = self.state.known.published_on_first_layer(&image.facts);
        published.extend(dated(prefixes));
        let version = self.state.lists_version;
        let fits =
            |plan: &SearchPlan| plan.need == need && plan.published == published && plan.lists_version == version;
        if group.plan.as_ref().is_some_and(fits) {
            return;
        }
        let lists = self.lists(image, need).await;
        let published_until = self.published_until(&lists, prefixes);
        let chosen = lists.iter().map(|list| (*list, &self.state.lists[*list]));
        // After the end, the rest is only counted.
        let steps = if self.searcher.allowance.is_used_up() {
            VecDeque::new()
        } else {
            steps(chosen, &hints(image, need, (&published, published_until), &group.learned))
        };
        let lists_version = self.state.lists_version;
        group.plan = Some(SearchPlan { need, published, published_until, lists_version, lists, steps });
    }

    /// Until when lines may have been republished on the releases of `provided` among `prefixes`: until about the next
    /// release of `provided`. A line is republished if only its uppermost layers are new.
    fn published_until(&self, lists: &[usize], prefixes: &[MatchedPrefix]) -> Option<DateTime<Utc>> {
        let provided = lambda_tags(prefixes).filter(|(repository, _)| is_provided(repository));
        let (repository, newest) = provided.max_by_key(|(_, tag)| tag.built_at)?;
        let mut lists = lists.iter().map(|list| &self.state.lists[*list]);
        let list = lists.find(|list| list.repository == *repository)?;
        let mut later = list.all.iter().filter(|candidate| candidate.tag.family == newest.family);
        let next = later.find(|candidate| Some(candidate.built_at) > newest.built_at);
        Some(next.map_or(DateTime::<Utc>::MAX_UTC, |next| next.built_at + PUBLISHING_RUN))
    }

    /// The positions of the candidates in all repositories that the image may be built on.
    async fn lists(&mut self, image: &SearchedImage, need: SearchNeed) -> Vec<usize> {
        let Some(arch) = image.arch.filter(|_| !self.searcher.is_off) else { return Vec::new() };
        let named = image.named.iter().map(|line| line.repository.clone());
        let mut repositories: BTreeSet<_> = named.collect();
        match need {
            SearchNeed::Named => {}
            SearchNeed::Company => repositories.clone_from(&self.state.company_bases),
            _ => repositories.extend(self.state.repositories.iter().cloned()),
        }
        repositories.retain(|repository| self.searcher.resolver.has_dated_tags(repository));
        let mut lists = Vec::new();
        for repository in repositories {
            lists.push(self.list(&repository, arch).await);
        }
        lists
    }

    async fn list(&mut self, repository: &Repository, arch: LambdaArch) -> usize {
        let is_list = |list: &CandidateReleases| list.repository == *repository && list.arch == arch;
        let position = self.state.lists.iter().position(is_list);
        if let Some(position) = position.filter(|position| self.state.lists[*position].until >= self.until) {
            return position;
        }
        let list =
            CandidateReleases::list(self.searcher.resolver, &self.state.known, repository, arch, self.until).await;
        if let Some(position) = position {
            self.state.lists[position] = list;
            self.state.lists_version += 1;
            return position;
        }
        self.state.lists.push(list);
        self.state.lists.len() - 1
    }

    /// The next step of `plan` that can still add evidence.
    fn next_step(&self, position: usize, plan: &mut SearchPlan) -> Option<ReadStep> {
        let image = &self.images[position];
        while let Some(step) = plan.steps.pop_front() {
            let list = &self.state.lists[step.list];
            let candidate = &list.all[step.candidate];
            if self.depth(image, candidate) == Some(step.depth)
                && !self.state.failures.contains_key(&*list.repository.registry)
                && !self.is_too_long(image, plan.need, list, &candidate.tag.family)
            {
                return Some(step);
            }
        }
        None
    }

    /// What has to be read of `candidate` before it can be compared with the image.
    fn depth(&self, image: &SearchedImage, candidate: &CandidateRelease) -> Option<ReadDepth> {
        match candidate.state {
            CandidateState::Unread => Some(ReadDepth::Manifest),
            CandidateState::Layers if !self.state.known.is_compared_by_layers(&image.facts) => {
                Some(ReadDepth::Configuration)
            }
            CandidateState::Layers | CandidateState::Whole | CandidateState::Absent | CandidateState::Unreadable => {
                None
            }
        }
    }

    /// Whether the releases of a line are known to have more layers than the image. With a known prefix, each release
    /// is read.
    fn is_too_long(&self, image: &SearchedImage, need: SearchNeed, list: &CandidateReleases, family: &str) -> bool {
        let line = || (list.repository.clone(), list.arch, family.to_owned());
        !need.is_for_longer() && self.state.known.is_line_longer(&line(), image.layer_count())
    }

    /// Reads a candidate for the image.
    async fn take(&mut self, position: usize, step: ReadStep) {
        let sent_count = self.searcher.allowance.sent_count();
        let list = &self.state.lists[step.list];
        let (repository, arch) = (list.repository.clone(), list.arch);
        let candidate = &list.all[step.candidate];
        let before = candidate.state;
        let read = self.searcher.read(&repository, candidate, arch, step.depth, &mut self.state.manifests).await;
        let state = match read {
            Ok(Some(release)) => {
                // A configuration without `diff_ids` will have none in the next round either.
                let is_whole = release.diff_ids.is_some() || step.depth == ReadDepth::Configuration;
                let state = if is_whole { CandidateState::Whole } else { CandidateState::Layers };
                let release = Arc::new(release);
                self.searcher.record(&repository, Arc::clone(&release));
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

    /// The outcome of the search for an image without further candidates.
    fn end(&self, position: usize, group: &SearchGroup) -> SearchCompletion {
        let (image, Some(plan)) = (&self.images[position], &group.plan) else { return SearchCompletion::Idle };
        if self.searcher.is_off {
            let why = "the search is disabled: identify.search_requests is 0".to_owned();
            return SearchCompletion::Failed { why };
        }
        let hints = hints(image, plan.need, (&plan.published, plan.published_until), &group.learned);
        let mut tally = SearchTally::default();
        for list in plan.lists.iter().map(|at| &self.state.lists[*at]) {
            let mut lines: HashMap<&str, bool> = HashMap::new();
            for candidate in list.all.iter().filter(|candidate| is_possible(list, candidate, &hints)) {
                let family = candidate.tag.family.as_str();
                let is_too_long =
                    lines.entry(family).or_insert_with(|| self.is_too_long(image, plan.need, list, family));
                tally.possible_count += 1;
                match self.depth(image, candidate).filter(|_| !*is_too_long) {
                    Some(ReadDepth::Manifest) => tally.unread_count += 1,
                    Some(ReadDepth::Configuration) => tally.unconfigured_count += 1,
                    None => tally.has_unreadable |= candidate.state == CandidateState::Unreadable,
                }
            }
            let unreadable = self.state.unreadable.get(&list.repository).filter(|_| tally.has_unreadable);
            let failure = self.state.failures.get(&*list.repository.registry);
            tally.why = tally.why.or_else(|| failure.or(list.error.as_ref()).or(unreadable).cloned());
            tally.lines.extend(lines.into_keys().map(|family| format!("{}:{family}", list.repository)));
        }
        let unlisted = image.named.iter().find(|line| !self.searcher.resolver.has_dated_tags(&line.repository));
        if let Some(line) = unlisted.filter(|_| !plan.need.is_for_longer()) {
            let why = format!(
                "releases of {} have no dated tags: only those that {} was observed at can be compared",
                line.repository, line.tag
            );
            tally.why.get_or_insert(why);
        }
        tally.search(self.searcher.allowance.is_used_up())
    }
}

/// The totals of a search.
#[derive(Default)]
struct SearchTally {
    possible_count: usize,
    unread_count: usize,
    unconfigured_count: usize,
    has_unreadable: bool,
    lines: BTreeSet<String>,
    /// Why some candidates could not be read.
    why: Option<String>,
}

impl SearchTally {
    fn search(self, is_used_up: bool) -> SearchCompletion {
        // If all manifests were read, the configurations are left.
        let left_count = if self.unread_count > 0 { self.unread_count } else { self.unconfigured_count };
        match self.why {
            Some(why) if left_count == 0 || !is_used_up => SearchCompletion::Failed { why },
            None if left_count == 0 => SearchCompletion::Complete { lines: self.lines.into_iter().collect() },
            _ => SearchCompletion::Unfinished { compared_count: self.possible_count - left_count, left_count },
        }
    }
}

/// The keys by which images are grouped.
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
    need: SearchNeed,
    (published, published_until): (&'a BTreeSet<DateTime<Utc>>, Option<DateTime<Utc>>),
    learned: &'a BTreeSet<(Repository, String)>,
) -> SearchHints<'a> {
    let extent = match need {
        SearchNeed::SameRun => CandidateScope::SameRun,
        SearchNeed::Company => CandidateScope::Later,
        SearchNeed::Named => CandidateScope::Named,
        SearchNeed::All | SearchNeed::Nothing | SearchNeed::Answered => CandidateScope::All,
    };
    SearchHints {
        built_at: image.built_at,
        existed_at: image.existed_at,
        published,
        published_until,
        named: &image.named,
        learned,
        extent,
    }
}

/// The dated tags of known releases, by their hours.
fn dated(prefixes: &[MatchedPrefix]) -> impl Iterator<Item = DateTime<Utc>> {
    lambda_tags(prefixes).filter_map(|(_, tag)| tag.built_at)
}

fn lines_of(prefixes: &[MatchedPrefix]) -> impl Iterator<Item = (Repository, String)> {
    let dated = lambda_tags(prefixes).filter(|(_, tag)| tag.built_at.is_some());
    dated.map(|(repository, tag)| (repository.clone(), tag.family))
}

fn lambda_tags(prefixes: &[MatchedPrefix]) -> impl Iterator<Item = (&Repository, LambdaTag)> {
    let releases = prefixes.iter().flat_map(|prefix| &prefix.releases);
    releases.flat_map(|known| {
        let tags = known.release.tags.iter().filter_map(|tag| LambdaTag::parse(tag));
        tags.map(|tag| (&known.repository, tag))
    })
}
