//! Several inventory tables of one kind: each region is read once, and its workloads are assigned to the tables that
//! select them.

use std::collections::BTreeMap;

use super::{
    AwsScope, CollectionError, InventoryResult, RegionSelection, Selector, account_region::AccountRegion,
    read::ObservedWorkload,
};

/// A region, with the indexes of the tables that select it.
pub(super) type SelectedRegion = (AccountRegion, Vec<usize>);

/// An inventory table of the configuration that selects regions and workloads in them.
pub(super) trait InventoryRule {
    /// The regions that it selects.
    fn regions(&self) -> &RegionSelection;
    /// The workloads that it selects.
    fn selector(&self) -> &Selector;
}

impl AwsScope {
    /// The regions that at least one of `tables` selects, each once.
    pub(super) async fn regions_for<T: InventoryRule>(
        &self,
        tables: &[T],
        gaps: &mut Vec<CollectionError>,
    ) -> Vec<SelectedRegion> {
        let mut spots = BTreeMap::<_, SelectedRegion>::new();
        for (index, table) in tables.iter().enumerate() {
            for spot in self.account_regions(table.regions(), gaps).await {
                let key = (spot.session.account().cloned(), spot.region.clone());
                spots.entry(key).or_insert_with(|| (spot, Vec::new())).1.push(index);
            }
        }
        spots.into_values().collect()
    }

    /// The deployments of the workloads assigned to each of `tables`, each deployment once. `gaps` are earlier errors,
    /// which the result includes.
    pub(super) async fn read_all<T: InventoryRule>(
        &self,
        tables: &[T],
        sighted: Vec<Vec<ObservedWorkload>>,
        gaps: Vec<CollectionError>,
    ) -> InventoryResult {
        let mut found = InventoryResult { errors: gaps, ..InventoryResult::default() };
        for (table, sightings) in tables.iter().zip(sighted) {
            let read = self.read(sightings, table.selector()).await;
            found.deployments.extend(read.deployments);
            found.repository_images.extend(read.repository_images);
            found.errors.extend(read.errors);
        }
        found.deployments.sort_by(|one, other| one.id.cmp(&other.id));
        found.deployments.dedup_by(|one, other| one.id == other.id);
        InventoryResult { errors: CollectionError::merged(std::mem::take(&mut found.errors)), ..found }
    }
}
