//! The state of the survey of one region: what was read, and what has still to be read.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    cache::{CachePolicy, CachedFunction, FunctionCache},
    function::{FunctionDetails, FunctionReadError},
    listing::{FunctionAlias, ListMarker, ListedVersion, VersionPage},
    selected_function::{SelectedFunction, VersionOutcome},
    version::FunctionVersion,
};
use crate::{
    aws::AwsError,
    image::{Digest, ErrorCode, Repository},
    inventory::{AffectedScope, CollectionError, ImageSource},
};

/// The number of consecutive failures of one operation, each after all its retries, after which a region is given up:
/// thousands of throttled calls would take hours.
const HOPELESS: usize = 10;

/// The number of versions from which reading them takes seconds, so that images are read meanwhile.
const MANY: usize = 200;

/// The survey of one region.
pub(super) struct LambdaSurvey {
    cache_policy: CachePolicy,
    scope: String,
    extent: AffectedScope,
    old: FunctionCache,
    functions: BTreeMap<Arc<str>, SelectedFunction>,
    /// Cached functions that are listed but not selected; other runs may select them.
    left_out: BTreeSet<Arc<str>>,
    to_list: VecDeque<Arc<str>>,
    to_get: VecDeque<VersionRequest>,
    /// The number of versions read so far.
    asked: usize,
    is_read_ahead: bool,
    /// Whether the list has ended, completely or not.
    is_listed: bool,
    is_complete: bool,
    listing: FailureStreak,
    getting: FailureStreak,
    failures: BTreeMap<ErrorCode, (AwsError, usize)>,
}

/// A version to ask `GetFunction` for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionRequest {
    /// The name of the function.
    pub(super) function: Arc<str>,
    /// The version.
    pub(super) version: FunctionVersion,
}

/// The result of a survey.
#[derive(Default)]
pub(super) struct LambdaSurveyResult {
    /// The functions.
    pub(super) functions: BTreeMap<Arc<str>, SelectedFunction>,
    /// The new cache, if it has changed.
    pub(super) cache: Option<FunctionCache>,
    /// The errors.
    pub(super) errors: Vec<CollectionError>,
}

/// Consecutive failures of one operation.
#[derive(Debug, Default)]
struct FailureStreak {
    in_a_row: usize,
    lost: Option<AwsError>,
}

impl FailureStreak {
    fn succeeded(&mut self) {
        self.in_a_row = 0;
    }

    /// A refusal is quick, and the next function may succeed.
    fn failed(&mut self, failure: &AwsError) {
        if !matches!(failure.code, ErrorCode::AccessDenied | ErrorCode::NotFound) {
            self.in_a_row += 1;
        }
        if self.in_a_row >= HOPELESS {
            self.lost.get_or_insert_with(|| failure.clone());
        }
    }
}

impl LambdaSurvey {
    /// A survey that has not begun, with the cache `old`. Its gaps have `scope` and `extent`.
    pub(super) fn new((scope, extent): (String, AffectedScope), old: FunctionCache, cache_policy: CachePolicy) -> Self {
        Self {
            cache_policy,
            scope,
            extent,
            old,
            functions: BTreeMap::new(),
            left_out: BTreeSet::new(),
            to_list: VecDeque::new(),
            to_get: VecDeque::new(),
            asked: 0,
            is_read_ahead: false,
            is_listed: false,
            is_complete: true,
            listing: FailureStreak::default(),
            getting: FailureStreak::default(),
            failures: BTreeMap::new(),
        }
    }

    /// Adds a page of the list, filtered by name with `admits`. Returns the marker of the next page.
    pub(super) fn listed(
        &mut self,
        page: VersionPage,
        failure: Option<AwsError>,
        admits: impl Fn(&str) -> bool,
    ) -> Option<ListMarker> {
        for version in page.versions {
            if admits(&version.function) {
                self.version(version);
            } else if self.old.knows(&version.function) {
                self.left_out.insert(version.function);
            }
        }
        let malformed = page.malformed.map(|message| AwsError { code: ErrorCode::Malformed, message });
        for failure in malformed.into_iter().chain(failure) {
            self.is_complete = false;
            self.note(failure, 1);
        }
        if page.next.is_none() {
            self.is_listed = true;
            for function in self.functions.keys().cloned().collect::<Vec<_>>() {
                self.want_reached(&function);
            }
        }
        page.next
    }

