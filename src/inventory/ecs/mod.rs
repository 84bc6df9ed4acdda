//! Which images do ECS services and tasks run? Each container on its own.
//!
//! Services are asked for the revisions that they run, which say what their images resolved to; where they do
//! not, the running tasks do. One region or cluster that cannot be read is a [`Gap`]. What never changes is
//! remembered, so that an unchanged fleet is listed and described, and nothing more.

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

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, future::BoxFuture, stream};
use tokio::sync::Semaphore;

use self::survey::Sighted;
use super::{EcsSettings, Estate, Gap, Inventoried, Inventory, choice::is_match, estate::Spot, read::Sighting};

/// The containers of services, and of tasks that are in no service.
pub struct EcsInventory {
    settings: Vec<EcsSettings>,
    estate: Arc<Estate>,
}

/// A place, and which of the settings mean it.
type Meant = (Spot, Vec<usize>);

impl EcsInventory {
    /// The containers of `estate` that `settings` choose.
    #[must_use]
    pub fn new(settings: Vec<EcsSettings>, estate: Arc<Estate>) -> Self {
        Self { settings, estate }
    }

    async fn look(&self) -> Inventoried {
        let mut gaps = Vec::new();
        let spots = self.spots(&mut gaps).await;
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
        let mut found = Inventoried::default();
        for (settings, sightings) in self.settings.iter().zip(chosen) {
            let read = self.estate.read(sightings, &settings.choice).await;
            found.deployments.extend(read.deployments);
            found.shelves.extend(read.shelves);
            gaps.extend(read.gaps);
        }
        found.deployments.sort_by(|one, other| one.id.cmp(&other.id));
        found.deployments.dedup_by(|one, other| one.id == other.id);
        for gap in gaps {
            if !found.gaps.contains(&gap) {
                found.gaps.push(gap);
            }
        }
        found
    }

    /// The places that any of the settings means, each once.
    async fn spots(&self, gaps: &mut Vec<Gap>) -> Vec<Meant> {
        let mut spots = BTreeMap::<_, Meant>::new();
        for (index, settings) in self.settings.iter().enumerate() {
            for spot in self.estate.spots(&settings.regions, gaps).await {
                let key = (spot.session.account().map(str::to_owned), spot.region.clone());
                spots.entry(key).or_insert_with(|| (spot, Vec::new())).1.push(index);
            }
        }
        spots.into_values().collect()
    }

    /// Gives what was sighted to those of the settings `meant` that choose it.
    fn give(&self, sighted: &Sighted, meant: &[usize], chosen: &mut [Vec<Sighting>]) {
        for index in meant {
            if admits(&self.settings[*index], &sighted.cluster, &sighted.name) {
                chosen[*index].extend(sighted.sightings.iter().cloned());
            }
        }
    }
}

impl Inventory for EcsInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}

/// Whether `settings` choose the service, or the family of tasks, of this `name` in `cluster`.
fn admits(settings: &EcsSettings, cluster: &str, name: &str) -> bool {
    is_match(&settings.clusters, cluster) && settings.choice.admits_name(name)
}
