//! The cache of one region between runs: service revisions and task definitions, which never change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::arn;
use crate::{
    image::{AccountId, LambdaArch},
    inventory::account_region::AccountRegion,
};

/// How long ECS may take to resolve the digests of a new revision: for some registries it does so with the first task.
const SETTLES_IN: TimeDelta = TimeDelta::days(1);

/// Cached revisions and definitions, by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EcsCache {
    pub(super) revisions: BTreeMap<String, Arc<CachedRevision>>,
    pub(super) definitions: BTreeMap<String, Arc<CachedDefinition>>,
}

/// A service revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CachedRevision {
    /// The ARN of its task definition.
    pub(super) definition: String,
    /// When it was created.
    pub(super) created_at: Option<DateTime<Utc>>,
    /// Whether it runs on Fargate.
    pub(super) is_fargate: bool,
    /// Its containers.
    pub(super) containers: Vec<ContainerImage>,
}

/// A task definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CachedDefinition {
    /// The architecture that it requires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) architecture: Option<LambdaArch>,
    /// Its containers; no digests.
    pub(super) containers: Vec<ContainerImage>,
}

/// A container of a service revision, a task definition or a task, as ECS reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerImage {
    /// Its name in the task definition.
    pub(super) name: String,
    /// The image name in its definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    /// The digest that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
}

/// The entries of a region that are still in use.
#[derive(Debug)]
pub(super) struct RetainedArns<'a> {
    /// The revisions of services.
    pub(super) revisions: BTreeSet<&'a str>,
    /// The task definitions that were used.
    pub(super) definitions: BTreeSet<&'a str>,
    /// The clusters that were not read completely; `None` if the list of clusters itself is incomplete.
    pub(super) unread: Option<BTreeSet<&'a str>>,
}

impl CachedRevision {
    /// Whether at `now` its digests are final.
    pub(super) fn is_settled(&self, now: DateTime<Utc>) -> bool {
        let is_old = self.created_at.is_some_and(|created_at| now - created_at > SETTLES_IN);
        is_old || (!self.containers.is_empty() && self.containers.iter().all(|container| container.digest.is_some()))
    }
}

impl EcsCache {
    /// The key of the cache of `account_region` in the catalog.
    pub(super) fn name(account_region: &AccountRegion) -> String {
        format!("ecs/{}/{}", account_region.session.account().map_or("own", AccountId::as_str), account_region.region)
    }

    /// The entries to keep at `now`. For clusters that were not read, earlier entries are kept.
    pub(super) fn retain(mut self, current: &RetainedArns<'_>, now: DateTime<Utc>) -> Self {
        let is_unread = |arn: &str| match &current.unread {
            Some(unread) => arn::cluster_of_revision(arn).is_some_and(|cluster| unread.contains(cluster)),
            None => true,
        };
        self.revisions.retain(|arn, revision| {
            (current.revisions.contains(arn.as_str()) || is_unread(arn)) && revision.is_settled(now)
        });
        let named: BTreeSet<_> = self.revisions.values().map(|revision| revision.definition.clone()).collect();
        let counts = |arn: &String| current.definitions.contains(arn.as_str()) || named.contains(arn);
        self.definitions.retain(|arn, _| current.unread.is_none() || counts(arn));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(cluster: &str, id: &str) -> String {
        format!("arn:aws:ecs:eu-west-1:123456789012:service-revision/{cluster}/orders/{id}")
    }

    fn revision(definition: &str, digest: Option<&str>) -> Arc<CachedRevision> {
        let container =
            ContainerImage { name: "app".into(), digest: digest.map(str::to_owned), ..ContainerImage::default() };
        Arc::new(CachedRevision {
            definition: definition.into(),
            containers: vec![container],
            ..CachedRevision::default()
        })
    }

    #[test]
    fn unused_entries_are_removed_unless_their_cluster_was_not_read() {
        let revisions = [("prod", "1"), ("prod", "2"), ("test", "1"), ("gone", "1")];
        let cached = |(cluster, id): &(&str, &str)| (arn(cluster, id), revision(&format!("{cluster}:{id}"), Some("x")));
        let definitions = ["prod:1", "prod:2", "test:1", "gone:1", "task:1", "task:2"];
        let cache = EcsCache {
            revisions: revisions.iter().map(cached).collect(),
            definitions: definitions.iter().map(|name| ((*name).to_owned(), Arc::default())).collect(),
        };
        let named = arn("prod", "2");
        let current = RetainedArns {
            revisions: [named.as_str()].into(),
            definitions: ["prod:2", "task:2"].into(),
            unread: Some(["test"].into()),
        };
        let unlisted = RetainedArns { unread: None, revisions: BTreeSet::new(), definitions: BTreeSet::new() };
        assert_eq!(cache.clone().retain(&unlisted, DateTime::UNIX_EPOCH), cache);
        let retained = cache.retain(&current, DateTime::UNIX_EPOCH);
        assert_eq!(retained.revisions.into_keys().collect::<Vec<_>>(), [arn("prod", "2"), arn("test", "1")]);
        assert_eq!(retained.definitions.into_keys().collect::<Vec<_>>(), ["prod:2", "task:2", "test:1"]);
    }

    #[test]
    fn a_revision_without_final_digests_is_read_again() {
        let at = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let open = CachedRevision { created_at: Some(at(0)), ..CachedRevision::clone(&revision("x", None)) };
        assert!(!open.is_settled(at(23)) && open.is_settled(at(25)));
        assert!(revision("x", Some("y")).is_settled(at(0)));
        assert!(!CachedRevision::default().is_settled(at(99)), "nothing is known of it");
    }

    #[test]
    fn the_cache_survives_a_round_trip() {
        let definition = CachedDefinition { architecture: Some(LambdaArch::Arm64), containers: Vec::new() };
        let cache = EcsCache {
            revisions: [(arn("prod", "1"), revision("x", Some("y")))].into(),
            definitions: [("x".to_owned(), Arc::new(definition))].into(),
        };
        let text = serde_json::to_string(&cache).unwrap();
        assert_eq!(serde_json::from_str::<EcsCache>(&text).unwrap(), cache);
    }
}
