//! The survey of one region of one account: clusters first, then the revisions and definitions that are not cached.

use std::collections::BTreeSet;

use tokio::sync::Semaphore;

use super::{
    admits,
    arn::{DefinitionKind, DefinitionName},
    cache::{EcsCache, RetainedArns},
    calls::EcsClient,
    clusters::{self, RegionClusters},
    services,
    task_groups::{self, TaskGroup},
    tasks, workloads,
};
use crate::inventory::{
    AwsScope, EcsSettings, account_region::AccountRegion, read::ObservedWorkload, selector::is_match,
};

/// The observed workloads of a service or of a task family.
pub(super) struct ObservedTaskGroup {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) workloads: Vec<ObservedWorkload>,
}

/// The workloads at `account_region` that at least one of `settings` selects by name. Errors are recorded in `aws_scope`.
pub(super) async fn survey(
    aws_scope: &AwsScope,
    permits: &Semaphore,
    account_region: &AccountRegion,
    settings: &[&EcsSettings],
) -> Vec<ObservedTaskGroup> {
    let ecs = EcsClient::new(account_region, aws_scope, permits);
    let name = EcsCache::name(account_region);
    let old: EcsCache = aws_scope.images.catalog().get_note(&name).unwrap_or_default();
    let is_selected = |cluster: &str| settings.iter().any(|settings| is_match(&settings.clusters, cluster));
    let is_chosen = |cluster: &str, name: &str| settings.iter().any(|settings| admits(settings, cluster, name));
    let clusters = clusters::read(&ecs, is_selected, is_chosen).await;
    let task_groups: Vec<_> = clusters
        .read
        .iter()
        .flat_map(|cluster| task_groups::task_groups(cluster, |name| is_chosen(&cluster.name, name)))
        .collect();
    aws_scope.progress.update(|all| all.services += task_groups.len());
    let cache = read_missing(&ecs, &task_groups, old.clone()).await;
    let observed = observe(aws_scope, account_region, settings, &task_groups, &cache);
    let retained = retain(&clusters, &task_groups, cache, aws_scope);
    if retained != old {
        aws_scope.images.catalog().put_note(&name, &retained);
    }
    observed
}

/// Reads the revisions and definitions of `task_groups` that `cache` does not have.
async fn read_missing(ecs: &EcsClient<'_>, task_groups: &[TaskGroup<'_>], mut cache: EcsCache) -> EcsCache {
    let revisions = service_revisions(task_groups).filter(|arn| !cache.revisions.contains_key(*arn));
    let revisions: BTreeSet<_> = revisions.map(str::to_owned).collect();
    let revisions = services::revisions(ecs, &revisions.into_iter().collect::<Vec<_>>()).await;
    cache.revisions.extend(revisions.into_iter().map(|(arn, revision)| (arn, revision.into())));
    let missing = task_groups
        .iter()
        .flat_map(|task_group| task_group.revisions(&cache))
        .map(|revision| revision.definition.to_owned());
    let is_task = |arn: &String| DefinitionName::parse(arn).kind == DefinitionKind::Task;
    let missing: BTreeSet<_> = missing.filter(|arn| is_task(arn) && !cache.definitions.contains_key(arn)).collect();
    let definitions = tasks::definitions(ecs, missing.into_iter().collect()).await;
    cache.definitions.extend(definitions.into_iter().map(|(arn, definition)| (arn, definition.into())));
    cache
}

fn service_revisions<'a>(task_groups: &[TaskGroup<'a>]) -> impl Iterator<Item = &'a str> {
    let services: Vec<_> = task_groups.iter().filter_map(|task_group| task_group.service).collect();
    services.into_iter().flat_map(|service| &service.revisions).map(|revision| revision.arn.as_str())
}

fn observe(
    aws_scope: &AwsScope,
    account_region: &AccountRegion,
    settings: &[&EcsSettings],
    task_groups: &[TaskGroup<'_>],
    cache: &EcsCache,
) -> Vec<ObservedTaskGroup> {
    let needs_all_tags = settings.iter().any(|settings| settings.selector.needs_tags());
    // Only tags that selectors or owners use are kept: a service may have fifty.
    let matters = |key: &str| needs_all_tags || aws_scope.owners.tags.iter().any(|tag| tag == key);
    let observed = task_groups.iter().map(|task_group| {
        let running = task_group.running(cache);
        if running.is_empty() && task_group.kind != DefinitionKind::Task {
            tracing::debug!(
                "ECS reports no digest for the tasks of {} in {}; they are left out",
                task_group.arn(),
                task_group.cluster
            );
        }
        ObservedTaskGroup {
            cluster: task_group.cluster.to_owned(),
            name: task_group.name.to_owned(),
            workloads: workloads::workloads(account_region, task_group, running, &matters),
        }
    });
    observed.collect()
}

/// The entries of `cache` to keep.
fn retain(clusters: &RegionClusters, task_groups: &[TaskGroup<'_>], cache: EcsCache, aws_scope: &AwsScope) -> EcsCache {
    let current = task_groups.iter().flat_map(|task_group| task_group.revisions(&cache));
    let definitions: BTreeSet<_> = current.map(|revision| revision.definition.to_owned()).collect();
    let unread = clusters.unread.as_ref();
    let current = RetainedArns {
        revisions: service_revisions(task_groups).collect(),
        definitions: definitions.iter().map(String::as_str).collect(),
        unread: unread.map(|unread| unread.iter().map(String::as_str).collect()),
    };
    cache.retain(&current, aws_scope.seen_at)
}
