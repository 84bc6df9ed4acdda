//! Several inventory tables of one kind: each region is read once, and its workloads are assigned to the tables that
//! select them.

use std::collections::BTreeMap;

use super::{Choice, Estate, Gap, Inventoried, Regions, read::Sighting, spot::Spot};

/// A region, with the indexes of the tables that select it.
pub(super) type Meant = (Spot, Vec<usize>);

/// An inventory table of the configuration that selects regions and workloads in them.
pub(super) trait Table {
    /// The regions that it selects.
    fn regions(&self) -> &Regions;
    /// The workloads that it selects.
    fn choice(&self) -> &Choice;
}

impl Estate {
    /// The regions that at least one of `tables` selects, each once.
    pub(super) async fn spots_of<T: Table>(&self, tables: &[T], gaps: &mut Vec<Gap>) -> Vec<Meant> {
        let mut spots = BTreeMap::<_, Meant>::new();
        for (index, table) in tables.iter().enumerate() {
            for spot in self.spots(table.regions(), gaps).await {
                let key = (spot.session.account().cloned(), spot.region.clone());
                spots.entry(key).or_insert_with(|| (spot, Vec::new())).1.push(index);
            }
        }
        spots.into_values().collect()
    }

    /// The deployments of the workloads assigned to each of `tables`, each deployment once. `gaps` are earlier errors,
    /// which the result includes.
    pub(super) async fn read_all<T: Table>(
        &self,
        tables: &[T],
        sighted: Vec<Vec<Sighting>>,
        gaps: Vec<Gap>,
    ) -> Inventoried {
        let mut found = Inventoried { gaps, ..Inventoried::default() };
        for (table, sightings) in tables.iter().zip(sighted) {
            let read = self.read(sightings, table.choice()).await;
            found.deployments.extend(read.deployments);
            found.shelves.extend(read.shelves);
            found.gaps.extend(read.gaps);
        }
        found.deployments.sort_by(|one, other| one.id.cmp(&other.id));
        found.deployments.dedup_by(|one, other| one.id == other.id);
        Inventoried { gaps: Gap::merged(std::mem::take(&mut found.gaps)), ..found }
    }
}
