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

/// The workloads at `spot` that at least one of `settings` selects by name. Errors are recorded in `estate`.
pub(super) async fn survey(
    estate: &AwsScope,
    turns: &Semaphore,
    spot: &AccountRegion,
    settings: &[&EcsSettings],
) -> Vec<ObservedTaskGroup> {
    let ecs = EcsClient::new(spot, estate, turns);
    let name = EcsCache::name(spot);
    let old: EcsCache = estate.images.catalog().get_note(&name).unwrap_or_default();
    let is_meant = |cluster: &str| settings.iter().any(|settings| is_match(&settings.clusters, cluster));
    let is_chosen = |cluster: &str, name: &str| settings.iter().any(|settings| admits(settings, cluster, name));
    let clusters = clusters::read(&ecs, is_meant, is_chosen).await;
    let units: Vec<_> = clusters
        .read
        .iter()
        .flat_map(|cluster| task_groups::task_groups(cluster, |name| is_chosen(&cluster.name, name)))
        .collect();
    let memory = learn(&ecs, &units, old.clone()).await;
    let sighted = sighted(estate, spot, settings, &units, &memory);
    let kept = kept(&clusters, &units, memory, estate);
    if kept != old {
        estate.images.catalog().put_note(&name, &kept);
    }
    sighted
}

/// Reads the revisions and definitions of `units` that `memory` does not have.
async fn learn(ecs: &EcsClient<'_>, units: &[TaskGroup<'_>], mut memory: EcsCache) -> EcsCache {
    let revisions = revisions(units).filter(|arn| !memory.revisions.contains_key(*arn));
    let revisions: BTreeSet<_> = revisions.map(str::to_owned).collect();
    let revisions = services::revisions(ecs, &revisions.into_iter().collect::<Vec<_>>()).await;
    memory.revisions.extend(revisions.into_iter().map(|(arn, revision)| (arn, revision.into())));
    let wanted = units.iter().flat_map(|unit| unit.revisions(&memory)).map(|edition| edition.definition.to_owned());
    let is_task = |arn: &String| DefinitionName::parse(arn).kind == DefinitionKind::Task;
    let wanted: BTreeSet<_> = wanted.filter(|arn| is_task(arn) && !memory.definitions.contains_key(arn)).collect();
    let definitions = tasks::definitions(ecs, wanted.into_iter().collect()).await;
    memory.definitions.extend(definitions.into_iter().map(|(arn, definition)| (arn, definition.into())));
    memory
}

fn revisions<'a>(units: &[TaskGroup<'a>]) -> impl Iterator<Item = &'a str> {
    let services: Vec<_> = units.iter().filter_map(|unit| unit.service).collect();
    services.into_iter().flat_map(|service| &service.revisions).map(|revision| revision.arn.as_str())
}

fn sighted(
    estate: &AwsScope,
    spot: &AccountRegion,
    settings: &[&EcsSettings],
    units: &[TaskGroup<'_>],
    memory: &EcsCache,
) -> Vec<ObservedTaskGroup> {
    let needs_all_tags = settings.iter().any(|settings| settings.selector.needs_tags());
    // Only tags that selectors or owners use are kept: a service may have fifty.
    let matters = |key: &str| needs_all_tags || estate.owners.tags.iter().any(|tag| tag == key);
    let sighted = units.iter().map(|unit| {
        let running = unit.running(memory);
        if running.is_empty() && unit.kind != DefinitionKind::Task {
            tracing::debug!(
                "ECS reports no digest for the tasks of {} in {}; they are left out",
                unit.arn(),
                unit.cluster
            );
        }
        ObservedTaskGroup {
            cluster: unit.cluster.to_owned(),
            name: unit.name.to_owned(),
            workloads: workloads::workloads(spot, unit, running, &matters),
        }
    });
    sighted.collect()
}

/// The entries of `memory` to keep.
fn kept(clusters: &RegionClusters, units: &[TaskGroup<'_>], memory: EcsCache, estate: &AwsScope) -> EcsCache {
    let editions = units.iter().flat_map(|unit| unit.revisions(&memory));
    let definitions: BTreeSet<_> = editions.map(|edition| edition.definition.to_owned()).collect();
    let unread = clusters.unread.as_ref();
    let current = RetainedArns {
        revisions: revisions(units).collect(),
        definitions: definitions.iter().map(String::as_str).collect(),
        unread: unread.map(|unread| unread.iter().map(String::as_str).collect()),
    };
    memory.kept(&current, estate.seen_at)
}
