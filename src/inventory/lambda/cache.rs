//! The cache of `GetFunction` responses of one region between runs.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{function::FunctionDetails, listing::VersionFingerprint, version::FunctionVersion};
use crate::{image::AccountId, inventory::account_region::AccountRegion};

/// Cached responses, by function and version.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FunctionCache {
    functions: BTreeMap<Arc<str>, BTreeMap<FunctionVersion, CachedFunction>>,
}

/// The cached response for one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CachedFunction {
    /// The change fields of the version in the list.
    pub(super) fingerprint: VersionFingerprint,
    /// When it was read.
    pub(super) read_at: DateTime<Utc>,
    /// The response.
    pub(super) function: Arc<FunctionDetails>,
}

/// The rules for using cached responses.
#[derive(Clone, Copy, Debug)]
pub(super) struct CachePolicy {
    /// The time of the system clock when the run started.
    pub(super) seen_at: DateTime<Utc>,
    /// The longest age of a response.
    pub(super) refresh: TimeDelta,
    /// Whether function tags are needed.
    pub(super) needs_tags: bool,
}

impl FunctionCache {
    /// The key of the cache of `account_region` in the catalog.
    pub(super) fn name(account_region: &AccountRegion) -> String {
        format!(
            "lambda/{}/{}",
            account_region.session.account().map_or("own", AccountId::as_str),
            account_region.region
        )
    }

    /// The cached response for a version.
    pub(super) fn get(&self, function: &str, version: &FunctionVersion) -> Option<&CachedFunction> {
        self.functions.get(function)?.get(version)
    }

    /// Adds a response.
    pub(super) fn insert(&mut self, function: &Arc<str>, version: &FunctionVersion, cached: CachedFunction) {
        self.functions.entry(Arc::clone(function)).or_default().insert(version.clone(), cached);
    }

    /// Whether a version of the function is cached.
    pub(super) fn knows(&self, function: &str) -> bool {
        self.functions.contains_key(function)
    }

    /// Copies entries of `old` for functions that may still exist and have no newer entry.
    pub(super) fn keep(&mut self, old: &Self, may_be_there: impl Fn(&str) -> bool) {
        for (function, versions) in &old.functions {
            if may_be_there(function) {
                let known = self.functions.entry(Arc::clone(function)).or_default();
                for (version, cached) in versions {
                    known.entry(version.clone()).or_insert_with(|| cached.clone());
                }
            }
        }
    }
}

impl CachedFunction {
    /// Whether the response can be used for a version with the change fields `fingerprint`.
    pub(super) fn holds(&self, fingerprint: &VersionFingerprint, cache_policy: CachePolicy) -> bool {
        let age = cache_policy.seen_at - self.read_at;
        let is_fresh = age >= TimeDelta::zero() && age < cache_policy.refresh;
        // A failure can end without a new revision, by a grant or a restored image, and an alert has to be resolved
        // then.
        let is_settled = !self.function.is_changing && self.function.workload.is_invocable();
        let is_told = self.function.is_resolved() && is_settled && !self.function.workload.is_update_failed();
        let is_enough = self.function.tags.is_some() || !cache_policy.needs_tags;
        let is_unchanged = self.fingerprint == *fingerprint && !fingerprint.revision.is_empty();
        is_unchanged && is_fresh && is_told && is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{ResourceTags, Workload};

    fn fingerprint(revision: &str) -> VersionFingerprint {
        VersionFingerprint { code: "c".into(), revision: revision.into() }
    }

    fn cached(function: FunctionDetails, read_at: i64) -> CachedFunction {
        let read_at = DateTime::from_timestamp(read_at, 0).unwrap();
        CachedFunction { fingerprint: fingerprint("r"), read_at, function: Arc::new(function) }
    }

    fn cache_policy(seen_at: i64, needs_tags: bool) -> CachePolicy {
        let seen_at = DateTime::from_timestamp(seen_at, 0).unwrap();
        CachePolicy { seen_at, refresh: TimeDelta::seconds(10), needs_tags }
    }

    #[test]
    fn a_response_is_used_until_a_change_or_its_maximum_age() {
        let function = FunctionDetails::resolved("x@y");
        let known = cached(function.clone(), 100);
        assert!(known.holds(&fingerprint("r"), cache_policy(109, false)));
        assert!(!known.holds(&fingerprint("r"), cache_policy(110, false)), "it is too old");
        assert!(!known.holds(&fingerprint("r"), cache_policy(99, false)), "the clock went back");
        assert!(!known.holds(&fingerprint("s"), cache_policy(101, false)), "it was updated");
        assert!(!known.holds(&fingerprint("r"), cache_policy(101, true)), "its tags are not known");
        let with_tags = FunctionDetails { tags: Some(ResourceTags::new()), ..function.clone() };
        assert!(cached(with_tags, 100).holds(&fingerprint("r"), cache_policy(101, true)));
        let changing = FunctionDetails { is_changing: true, ..function.clone() };
        assert!(!cached(changing, 100).holds(&fingerprint("r"), cache_policy(101, false)));
        let text = |text: &str| Some(text.to_owned());
        let failed = Workload { state: text("Failed"), ..Workload::default() };
        let denied = text("ImageAccessDenied");
        let denied = Workload { state: text("Inactive"), state_reason_code: denied, ..Workload::default() };
        let idle = Workload { state: text("Inactive"), state_reason_code: text("Idle"), ..Workload::default() };
        let not_updated = Workload { last_update_status: text("Failed"), ..Workload::default() };
        for (workload, expected) in [(failed, false), (denied, false), (idle, true), (not_updated, false)] {
            let function = FunctionDetails { workload: Arc::new(workload.clone()), ..function.clone() };
            let holds = cached(function, 100).holds(&fingerprint("r"), cache_policy(101, false));
            assert_eq!(holds, expected, "{workload:?}");
        }
        assert!(
            !cached(FunctionDetails::default(), 100).holds(&fingerprint("r"), cache_policy(101, false)),
            "it names no image"
        );
        let without_fingerprint = CachedFunction { fingerprint: fingerprint(""), ..known };
        assert!(!without_fingerprint.holds(&fingerprint(""), cache_policy(101, false)), "the list shows no changes");
    }

    #[test]
    fn newer_entries_take_precedence_over_kept_ones() {
        let of = |name: &str, read_at: i64| {
            let mut cache = FunctionCache::default();
            cache.insert(&name.into(), &FunctionVersion::Number(1), cached(FunctionDetails::default(), read_at));
            cache
        };
        let mut cache = of("a", 2);
        cache.keep(&of("a", 1), |_| true);
        cache.keep(&of("b", 1), |_| true);
        cache.keep(&of("c", 1), |_| false);
        let get = |name: &str| cache.get(name, &FunctionVersion::Number(1));
        assert_eq!(get("a").unwrap().read_at.timestamp(), 2);
        assert!(get("b").is_some() && get("c").is_none());
    }
}
