//! ECS services and tasks as deployments, one for each container.
//!
//! The digests of a service are those of its service revisions, or of its running tasks if the revisions have none. A
//! region or cluster that cannot be read is a [`CollectionError`]. Immutable resources are cached, so an unchanged fleet needs list
//! and describe calls only.

mod arn;
mod cache;
mod calls;
mod clusters;
mod image;
mod services;
mod survey;
mod task_groups;
mod tasks;
mod workloads;

use std::sync::Arc;

use futures::{StreamExt, future::BoxFuture, stream};
use tokio::sync::Semaphore;

use self::survey::ObservedTaskGroup;
use super::{
    AwsScope, EcsSettings, Inventory, InventoryResult, RegionSelection, Selector, inventory_rule::InventoryRule,
    read::ObservedWorkload, selector::is_match,
};

/// The containers of services and of standalone tasks.
pub struct EcsInventory {
    settings: Vec<EcsSettings>,
    estate: Arc<AwsScope>,
}

impl EcsInventory {
    /// The containers of `estate` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<EcsSettings>, estate: Arc<AwsScope>) -> Self {
        Self { settings, estate }
    }

    async fn collect(&self) -> InventoryResult {
        let mut gaps = Vec::new();
        let spots = self.estate.regions_for(&self.settings, &mut gaps).await;
        let turns = &Semaphore::new(self.estate.concurrency);
        let mut looks = stream::iter(spots)
            .map(|(spot, meant)| async move {
                let settings: Vec<_> = meant.iter().filter_map(|index| self.settings.get(*index)).collect();
                let sighted = survey::survey(&self.estate, turns, &spot, &settings).await;
                (meant, sighted)
            })
            .buffer_unordered(self.estate.concurrency);
        let mut chosen: Vec<Vec<ObservedWorkload>> = self.settings.iter().map(|_| Vec::new()).collect();
        while let Some((meant, sighted)) = looks.next().await {
            for sighted in sighted {
                self.assign(&sighted, &meant, &mut chosen);
            }
        }
        self.estate.read_all(&self.settings, chosen, gaps).await
    }

    /// Assigns the observed workloads to those settings of `meant` that select them.
    fn assign(&self, sighted: &ObservedTaskGroup, meant: &[usize], chosen: &mut [Vec<ObservedWorkload>]) {
        for index in meant {
            if admits(&self.settings[*index], &sighted.cluster, &sighted.name) {
                chosen[*index].extend(sighted.workloads.iter().cloned());
            }
        }
    }
}

impl InventoryRule for EcsSettings {
    fn regions(&self) -> &RegionSelection {
        &self.regions
    }

    fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl Inventory for EcsInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        Box::pin(self.collect())
    }
}

/// Whether `settings` select the service or task family `name` in `cluster`.
fn admits(settings: &EcsSettings, cluster: &str, name: &str) -> bool {
    is_match(&settings.clusters, cluster) && settings.selector.admits_name(name)
}
