//! Lambda functions as deployments: the version that unqualified calls invoke, and those that aliases point to.
//!
//! A region that cannot be listed is a [`CollectionError`]; a function that cannot be read is still a deployment. `GetFunction`
//! responses are cached, so an unchanged fleet needs list calls only.

mod cache;
mod function;
mod listing;
mod progress;
mod selected_function;
mod survey;
mod version;
mod workloads;

use std::sync::Arc;

use chrono::TimeDelta;
use futures::{StreamExt, future::BoxFuture, stream};

use self::{
    cache::{CachePolicy, FunctionCache},
    progress::{LambdaSurvey, LambdaSurveyResult},
};
use super::{
    AwsScope, CollectionError, DeploymentKind, Inventory, InventoryResult, LambdaSettings, RegionSelection, Selector,
    inventory_rule::{InventoryRule, SelectedRegion},
    read::ObservedWorkload,
};
use crate::store::Catalog;

/// Regions read at once. Each has its own API quotas; all share connections and memory.
const SPOTS: usize = 24;

/// The image functions of an AWS scope.
pub struct LambdaInventory {
    settings: Vec<LambdaSettings>,
    estate: Arc<AwsScope>,
}

impl LambdaInventory {
    /// The functions of `estate` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<LambdaSettings>, estate: Arc<AwsScope>) -> Self {
        Self { settings, estate }
    }

    async fn collect(&self) -> InventoryResult {
        let mut gaps = Vec::new();
        let spots = self.estate.regions_for(&self.settings, &mut gaps).await;
        let mut looks = stream::iter(spots)
            .map(|meant| async move {
                let (sightings, gaps) = self.survey(&meant).await;
                (meant.1, sightings, gaps)
            })
            .buffer_unordered(SPOTS);
        let mut chosen: Vec<Vec<ObservedWorkload>> = self.settings.iter().map(|_| Vec::new()).collect();
        while let Some((meant, sightings, more)) = looks.next().await {
            gaps.extend(more);
            for sighting in sightings {
                self.assign(sighting, &meant, &mut chosen);
            }
        }
        self.estate.read_all(&self.settings, chosen, gaps).await
    }

    /// The workloads of one region, and the errors.
    async fn survey(&self, (spot, meant): &SelectedRegion) -> (Vec<ObservedWorkload>, Vec<CollectionError>) {
        let settings: Vec<_> = meant.iter().filter_map(|index| self.settings.get(*index)).collect();
        let needs_all_tags = settings.iter().any(|settings| settings.selector.needs_tags());
        let owner_tags = &self.estate.owners.tags;
        let refresh = settings.iter().filter_map(|settings| TimeDelta::from_std(settings.refresh).ok()).min();
        let belief = CachePolicy {
            seen_at: self.estate.seen_at,
            refresh: refresh.unwrap_or(TimeDelta::MAX),
            needs_tags: needs_all_tags || !owner_tags.is_empty(),
        };
        let catalog = self.estate.images.catalog();
        let name = FunctionCache::name(spot);
        let old = catalog.get_note(&name).unwrap_or_default();
        let mut learning = SurveyGuard::new(
            catalog,
            name,
            LambdaSurvey::new((spot.scope("lambda"), spot.affected(DeploymentKind::Lambda)), old, belief),
        );
        let admits = |name: &str| settings.iter().any(|settings| settings.selector.admits_name(name));
        // If tags or owners select, it is unknown yet which of these are needed.
        let is_all_meant = settings.iter().all(|settings| settings.selector.is_by_name());
        let read_ahead = |images| -> BoxFuture<'_, ()> {
            Box::pin(async move {
                if is_all_meant && self.estate.filter.owners.is_empty() {
                    self.estate.read_ahead(images, &spot.session).await;
                }
            })
        };
        if let Some(progress) = &mut learning.progress {
            survey::survey(spot, progress, self.estate.concurrency, admits, read_ahead).await;
        }
        let surveyed = learning.finish();
        // Only tags that selectors or owners use are kept: a function may have fifty.
        let matters = |key: &str| needs_all_tags || owner_tags.iter().any(|tag| tag == key);
        let functions = surveyed.functions.iter();
        let sightings = functions.flat_map(|(name, seen)| workloads::workloads(spot, name, seen, &matters));
        (sightings.collect(), surveyed.errors)
    }

    /// Assigns `sighting` to those settings of `meant` that select its name.
    fn assign(&self, sighting: ObservedWorkload, meant: &[usize], chosen: &mut [Vec<ObservedWorkload>]) {
        let has_name = |index: &&usize| self.settings[**index].selector.admits_name(&sighting.draft.deployment.name);
        let takers: Vec<_> = meant.iter().filter(has_name).copied().collect();
        if let Some((last, others)) = takers.split_last() {
            for index in others {
                chosen[*index].push(sighting.clone());
            }
            chosen[*last].push(sighting);
        }
    }
}

/// Saves the cache of a region also when the survey is cancelled. At a hundred functions a second, a large account must
/// not start over.
struct SurveyGuard<'a> {
    catalog: &'a Catalog,
    name: String,
    progress: Option<LambdaSurvey>,
}

impl<'a> SurveyGuard<'a> {
    fn new(catalog: &'a Catalog, name: String, progress: LambdaSurvey) -> Self {
        Self { catalog, name, progress: Some(progress) }
    }

    /// The result of the survey; its cache is saved.
    fn finish(mut self) -> LambdaSurveyResult {
        let surveyed = self.progress.take().map(LambdaSurvey::finish).unwrap_or_default();
        self.keep(surveyed.cache.as_ref());
        surveyed
    }

    fn keep(&self, memory: Option<&FunctionCache>) {
        if let Some(memory) = memory {
            self.catalog.put_note(&self.name, memory);
        }
    }
}

impl Drop for SurveyGuard<'_> {
    fn drop(&mut self) {
        let memory = self.progress.take().and_then(LambdaSurvey::cut_short);
        self.keep(memory.as_ref());
    }
}

impl InventoryRule for LambdaSettings {
    fn regions(&self) -> &RegionSelection {
        &self.regions
    }

    fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl Inventory for LambdaInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        Box::pin(self.collect())
    }
}