    fn version(
        &mut self,
        ListedVersion { function, arn, number: version, is_managed, fingerprint: mark }: ListedVersion,
    ) {
        let seen = self.functions.entry(Arc::clone(&function)).or_insert_with(|| SelectedFunction::new(arn));
        if seen.mark(&version).is_some() {
            return;
        }
        // Only functions on Managed Instances have such a version.
        seen.is_managed |= is_managed || version == FunctionVersion::LatestPublished;
        // A draft is read only for the tags of the function, which the response without a qualifier has.
        let is_wanted = version == FunctionVersion::Latest && seen.is_managed && self.cache_policy.needs_tags;
        seen.listed.push((version.clone(), mark));
        if is_wanted {
            self.want(&function, &version);
        }
        self.want_reached(&function);
    }

    /// The next function whose aliases are to be listed.
    pub(super) fn next_to_list(&mut self) -> Option<Arc<str>> {
        if let Some(failure) = self.listing.lost.clone() {
            let given_up = std::mem::take(&mut self.to_list);
            self.note(failure, given_up.len());
            for function in given_up {
                self.without_aliases(&function);
            }
        }
        self.to_list.pop_front()
    }

    /// Adds the aliases of `function`.
    pub(super) fn aliased(&mut self, function: &Arc<str>, aliases: Result<Vec<FunctionAlias>, AwsError>) {
        match aliases {
            Ok(aliases) => {
                self.listing.succeeded();
                if let Some(seen) = self.functions.get_mut(function) {
                    seen.aliases = aliases;
                }
                self.want_reached(function);
            }
            // It was deleted meanwhile.
            Err(failure) if failure.code == ErrorCode::NotFound => self.listing.succeeded(),
            Err(failure) => {
                self.listing.failed(&failure);
                self.note(failure, 1);
                self.without_aliases(function);
            }
        }
    }

    fn without_aliases(&mut self, function: &str) {
        if let Some(seen) = self.functions.get_mut(function) {
            seen.is_alias_missing = true;
        }
    }

    /// The next version to read.
    pub(super) fn next_to_get(&mut self) -> Option<VersionRequest> {
        if let Some(failure) = self.getting.lost.clone() {
            let given_up = std::mem::take(&mut self.to_get);
            self.note(failure.clone(), given_up.len());
            for ask in given_up {
                self.fall_back(&ask, failure.clone());
            }
        }
        self.to_get.pop_front()
    }

    /// The images known after half of the versions, returned once so that they are read meanwhile. `None` for few
    /// versions.
    pub(super) fn known_halfway(&mut self) -> Option<BTreeSet<(Digest, Repository)>> {
        let is_half = self.is_listed && self.asked >= MANY && self.to_get.len() <= self.asked / 2;
        if !is_half || std::mem::replace(&mut self.is_read_ahead, true) {
            return None;
        }
        let outcomes = self.functions.values().flat_map(|seen| &seen.found).map(|(_, outcome)| outcome);
        let images = outcomes.filter_map(|outcome| match outcome {
            VersionOutcome::Known(function, _) => match function.image() {
                (ImageSource::Reference(reference), Ok(digest)) => Some((digest, reference.repository)),
                _ => None,
            },
            _ => None,
        });
        Some(images.collect())
    }

    /// Adds the result for a version.
    pub(super) fn got(&mut self, ask: &VersionRequest, answer: Result<FunctionDetails, FunctionReadError>) {
        match answer {
            Ok(function) => {
                self.getting.succeeded();
                let denied = function.tags_error.clone().filter(|_| self.cache_policy.needs_tags);
                if let Some(why) = denied {
                    let code = if why.contains("AccessDenied") { ErrorCode::AccessDenied } else { ErrorCode::Failed };
                    let message = format!("lambda:ListTags of {} for lambda:GetFunction: {why}", ask.function);
                    self.note(AwsError { code, message }, 1);
                }
                let function = Arc::new(function);
                let mark = self.functions.get(&ask.function).and_then(|seen| seen.mark(&ask.version)).cloned();
                let read_at = self.cache_policy.seen_at;
                let cached =
                    mark.map(|mark| CachedFunction { fingerprint: mark, read_at, function: Arc::clone(&function) });
                self.known(&ask.function, &function);
                self.settle(ask, VersionOutcome::Known(function, cached));
            }
            Err(FunctionReadError::Gone) => {
                self.getting.succeeded();
                self.settle(ask, VersionOutcome::Gone);
            }
            Err(FunctionReadError::Failed(failure)) => {
                self.getting.failed(&failure);
                self.note(failure.clone(), 1);
                self.fall_back(ask, failure);
            }
        }
    }

