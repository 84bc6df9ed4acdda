//! ECS services and tasks as deployments, one for each container.
//!
//! The digests of a service are those of its service revisions, or of its running tasks if the revisions have none. A
//! region or cluster that cannot be read is a [`CollectionError`]. Immutable resources are cached, so an
//! unchanged fleet needs list and describe calls only.

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
    aws_scope: Arc<AwsScope>,
}

impl EcsInventory {
    /// The containers of `aws_scope` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<EcsSettings>, aws_scope: Arc<AwsScope>) -> Self {
        Self { settings, aws_scope }
    }

    async fn collect(&self) -> InventoryResult {
        let mut errors = Vec::new();
        let account_regions = self.aws_scope.regions_for(&self.settings, &mut errors).await;
        let permits = &Semaphore::new(self.aws_scope.concurrency);
        let mut surveys = stream::iter(account_regions)
            .map(|(account_region, selected)| async move {
                let settings: Vec<_> = selected.iter().filter_map(|index| self.settings.get(*index)).collect();
                let task_groups = survey::survey(&self.aws_scope, permits, &account_region, &settings).await;
                (selected, task_groups)
            })
            .buffer_unordered(self.aws_scope.concurrency);
        let mut chosen: Vec<Vec<ObservedWorkload>> = self.settings.iter().map(|_| Vec::new()).collect();
        while let Some((selected, task_groups)) = surveys.next().await {
            for task_groups in task_groups {
                self.assign(&task_groups, &selected, &mut chosen);
            }
        }
        self.aws_scope.read_all(&self.settings, chosen, errors).await
    }

    /// Assigns the observed workloads to those settings of `selected` that select them.
    fn assign(&self, task_groups: &ObservedTaskGroup, selected: &[usize], chosen: &mut [Vec<ObservedWorkload>]) {
        for index in selected {
            if admits(&self.settings[*index], &task_groups.cluster, &task_groups.name) {
                chosen[*index].extend(task_groups.workloads.iter().cloned());
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
