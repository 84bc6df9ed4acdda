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
const MAX_CONSECUTIVE_FAILURES: usize = 10;

/// The number of versions from which reading them takes seconds, so that images are read meanwhile.
const READ_AHEAD_FROM: usize = 200;

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
    /// The number of versions to read so far, including those that were read.
    requested: usize,
    is_read_ahead: bool,
    /// Whether the list has ended, completely or not.
    is_listed: bool,
    is_complete: bool,
    listing: FailureStreak,
    getting: FailureStreak,
    failures: BTreeMap<ErrorCode, (AwsError, usize)>,
}

/// A version to request `GetFunction` for.
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
    consecutive: usize,
    fatal: Option<AwsError>,
}

impl FailureStreak {
    fn succeeded(&mut self) {
        self.consecutive = 0;
    }

    /// A refusal is quick, and the next function may succeed.
    fn failed(&mut self, failure: &AwsError) {
        if !matches!(failure.code, ErrorCode::AccessDenied | ErrorCode::NotFound) {
            self.consecutive += 1;
        }
        if self.consecutive >= MAX_CONSECUTIVE_FAILURES {
            self.fatal.get_or_insert_with(|| failure.clone());
        }
    }
}

impl LambdaSurvey {
    /// A survey that has not begun, with the cache `old`. Its errors have `scope` and `extent`.
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
            requested: 0,
            is_read_ahead: false,
            is_listed: false,
            is_complete: true,
            listing: FailureStreak::default(),
            getting: FailureStreak::default(),
            failures: BTreeMap::new(),
        }
    }

    /// Adds a page of the list, filtered by name with `admits`. Returns the marker of the next page.
    pub(super) fn add_page(
        &mut self,
        page: VersionPage,
        failure: Option<AwsError>,
        admits: impl Fn(&str) -> bool,
    ) -> Option<ListMarker> {
        for version in page.versions {
            if admits(&version.function) {
                self.add_listed(version);
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
                self.request_reached(&function);
            }
        }
        page.next
    }

    fn add_listed(&mut self, ListedVersion { function, arn, number: version, is_managed, fingerprint }: ListedVersion) {
        let selected = self.functions.entry(Arc::clone(&function)).or_insert_with(|| SelectedFunction::new(arn));
        if selected.fingerprint(&version).is_some() {
            return;
        }
        // Only functions on Managed Instances have such a version.
        selected.is_managed |= is_managed || version == FunctionVersion::LatestPublished;
        // A draft is read only for the tags of the function, which the response without a qualifier has.
        let is_required = version == FunctionVersion::Latest && selected.is_managed && self.cache_policy.needs_tags;
        selected.listed.push((version.clone(), fingerprint));
        if is_required {
            self.request(&function, &version);
        }
        self.request_reached(&function);
    }

    /// The next function whose aliases are to be listed.
    pub(super) fn next_to_list(&mut self) -> Option<Arc<str>> {
        if let Some(failure) = self.listing.fatal.clone() {
            let abandoned = std::mem::take(&mut self.to_list);
            self.note(failure, abandoned.len());
            for function in abandoned {
                self.without_aliases(&function);
            }
        }
        self.to_list.pop_front()
    }

    /// Adds the aliases of `function`.
    pub(super) fn add_aliases(&mut self, function: &Arc<str>, aliases: Result<Vec<FunctionAlias>, AwsError>) {
        match aliases {
            Ok(aliases) => {
                self.listing.succeeded();
                if let Some(selected) = self.functions.get_mut(function) {
                    selected.aliases = aliases;
                }
                self.request_reached(function);
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
        if let Some(selected) = self.functions.get_mut(function) {
            selected.is_alias_missing = true;
        }
    }

    /// The numbers of selected functions, of versions to read, and of versions that have not been requested yet.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.functions.len(), self.requested, self.to_get.len())
    }

    /// The next version to read.
    pub(super) fn next_to_get(&mut self) -> Option<VersionRequest> {
        if let Some(failure) = self.getting.fatal.clone() {
            let abandoned = std::mem::take(&mut self.to_get);
            self.note(failure.clone(), abandoned.len());
            for request in abandoned {
                self.fall_back(&request, failure.clone());
            }
        }
        self.to_get.pop_front()
    }

    /// The images known after half of the versions, returned once so that they are read meanwhile. `None` for few
    /// versions.
    pub(super) fn known_halfway(&mut self) -> Option<BTreeSet<(Digest, Repository)>> {
        let is_half = self.is_listed && self.requested >= READ_AHEAD_FROM && self.to_get.len() <= self.requested / 2;
        if !is_half || std::mem::replace(&mut self.is_read_ahead, true) {
            return None;
        }
        let outcomes = self.functions.values().flat_map(|selected| &selected.found).map(|(_, outcome)| outcome);
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
    pub(super) fn add_version(
        &mut self,
        request: &VersionRequest,
        response: Result<FunctionDetails, FunctionReadError>,
    ) {
        match response {
            Ok(function) => {
                self.getting.succeeded();
                let denied = function.tags_error.clone().filter(|_| self.cache_policy.needs_tags);
                if let Some(why) = denied {
                    let code = if why.contains("AccessDenied") { ErrorCode::AccessDenied } else { ErrorCode::Failed };
                    let message = format!("lambda:ListTags of {} for lambda:GetFunction: {why}", request.function);
                    self.note(AwsError { code, message }, 1);
                }
                let function = Arc::new(function);
                let fingerprint = self
                    .functions
                    .get(&request.function)
                    .and_then(|selected| selected.fingerprint(&request.version))
                    .cloned();
                let read_at = self.cache_policy.seen_at;
                let cached = fingerprint.map(|fingerprint| CachedFunction {
                    fingerprint,
                    read_at,
                    function: Arc::clone(&function),
                });
                self.known(&request.function, &function);
                self.settle(request, VersionOutcome::Known(function, cached));
            }
            Err(FunctionReadError::Gone) => {
                self.getting.succeeded();
                self.settle(request, VersionOutcome::Gone);
            }
            Err(FunctionReadError::Failed(failure)) => {
                self.getting.failed(&failure);
                self.note(failure.clone(), 1);
                self.fall_back(request, failure);
            }
        }
    }

    /// While the hash of its code is the same, the cached image still runs.
    fn fall_back(&mut self, request: &VersionRequest, failure: AwsError) {
        let fingerprint =
            self.functions.get(&request.function).and_then(|selected| selected.fingerprint(&request.version));
        let cached = self.old.get(&request.function, &request.version).filter(|old| {
            fingerprint
                .is_some_and(|fingerprint| fingerprint.code == old.fingerprint.code && !fingerprint.code.is_empty())
                && old.function.is_resolved()
        });
        let outcome = match cached {
            Some(old) => VersionOutcome::Known(Arc::clone(&old.function), Some(old.clone())),
            None => VersionOutcome::Failed(failure),
        };
        self.settle(request, outcome);
    }

    fn settle(&mut self, request: &VersionRequest, outcome: VersionOutcome) {
        let found = self.functions.get_mut(&request.function).map(|selected| &mut selected.found);
        if let Some((_, waiting)) = found.into_iter().flatten().find(|(number, _)| *number == request.version) {
            *waiting = outcome;
        }
    }

    /// Uses the cached response for a version, which may show more about the function than the list.
    fn known(&mut self, name: &Arc<str>, version: &FunctionDetails) {
        if let Some(selected) = self.functions.get_mut(name)
            && version.is_managed
            && !selected.is_managed
        {
            selected.is_managed = true;
            self.request_reached(name);
        }
    }

    /// Queues the versions of `function` that calls reach, and its aliases if it may have any. Versions that the list
    /// may still show are queued later, because a cached response may suffice.
    fn request_reached(&mut self, function: &Arc<str>) {
        let Some(selected) = self.functions.get_mut(function) else { return };
        if (selected.is_managed || selected.is_published()) && !selected.is_alias_requested {
            selected.is_alias_requested = true;
            self.to_list.push_back(Arc::clone(function));
        }
        let shown: Vec<_> = selected
            .reached()
            .into_iter()
            .filter(|version| self.is_listed || selected.fingerprint(version).is_some())
            .collect();
        for version in shown {
            self.request(function, &version);
        }
    }

    fn request(&mut self, function: &Arc<str>, version: &FunctionVersion) {
        let Some(selected) = self.functions.get_mut(function) else { return };
        if selected.found(version).is_some() {
            return;
        }
        let known = selected.fingerprint(version).and_then(|fingerprint| {
            let cached = self.old.get(function, version);
            cached.filter(|cached| cached.holds(fingerprint, self.cache_policy))
        });
        let outcome = known.map(|known| VersionOutcome::Known(Arc::clone(&known.function), Some(known.clone())));
        if outcome.is_none() {
            self.requested += 1;
            self.to_get.push_back(VersionRequest { function: Arc::clone(function), version: version.clone() });
        }
        let cached = match &outcome {
            Some(VersionOutcome::Known(known, _)) => Some(Arc::clone(known)),
            _ => None,
        };
        selected.found.push((version.clone(), outcome.unwrap_or(VersionOutcome::Requested)));
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
        let mut cache = FunctionCache::default();
        for (name, selected) in &functions {
            for (version, outcome) in &selected.found {
                if let VersionOutcome::Known(_, Some(cached)) = outcome {
                    cache.insert(name, version, cached.clone());
                }
            }
        }
        cache.keep(&old, |name| {
            let lacks_aliases = functions.get(name).is_some_and(|selected| selected.is_alias_missing);
            !is_complete || lacks_aliases || left_out.contains(name)
        });
        let cache = (cache != old).then_some(cache);
        let errors = failures.into_values().map(|(failure, times)| {
            let more = if times > 1 { format!(" (and {} more like this)", times - 1) } else { String::new() };
            CollectionError::new(
                scope.clone(),
                extent.clone(),
                AwsError { code: failure.code, message: failure.message + &more },
            )
        });
        LambdaSurveyResult { errors: errors.collect(), functions, cache }
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
        let cache_policy = CachePolicy { seen_at, refresh: TimeDelta::seconds(100), needs_tags: false };
        LambdaSurvey::new(("lambda eu-west-1".into(), AffectedScope::default()), old, cache_policy)
    }

    fn fingerprint(revision: &str) -> VersionFingerprint {
        VersionFingerprint { code: "code".into(), revision: revision.into() }
    }

    fn version(function: &str, number: &str) -> ListedVersion {
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{function}");
        ListedVersion {
            function: function.into(),
            arn: arn.parse().unwrap(),
            number: number.into(),
            is_managed: false,
            fingerprint: fingerprint("r"),
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
        CachedFunction {
            fingerprint: fingerprint(revision),
            read_at,
            function: Arc::new(FunctionDetails::resolved("r@d")),
        }
    }

    fn cache(entries: &[(&str, &str)]) -> FunctionCache {
        let mut cache = FunctionCache::default();
        for (function, number) in entries {
            cache.insert(&(*function).into(), &FunctionVersion::from(*number), cached("r", 990));
        }
        cache
    }

    fn requests(progress: &mut LambdaSurvey) -> Vec<String> {
        std::iter::from_fn(|| progress.next_to_get())
            .map(|request| format!("{}:{}", request.function, request.version))
            .collect()
    }

    fn failure(code: ErrorCode) -> AwsError {
        AwsError { code, message: format!("it is {code}") }
    }

    #[test]
    fn functions_are_read_while_the_list_continues() {
        let mut progress = progress(FunctionCache::default());
        assert!(progress.add_page(more(&[("a", LATEST), ("b", LATEST)]), None, |name| name != "b").is_some());
        assert_eq!(requests(&mut progress), ["a:$LATEST"]);
        assert_eq!(progress.next_to_list(), None, "it has no published version");
    }

    #[test]
    fn a_version_of_an_alias_is_read_after_the_end_of_the_list() {
        let mut progress = progress(cache(&[("a", "2")]));
        progress.add_page(more(&[("a", LATEST), ("a", "1")]), None, |_| true);
        assert_eq!(progress.next_to_list().as_deref(), Some("a"));
        progress.add_aliases(&"a".into(), Ok(vec![alias("1", &["2", "9"])]));
        assert_eq!(requests(&mut progress), ["a:$LATEST", "a:1"]);
        progress.add_page(more(&[("a", "2")]), None, |_| true);
        assert_eq!(requests(&mut progress), [""; 0], "version 2 is cached");
        assert_eq!(progress.next_to_list(), None, "its aliases are known");
        progress.add_page(page(&[]), None, |_| true);
        assert_eq!(requests(&mut progress), ["a:9"], "published after the list was read");
    }

    #[test]
    fn images_known_halfway_are_read_ahead_once_if_there_are_many() {
        for (number, expected) in [(READ_AHEAD_FROM, Some(READ_AHEAD_FROM / 2)), (READ_AHEAD_FROM - 1, None)] {
            let names: Vec<_> = (0..number).map(|number| format!("f{number:03}")).collect();
            let listed: Vec<_> = names.iter().map(|name| (name.as_str(), LATEST)).collect();
            let mut progress = progress(FunctionCache::default());
            progress.add_page(page(&listed), None, |_| true);
            let mut ahead = Vec::new();
            while let Some(request) = progress.next_to_get() {
                let digest = Digest::sha256(request.function.as_bytes());
                progress.add_version(&request, Ok(FunctionDetails::resolved(&format!("quay.io/x@{digest}"))));
                ahead.extend(progress.known_halfway().map(|images| images.len()));
            }
            assert_eq!(ahead, Vec::from_iter(expected), "{number}");
        }
    }

    #[test]
    fn a_failed_version_is_served_from_the_cache_while_its_code_hash_is_the_same() {
        let mut old = cache(&[("a", LATEST)]);
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
        progress.add_page(page(&[("a", LATEST), ("b", LATEST)]), None, |_| true);
        while let Some(request) = progress.next_to_get() {
            progress.add_version(&request, Err(FunctionReadError::Failed(failure(ErrorCode::Failed))));
        }
        let surveyed = progress.finish();
        assert!(matches!(surveyed.functions["a"].found(&Latest), Some(VersionOutcome::Known(..))));
        assert!(matches!(surveyed.functions["b"].found(&Latest), Some(VersionOutcome::Failed(_))));
        let [error] = surveyed.errors.as_slice() else { panic!("{:?}", surveyed.errors) };
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::Failed, "it is failed (and 1 more like this)"));
        assert_eq!(surveyed.cache.unwrap().get("a", &Latest).unwrap().read_at.timestamp(), 1, "to be read again");
    }

    #[test]
    fn a_region_where_every_call_fails_is_given_up() {
        let names: Vec<_> = (0..100).map(|n| format!("f{n:03}")).collect();
        let listed: Vec<_> = names.iter().flat_map(|name| [(name.as_str(), LATEST), (name.as_str(), "1")]).collect();
        for (code, calls) in [(ErrorCode::Throttled, MAX_CONSECUTIVE_FAILURES), (ErrorCode::AccessDenied, 100)] {
            let mut progress = progress(FunctionCache::default());
            progress.add_page(page(&listed), None, |_| true);
            let mut requested = 0;
            while let Some(request) = progress.next_to_get() {
                requested += 1;
                progress.add_version(&request, Err(FunctionReadError::Failed(failure(code))));
            }
            let mut aliases = 0;
            while let Some(function) = progress.next_to_list() {
                aliases += 1;
                progress.add_aliases(&function, Err(failure(code)));
            }
            assert_eq!((requested, aliases), (calls, calls), "{code}");
            let surveyed = progress.finish();
            assert!(
                surveyed
                    .functions
                    .values()
                    .all(|selected| matches!(selected.found(&Latest), Some(VersionOutcome::Failed(_))))
            );
            assert_eq!(surveyed.errors[0].message, format!("it is {code} (and 199 more like this)"));
        }
    }

    #[test]
    fn functions_are_removed_from_the_cache_only_after_a_complete_list() {
        let old = || cache(&[("a", LATEST), ("b", LATEST), ("c", LATEST)]);
        let kept = |failure: Option<AwsError>| {
            let mut progress = progress(old());
            progress.add_page(page(&[("a", LATEST), ("c", LATEST)]), failure, |name| name != "c");
            progress.finish().cache.map(|cache| ["a", "b", "c"].map(|name| cache.knows(name)))
        };
        assert_eq!(kept(None), Some([true, false, true]), "b is gone, c is not selected this time");
        assert_eq!(kept(Some(failure(ErrorCode::Throttled))), None, "nothing changed");
    }

    #[test]
    fn versions_stay_cached_if_their_aliases_could_not_be_listed() {
        let mut progress = progress(cache(&[("a", LATEST), ("a", "1")]));
        progress.add_page(page(&[("a", LATEST), ("a", "1")]), None, |_| true);
        progress.next_to_list();
        progress.add_aliases(&"a".into(), Err(failure(ErrorCode::Throttled)));
        assert!(progress.finish().cache.is_none(), "all of it stays");
    }

    fn managed(function: &str) -> ListedVersion {
        ListedVersion { is_managed: true, ..version(function, LATEST) }
    }

    #[test]
    fn on_managed_instances_the_latest_published_version_is_read_and_the_draft_is_not() {
        let mut progress = progress(FunctionCache::default());
        progress.add_page(VersionPage { versions: vec![managed("a")], ..page(&[("b", LATEST)]) }, None, |_| true);
        assert_eq!(requests(&mut progress), ["a:$LATEST.PUBLISHED"]);
        assert_eq!(progress.next_to_list().as_deref(), Some("a"), "an alias may point to the latest published version");
        progress.add_aliases(&"a".into(), Ok(vec![alias("$LATEST.PUBLISHED", &["3"])]));
        assert_eq!(requests(&mut progress), ["a:3"]);
        let selected = &progress.finish().functions["a"];
        assert_eq!(selected.unqualified(), [&LatestPublished]);
        assert!(selected.found(&Latest).is_none());
    }

    #[test]
    fn the_draft_is_read_if_tags_are_needed_but_is_not_a_deployment() {
        let mut progress = progress(FunctionCache::default());
        progress.cache_policy.needs_tags = true;
        progress.add_page(VersionPage { versions: vec![managed("a")], ..VersionPage::default() }, None, |_| true);
        assert_eq!(requests(&mut progress), ["a:$LATEST", "a:$LATEST.PUBLISHED"]);
        assert_eq!(progress.finish().functions["a"].unqualified(), [&LatestPublished]);
    }

    #[test]
    fn a_function_is_managed_if_the_list_or_a_response_shows_it_for_one_version() {
        let by_list = [("a", LATEST), ("a", "$LATEST.PUBLISHED")];
        let mut progress = self::progress(FunctionCache::default());
        progress.add_page(page(&by_list), None, |_| true);
        assert_eq!(requests(&mut progress), ["a:$LATEST", "a:$LATEST.PUBLISHED"]);
        assert_eq!(progress.finish().functions["a"].unqualified(), [&LatestPublished]);

        let mut progress = self::progress(FunctionCache::default());
        progress.add_page(page(&[("a", LATEST)]), None, |_| true);
        let request = progress.next_to_get().unwrap();
        progress.add_version(&request, Ok(FunctionDetails { is_managed: true, ..FunctionDetails::resolved("r@d") }));
        assert_eq!(requests(&mut progress), ["a:$LATEST.PUBLISHED"]);
        let cache = progress.finish().cache.unwrap();

        let mut progress = self::progress(cache);
        progress.add_page(page(&[("a", LATEST)]), None, |_| true);
        assert_eq!(requests(&mut progress), ["a:$LATEST.PUBLISHED"], "the response for the draft is cached");
        assert_eq!(progress.finish().functions["a"].unqualified(), [&LatestPublished]);
    }

    #[test]
    fn a_latest_published_version_in_the_list_is_cached() {
        let mut progress = progress(cache(&[("a", "$LATEST.PUBLISHED")]));
        progress.add_page(page(&[("a", "$LATEST.PUBLISHED"), ("a", LATEST)]), None, |_| true);
        assert_eq!(requests(&mut progress), [""; 0]);
    }

    #[test]
    fn a_version_of_an_unknown_form_is_a_deployment() {
        let mut progress = progress(FunctionCache::default());
        progress.add_page(page(&[("a", LATEST), ("a", "$LATEST.NEXT"), ("a", "7")]), None, |_| true);
        assert_eq!(requests(&mut progress), ["a:$LATEST", "a:$LATEST.NEXT"]);
        progress.next_to_list();
        progress.add_aliases(&"a".into(), Ok(vec![alias("BLUE", &["7"])]));
        assert_eq!(requests(&mut progress), ["a:7", "a:BLUE"], "whatever it is, an alias points to it");
        let selected = &progress.finish().functions["a"];
        assert_eq!(selected.unqualified(), [&Latest, &FunctionVersion::Other("$LATEST.NEXT".into())]);
        assert!(selected.found(&Number(7)).is_some());
    }
}