    /// While the hash of its code is the same, the cached image still runs.
    fn fall_back(&mut self, ask: &VersionRequest, failure: AwsError) {
        let mark = self.functions.get(&ask.function).and_then(|seen| seen.mark(&ask.version));
        let cached = self.old.get(&ask.function, &ask.version).filter(|old| {
            mark.is_some_and(|mark| mark.code == old.fingerprint.code && !mark.code.is_empty())
                && old.function.is_resolved()
        });
        let outcome = match cached {
            Some(old) => VersionOutcome::Known(Arc::clone(&old.function), Some(old.clone())),
            None => VersionOutcome::Failed(failure),
        };
        self.settle(ask, outcome);
    }

    fn settle(&mut self, ask: &VersionRequest, outcome: VersionOutcome) {
        let found = self.functions.get_mut(&ask.function).map(|seen| &mut seen.found);
        if let Some((_, waiting)) = found.into_iter().flatten().find(|(number, _)| *number == ask.version) {
            *waiting = outcome;
        }
    }

    /// Uses the cached response for a version, which may show more about the function than the list.
    fn known(&mut self, name: &Arc<str>, version: &FunctionDetails) {
        if let Some(seen) = self.functions.get_mut(name)
            && version.is_managed
            && !seen.is_managed
        {
            seen.is_managed = true;
            self.want_reached(name);
        }
    }

    /// Queues the versions of `function` that calls reach, and its aliases if it may have any. Versions that the list
    /// may still show are queued later, because a cached response may suffice.
    fn want_reached(&mut self, function: &Arc<str>) {
        let Some(seen) = self.functions.get_mut(function) else { return };
        if (seen.is_managed || seen.is_published()) && !seen.is_alias_wanted {
            seen.is_alias_wanted = true;
            self.to_list.push_back(Arc::clone(function));
        }
        let shown: Vec<_> =
            seen.reached().into_iter().filter(|version| self.is_listed || seen.mark(version).is_some()).collect();
        for version in shown {
            self.want(function, &version);
        }
    }

    fn want(&mut self, function: &Arc<str>, version: &FunctionVersion) {
        let Some(seen) = self.functions.get_mut(function) else { return };
        if seen.found(version).is_some() {
            return;
        }
        let known = seen.mark(version).and_then(|mark| {
            let cached = self.old.get(function, version);
            cached.filter(|cached| cached.holds(mark, self.cache_policy))
        });
        let outcome = known.map(|known| VersionOutcome::Known(Arc::clone(&known.function), Some(known.clone())));
        if outcome.is_none() {
            self.asked += 1;
            self.to_get.push_back(VersionRequest { function: Arc::clone(function), version: version.clone() });
        }
        let cached = match &outcome {
            Some(VersionOutcome::Known(known, _)) => Some(Arc::clone(known)),
            _ => None,
        };
        seen.found.push((version.clone(), outcome.unwrap_or(VersionOutcome::Asked)));
        if let Some(cached) = cached {
            self.known(function, &cached);
        }
    }

    fn note(&mut self, failure: AwsError, times: usize) {
        if times > 0 {
            self.failures.entry(failure.code).or_insert((failure, 0)).1 += times;
        }
    }

    /// The cache when the survey is cancelled.
    pub(super) fn cut_short(mut self) -> Option<FunctionCache> {
        self.is_complete = false;
        self.finish().cache
    }

