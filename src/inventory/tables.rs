//! Several tables of one kind in the configuration: each place is looked at once, and what is found there is
//! given to the tables that choose it.

use std::collections::BTreeMap;

use super::{Choice, Estate, Gap, Inventoried, Regions, read::Sighting, spot::Spot};

/// A place, and which of the tables mean it.
pub(super) type Meant = (Spot, Vec<usize>);

/// A table of the configuration that chooses among what is found in regions.
pub(super) trait Table {
    /// Where it looks.
    fn regions(&self) -> &Regions;
    /// What it chooses.
    fn choice(&self) -> &Choice;
}

impl Estate {
    /// The places that any of `tables` means, each once.
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

    /// What was sighted for each of `tables`, read; a deployment that several choose is there once. `gaps` is
    /// what could not be seen before.
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
