//! ECS services and tasks as deployments, one for each container.
//!
//! The digests of a service are those of its service revisions, or of its running tasks if the revisions have none. A
//! region or cluster that cannot be read is a [`Gap`]. Immutable resources are cached, so an unchanged fleet needs list
//! and describe calls only.

mod arn;
mod calls;
mod clusters;
mod image;
mod memory;
mod services;
mod sightings;
mod survey;
mod tasks;
mod units;

use std::sync::Arc;

use futures::{StreamExt, future::BoxFuture, stream};
use tokio::sync::Semaphore;

use self::survey::Sighted;
use super::{
    Choice, EcsSettings, Estate, Inventoried, Inventory, Regions, choice::is_match, read::Sighting, tables::Table,
};

/// The containers of services and of standalone tasks.
pub struct EcsInventory {
    settings: Vec<EcsSettings>,
    estate: Arc<Estate>,
}

impl EcsInventory {
    /// The containers of `estate` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<EcsSettings>, estate: Arc<Estate>) -> Self {
        Self { settings, estate }
    }

    async fn look(&self) -> Inventoried {
        let mut gaps = Vec::new();
        let spots = self.estate.spots_of(&self.settings, &mut gaps).await;
        let turns = &Semaphore::new(self.estate.concurrency);
        let mut looks = stream::iter(spots)
            .map(|(spot, meant)| async move {
                let settings: Vec<_> = meant.iter().filter_map(|index| self.settings.get(*index)).collect();
                let sighted = survey::survey(&self.estate, turns, &spot, &settings).await;
                (meant, sighted)
            })
            .buffer_unordered(self.estate.concurrency);
        let mut chosen: Vec<Vec<Sighting>> = self.settings.iter().map(|_| Vec::new()).collect();
        while let Some((meant, sighted)) = looks.next().await {
            for sighted in sighted {
                self.give(&sighted, &meant, &mut chosen);
            }
        }
        self.estate.read_all(&self.settings, chosen, gaps).await
    }

    /// Assigns the observed workloads to those settings of `meant` that select them.
    fn give(&self, sighted: &Sighted, meant: &[usize], chosen: &mut [Vec<Sighting>]) {
        for index in meant {
            if admits(&self.settings[*index], &sighted.cluster, &sighted.name) {
                chosen[*index].extend(sighted.sightings.iter().cloned());
            }
        }
    }
}

impl Table for EcsSettings {
    fn regions(&self) -> &Regions {
        &self.regions
    }

    fn choice(&self) -> &Choice {
        &self.choice
    }
}

impl Inventory for EcsInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}

/// Whether `settings` select the service or task family `name` in `cluster`.
fn admits(settings: &EcsSettings, cluster: &str, name: &str) -> bool {
    is_match(&settings.clusters, cluster) && settings.choice.admits_name(name)
}