    /// The result after everything was read.
    pub(super) fn finish(self) -> LambdaSurveyResult {
        let Self { old, functions, left_out, is_complete, scope, extent, failures, .. } = self;
        let mut memory = FunctionCache::default();
        for (name, seen) in &functions {
            for (version, outcome) in &seen.found {
                if let VersionOutcome::Known(_, Some(cached)) = outcome {
                    memory.insert(name, version, cached.clone());
                }
            }
        }
        memory.keep(&old, |name| {
            let is_half_seen = functions.get(name).is_some_and(|seen| seen.is_alias_missing);
            !is_complete || is_half_seen || left_out.contains(name)
        });
        let memory = (memory != old).then_some(memory);
        let gaps = failures.into_values().map(|(failure, times)| {
            let more = if times > 1 { format!(" (and {} more like this)", times - 1) } else { String::new() };
            CollectionError::new(
                scope.clone(),
                extent.clone(),
                AwsError { code: failure.code, message: failure.message + &more },
            )
        });
        LambdaSurveyResult { errors: gaps.collect(), functions, cache: memory }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::inventory::lambda::listing::VersionFingerprint;
    use FunctionVersion::{Latest, LatestPublished, Number};

    const LATEST: &str = "$LATEST";

    fn progress(old: FunctionCache) -> LambdaSurvey {
        let seen_at = DateTime::from_timestamp(1_000, 0).unwrap();
        let belief = CachePolicy { seen_at, refresh: TimeDelta::seconds(100), needs_tags: false };
        LambdaSurvey::new(("lambda eu-west-1".into(), AffectedScope::default()), old, belief)
    }

    fn mark(revision: &str) -> VersionFingerprint {
        VersionFingerprint { code: "code".into(), revision: revision.into() }
    }

    fn version(function: &str, number: &str) -> ListedVersion {
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{function}");
        ListedVersion {
            function: function.into(),
            arn: arn.parse().unwrap(),
            number: number.into(),
            is_managed: false,
            fingerprint: mark("r"),
        }
    }

    fn page(versions: &[(&str, &str)]) -> VersionPage {
        let versions = versions.iter().map(|(function, number)| version(function, number));
        VersionPage { versions: versions.collect(), ..VersionPage::default() }
    }

    fn more(versions: &[(&str, &str)]) -> VersionPage {
        VersionPage { next: Some(ListMarker::default()), ..page(versions) }
    }

    fn alias(version: &str, others: &[&str]) -> FunctionAlias {
        let others = others.iter().map(|&other| FunctionVersion::from(other)).collect();
        FunctionAlias { name: "live".into(), version: version.into(), others }
    }

    fn cached(revision: &str, read_at: i64) -> CachedFunction {
        let read_at = DateTime::from_timestamp(read_at, 0).unwrap();
        CachedFunction { fingerprint: mark(revision), read_at, function: Arc::new(FunctionDetails::resolved("r@d")) }
    }

    fn memory(entries: &[(&str, &str)]) -> FunctionCache {
        let mut memory = FunctionCache::default();
        for (function, number) in entries {
            memory.insert(&(*function).into(), &FunctionVersion::from(*number), cached("r", 990));
        }
        memory
    }

    fn asks(progress: &mut LambdaSurvey) -> Vec<String> {
        std::iter::from_fn(|| progress.next_to_get()).map(|ask| format!("{}:{}", ask.function, ask.version)).collect()
    }

    fn failure(code: ErrorCode) -> AwsError {
        AwsError { code, message: format!("it is {code}") }
    }

    #[test]
    fn functions_are_read_while_the_list_continues() {
        let mut progress = progress(FunctionCache::default());
        assert!(progress.listed(more(&[("a", LATEST), ("b", LATEST)]), None, |name| name != "b").is_some());
        assert_eq!(asks(&mut progress), ["a:$LATEST"]);
        assert_eq!(progress.next_to_list(), None, "it has no published version");
    }

    #[test]
    fn a_version_of_an_alias_is_read_after_the_end_of_the_list() {
        let mut progress = progress(memory(&[("a", "2")]));
        progress.listed(more(&[("a", LATEST), ("a", "1")]), None, |_| true);
        assert_eq!(progress.next_to_list().as_deref(), Some("a"));
        progress.aliased(&"a".into(), Ok(vec![alias("1", &["2", "9"])]));
        assert_eq!(asks(&mut progress), ["a:$LATEST", "a:1"]);
        progress.listed(more(&[("a", "2")]), None, |_| true);
        assert_eq!(asks(&mut progress), [""; 0], "version 2 is cached");
        assert_eq!(progress.next_to_list(), None, "its aliases are known");
        progress.listed(page(&[]), None, |_| true);
        assert_eq!(asks(&mut progress), ["a:9"], "published after the list was read");
    }

    #[test]
    fn images_known_halfway_are_read_ahead_once_if_there_are_many() {
        for (number, expected) in [(MANY, Some(MANY / 2)), (MANY - 1, None)] {
            let names: Vec<_> = (0..number).map(|number| format!("f{number:03}")).collect();
            let listed: Vec<_> = names.iter().map(|name| (name.as_str(), LATEST)).collect();
            let mut progress = progress(FunctionCache::default());
            progress.listed(page(&listed), None, |_| true);
            let mut ahead = Vec::new();
            while let Some(ask) = progress.next_to_get() {
                let digest = Digest::sha256(ask.function.as_bytes());
                progress.got(&ask, Ok(FunctionDetails::resolved(&format!("quay.io/x@{digest}"))));
                ahead.extend(progress.known_halfway().map(|images| images.len()));
            }
            assert_eq!(ahead, Vec::from_iter(expected), "{number}");
        }
    }

    #[test]
    fn a_failed_version_is_served_from_the_cache_while_its_code_hash_is_the_same() {
        let mut old = memory(&[("a", LATEST)]);
        old.insert(
            &"b".into(),
            &Latest,
            CachedFunction {
                fingerprint: VersionFingerprint { code: "other".into(), revision: "r".into() },
                ..cached("r", 990)
            },
        );
        old.insert(&"a".into(), &Latest, cached("older", 1));
        let mut progress = progress(old);
        progress.listed(page(&[("a", LATEST), ("b", LATEST)]), None, |_| true);
        while let Some(ask) = progress.next_to_get() {
            progress.got(&ask, Err(FunctionReadError::Failed(failure(ErrorCode::Failed))));
        }
        let surveyed = progress.finish();
        assert!(matches!(surveyed.functions["a"].found(&Latest), Some(VersionOutcome::Known(..))));
        assert!(matches!(surveyed.functions["b"].found(&Latest), Some(VersionOutcome::Failed(_))));
        let [gap] = surveyed.errors.as_slice() else { panic!("{:?}", surveyed.errors) };
        assert_eq!((gap.code, gap.message.as_str()), (ErrorCode::Failed, "it is failed (and 1 more like this)"));
        assert_eq!(surveyed.cache.unwrap().get("a", &Latest).unwrap().read_at.timestamp(), 1, "to be read again");
    }

    #[test]
    fn a_region_where_every_call_fails_is_given_up() {
        let names: Vec<_> = (0..100).map(|n| format!("f{n:03}")).collect();
        let listed: Vec<_> = names.iter().flat_map(|name| [(name.as_str(), LATEST), (name.as_str(), "1")]).collect();
        for (code, calls) in [(ErrorCode::Throttled, HOPELESS), (ErrorCode::AccessDenied, 100)] {
            let mut progress = progress(FunctionCache::default());
            progress.listed(page(&listed), None, |_| true);
            let mut asked = 0;
            while let Some(ask) = progress.next_to_get() {
                asked += 1;
                progress.got(&ask, Err(FunctionReadError::Failed(failure(code))));
            }
            let mut aliases = 0;
            while let Some(function) = progress.next_to_list() {
                aliases += 1;
                progress.aliased(&function, Err(failure(code)));
            }
            assert_eq!((asked, aliases), (calls, calls), "{code}");
            let surveyed = progress.finish();
            assert!(
                surveyed.functions.values().all(|seen| matches!(seen.found(&Latest), Some(VersionOutcome::Failed(_))))
            );
            assert_eq!(surveyed.errors[0].message, format!("it is {code} (and 199 more like this)"));
        }
    }

    #[test]
    fn functions_are_removed_from_the_cache_only_after_a_complete_list() {
        let old = || memory(&[("a", LATEST), ("b", LATEST), ("c", LATEST)]);
        let kept = |failure: Option<AwsError>| {
            let mut progress = progress(old());
            progress.listed(page(&[("a", LATEST), ("c", LATEST)]), failure, |name| name != "c");
            progress.finish().cache.map(|memory| ["a", "b", "c"].map(|name| memory.knows(name)))
        };
        assert_eq!(kept(None), Some([true, false, true]), "b is gone, c is not meant this time");
        assert_eq!(kept(Some(failure(ErrorCode::Throttled))), None, "nothing changed");
    }

    #[test]
    fn versions_stay_cached_if_their_aliases_could_not_be_listed() {
        let mut progress = progress(memory(&[("a", LATEST), ("a", "1")]));
        progress.listed(page(&[("a", LATEST), ("a", "1")]), None, |_| true);
        progress.next_to_list();
        progress.aliased(&"a".into(), Err(failure(ErrorCode::Throttled)));
        assert!(progress.finish().cache.is_none(), "all of it stays");
    }

    fn managed(function: &str) -> ListedVersion {
        ListedVersion { is_managed: true, ..version(function, LATEST) }
    }

    #[test]
    fn on_managed_instances_the_latest_published_version_is_read_and_the_draft_is_not() {
        let mut progress = progress(FunctionCache::default());
        progress.listed(VersionPage { versions: vec![managed("a")], ..page(&[("b", LATEST)]) }, None, |_| true);
        assert_eq!(asks(&mut progress), ["a:$LATEST.PUBLISHED"]);
        assert_eq!(progress.next_to_list().as_deref(), Some("a"), "an alias may point to the latest published version");
        progress.aliased(&"a".into(), Ok(vec![alias("$LATEST.PUBLISHED", &["3"])]));
        assert_eq!(asks(&mut progress), ["a:3"]);
        let seen = &progress.finish().functions["a"];
        assert_eq!(seen.unqualified(), [&LatestPublished]);
        assert!(seen.found(&Latest).is_none());
    }

    #[test]
    fn the_draft_is_read_if_tags_are_needed_but_is_not_a_deployment() {
        let mut progress = progress(FunctionCache::default());
        progress.cache_policy.needs_tags = true;
        progress.listed(VersionPage { versions: vec![managed("a")], ..VersionPage::default() }, None, |_| true);
        assert_eq!(asks(&mut progress), ["a:$LATEST", "a:$LATEST.PUBLISHED"]);
        assert_eq!(progress.finish().functions["a"].unqualified(), [&LatestPublished]);
    }

    #[test]
    fn a_function_is_managed_if_the_list_or_a_response_shows_it_for_one_version() {
        let by_list = [("a", LATEST), ("a", "$LATEST.PUBLISHED")];
        let mut progress = self::progress(FunctionCache::default());
        progress.listed(page(&by_list), None, |_| true);
        assert_eq!(asks(&mut progress), ["a:$LATEST", "a:$LATEST.PUBLISHED"]);
        assert_eq!(progress.finish().functions["a"].unqualified(), [&LatestPublished]);

        let mut progress = self::progress(FunctionCache::default());
        progress.listed(page(&[("a", LATEST)]), None, |_| true);
        let ask = progress.next_to_get().unwrap();
        progress.got(&ask, Ok(FunctionDetails { is_managed: true, ..FunctionDetails::resolved("r@d") }));
        assert_eq!(asks(&mut progress), ["a:$LATEST.PUBLISHED"]);
        let memory = progress.finish().cache.unwrap();

        let mut progress = self::progress(memory);
        progress.listed(page(&[("a", LATEST)]), None, |_| true);
        assert_eq!(asks(&mut progress), ["a:$LATEST.PUBLISHED"], "the response for the draft is cached");
        assert_eq!(progress.finish().functions["a"].unqualified(), [&LatestPublished]);
    }

    #[test]
    fn a_latest_published_version_in_the_list_is_cached() {
        let mut progress = progress(memory(&[("a", "$LATEST.PUBLISHED")]));
        progress.listed(page(&[("a", "$LATEST.PUBLISHED"), ("a", LATEST)]), None, |_| true);
        assert_eq!(asks(&mut progress), [""; 0]);
    }

    #[test]
    fn a_version_of_an_unknown_form_is_a_deployment() {
        let mut progress = progress(FunctionCache::default());
        progress.listed(page(&[("a", LATEST), ("a", "$LATEST.NEXT"), ("a", "7")]), None, |_| true);
        assert_eq!(asks(&mut progress), ["a:$LATEST", "a:$LATEST.NEXT"]);
        progress.next_to_list();
        progress.aliased(&"a".into(), Ok(vec![alias("BLUE", &["7"])]));
        assert_eq!(asks(&mut progress), ["a:7", "a:BLUE"], "whatever it is, an alias points to it");
        let seen = &progress.finish().functions["a"];
        assert_eq!(seen.unqualified(), [&Latest, &FunctionVersion::Other("$LATEST.NEXT".into())]);
        assert!(seen.found(&Number(7)).is_some());
    }
}
