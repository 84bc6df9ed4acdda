//! Several inventory rules of one kind: each region is read once, and its workloads are assigned to the rules that
//! select them.

use std::collections::BTreeMap;

use super::{
    AwsScope, CollectionError, InventoryResult, RegionSelection, Selector, account_region::AccountRegion,
    read::ObservedWorkload,
};

/// A region, with the indexes of the rules that select it.
pub(super) type SelectedRegion = (AccountRegion, Vec<usize>);

/// An inventory rule of the configuration that selects regions and workloads in them.
pub(super) trait InventoryRule {
    /// The regions that it selects.
    fn regions(&self) -> &RegionSelection;
    /// The workloads that it selects.
    fn selector(&self) -> &Selector;
}

impl AwsScope {
    /// The regions that at least one of `rules` selects, each once.
    pub(super) async fn regions_for<T: InventoryRule>(
        &self,
        rules: &[T],
        errors: &mut Vec<CollectionError>,
    ) -> Vec<SelectedRegion> {
        let mut account_regions = BTreeMap::<_, SelectedRegion>::new();
        for (index, rule) in rules.iter().enumerate() {
            for account_region in self.account_regions(rule.regions(), errors).await {
                let key = (account_region.session.account().cloned(), account_region.region.clone());
                account_regions.entry(key).or_insert_with(|| (account_region, Vec::new())).1.push(index);
            }
        }
        account_regions.into_values().collect()
    }

    /// The deployments of the workloads assigned to each of `rules`, each deployment once. `errors` are earlier errors,
    /// which the result includes.
    pub(super) async fn read_all<T: InventoryRule>(
        &self,
        rules: &[T],
        workloads: Vec<Vec<ObservedWorkload>>,
        errors: Vec<CollectionError>,
    ) -> InventoryResult {
        let mut found = InventoryResult { errors, ..InventoryResult::default() };
        for (rule, workloads) in rules.iter().zip(workloads) {
            let read = self.read(workloads, rule.selector()).await;
            found.deployments.extend(read.deployments);
            found.repository_images.extend(read.repository_images);
            found.errors.extend(read.errors);
        }
        found.deployments.sort_by(|one, other| one.id.cmp(&other.id));
        found.deployments.dedup_by(|one, other| one.id == other.id);
        InventoryResult { errors: CollectionError::merged(std::mem::take(&mut found.errors)), ..found }
    }
}
