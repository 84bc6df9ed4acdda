//! Lambda functions as deployments: the version that unqualified calls invoke, and those that aliases point to.
//!
//! A region that cannot be listed is a [`CollectionError`]; a function that cannot be read is still a
//! deployment. `GetFunction` responses are cached, so an unchanged fleet needs list calls only.

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
const CONCURRENT_REGIONS: usize = 24;

/// The image functions of an AWS scope.
pub struct LambdaInventory {
    settings: Vec<LambdaSettings>,
    aws_scope: Arc<AwsScope>,
}

impl LambdaInventory {
    /// The functions of `aws_scope` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<LambdaSettings>, aws_scope: Arc<AwsScope>) -> Self {
        Self { settings, aws_scope }
    }

    async fn collect(&self) -> InventoryResult {
        let mut errors = Vec::new();
        let account_regions = self.aws_scope.regions_for(&self.settings, &mut errors).await;
        let mut surveys = stream::iter(account_regions)
            .map(|selected| async move {
                let (workloads, errors) = self.survey(&selected).await;
                (selected.1, workloads, errors)
            })
            .buffer_unordered(CONCURRENT_REGIONS);
        let mut chosen: Vec<Vec<ObservedWorkload>> = self.settings.iter().map(|_| Vec::new()).collect();
        while let Some((selected, workloads, more)) = surveys.next().await {
            errors.extend(more);
            for workload in workloads {
                self.assign(workload, &selected, &mut chosen);
            }
        }
        self.aws_scope.read_all(&self.settings, chosen, errors).await
    }

    /// The workloads of one region, and the errors.
    async fn survey(
        &self,
        (account_region, selected): &SelectedRegion,
    ) -> (Vec<ObservedWorkload>, Vec<CollectionError>) {
        let settings: Vec<_> = selected.iter().filter_map(|index| self.settings.get(*index)).collect();
        let needs_all_tags = settings.iter().any(|settings| settings.selector.needs_tags());
        let owner_tags = &self.aws_scope.owners.tags;
        let refresh = settings.iter().filter_map(|settings| TimeDelta::from_std(settings.refresh).ok()).min();
        let cache_policy = CachePolicy {
            seen_at: self.aws_scope.seen_at,
            refresh: refresh.unwrap_or(TimeDelta::MAX),
            needs_tags: needs_all_tags || !owner_tags.is_empty(),
        };
        let catalog = self.aws_scope.images.catalog();
        let name = FunctionCache::name(account_region);
        let old = catalog.get_note(&name).unwrap_or_default();
        let mut guard = SurveyGuard::new(
            catalog,
            name,
            LambdaSurvey::new(
                (account_region.scope("lambda"), account_region.affected(DeploymentKind::Lambda)),
                old,
                cache_policy,
            ),
        );
        let admits = |name: &str| settings.iter().any(|settings| settings.selector.admits_name(name));
        // If tags or owners select, it is unknown yet which of these are needed.
        let is_all_selected = settings.iter().all(|settings| settings.selector.is_by_name());
        let read_ahead = |images| -> BoxFuture<'_, ()> {
            Box::pin(async move {
                if is_all_selected && self.aws_scope.filter.owners.is_empty() {
                    self.aws_scope.read_ahead(images, &account_region.session).await;
                }
            })
        };
        if let Some(progress) = &mut guard.progress {
            let surveyor = survey::Surveyor {
                account_region,
                concurrency: self.aws_scope.concurrency,
                inventory_progress: &self.aws_scope.progress,
            };
            surveyor.survey(progress, admits, read_ahead).await;
        }
        let surveyed = guard.finish();
        // Only tags that selectors or owners use are kept: a function may have fifty.
        let matters = |key: &str| needs_all_tags || owner_tags.iter().any(|tag| tag == key);
        let functions = surveyed.functions.iter();
        let workloads =
            functions.flat_map(|(name, function)| workloads::workloads(account_region, name, function, &matters));
        (workloads.collect(), surveyed.errors)
    }

    /// Assigns `workload` to those settings of `selected` that select its name.
    fn assign(&self, workload: ObservedWorkload, selected: &[usize], chosen: &mut [Vec<ObservedWorkload>]) {
        let has_name = |index: &&usize| self.settings[**index].selector.admits_name(&workload.draft.deployment.name);
        let matching: Vec<_> = selected.iter().filter(has_name).copied().collect();
        if let Some((last, others)) = matching.split_last() {
            for index in others {
                chosen[*index].push(workload.clone());
            }
            chosen[*last].push(workload);
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

    fn keep(&self, cache: Option<&FunctionCache>) {
        if let Some(cache) = cache {
            self.catalog.put_note(&self.name, cache);
        }
    }
}

impl Drop for SurveyGuard<'_> {
    fn drop(&mut self) {
        let cache = self.progress.take().and_then(LambdaSurvey::cut_short);
        self.keep(cache.as_ref());
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
