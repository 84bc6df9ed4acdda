//! The AWS scope of a run, shared by its inventories: accounts, regions, repositories, owners.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    AffectedScope, CollectionError, InventoryFilter, InventoryProgress, OwnerSettings, RegionSelection,
    RepositoryImages, ResourceTags, account_region::AccountRegion,
};
use crate::{
    aws::{Aws, AwsError},
    image::{AccountId, Region, Repository},
    single_flight::SingleFlight,
    store::ImageReader,
};

/// Called with each AWS account whose repositories are read, before the first request to its registries.
pub type AllowAccount = Arc<dyn Fn(&str) + Send + Sync>;

/// Called with each upstream registry that has a pull-through cache, and with the cache.
pub type RegisterCache = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// The accounts and regions that a run reads, with the data that is read once for all inventories.
pub struct AwsScope {
    /// AWS, with the sessions of all accounts.
    pub(super) aws: Arc<Aws>,
    /// Images, through the catalog.
    pub(super) images: Arc<ImageReader>,
    /// Allows the registries of an account.
    allow_account: AllowAccount,
    pub(super) register_cache: RegisterCache,
    /// The number of concurrent requests.
    pub(super) concurrency: usize,
    /// How owners are determined.
    pub(super) owners: OwnerSettings,
    /// The filters of the command line.
    pub(super) filter: InventoryFilter,
    /// How far this has been read.
    pub(super) progress: Arc<InventoryProgress>,
    /// The time of the system clock when the run started.
    pub(super) seen_at: DateTime<Utc>,
    regions: SingleFlight<Option<AccountId>, Result<Vec<Region>, AwsError>>,
    pub(super) repository_images: SingleFlight<Repository, Result<Arc<RepositoryImages>, CollectionError>>,
    pub(super) tags: SingleFlight<Repository, Arc<ResourceTags>>,
    errors: Mutex<BTreeMap<String, CollectionError>>,
    accounts: Mutex<BTreeSet<String>>,
}

impl AwsScope {
    /// The scope that `aws` can read. Images are read through `images`.
    #[must_use]
    pub fn new(aws: Arc<Aws>, images: Arc<ImageReader>, allow_account: AllowAccount, seen_at: DateTime<Utc>) -> Self {
        Self {
            aws,
            images,
            allow_account,
            register_cache: Arc::new(|_, _| ()),
            concurrency: 1,
            owners: OwnerSettings::default(),
            filter: InventoryFilter::default(),
            progress: Arc::default(),
            seen_at,
            regions: SingleFlight::default(),
            repository_images: SingleFlight::default(),
            tags: SingleFlight::default(),
            errors: Mutex::default(),
            accounts: Mutex::default(),
        }
    }

    /// How far its inventories have been read.
    #[must_use]
    pub fn progress(&self) -> &Arc<InventoryProgress> {
        &self.progress
    }

    /// Sets the number of concurrent requests, at least 1.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency: concurrency.max(1), ..self }
    }

    /// Calls `offer_cache` for each pull-through cache.
    #[must_use]
    pub fn with_caches(self, offer_cache: RegisterCache) -> Self {
        Self { register_cache: offer_cache, ..self }
    }

    /// Sets how owners are determined.
    #[must_use]
    pub fn with_owners(self, owners: OwnerSettings) -> Self {
        Self { owners, ..self }
    }

    /// Restricts the scope to `filter`.
    #[must_use]
    pub fn with_filter(self, filter: InventoryFilter) -> Self {
        Self { filter, ..self }
    }

    /// The selected regions of all accounts. Accounts whose regions cannot be listed are added to `errors`.
    pub(super) async fn account_regions(
        &self,
        regions: &RegionSelection,
        errors: &mut Vec<CollectionError>,
    ) -> Vec<AccountRegion> {
        let sessions = self.aws.sessions().await;
        errors.extend(sessions.errors.iter().map(|error| {
            let extent = AffectedScope::for_account(error.account.as_ref());
            CollectionError::new(error.scope.clone(), extent, error.failure.clone())
        }));
        let mut account_regions = Vec::new();
        for session in &sessions.opened {
            if session.account().is_some_and(|account| !self.filter.admits_account(account)) {
                continue;
            }
            let regions = match regions {
                RegionSelection::Listed(regions) => Ok(regions.clone()),
                RegionSelection::Enabled => {
                    let account = session.account().cloned();
                    self.regions.get(account, async || session.enabled_regions().await).await
                }
            };
            match regions {
                Ok(regions) => {
                    let regions: BTreeSet<_> = regions.into_iter().filter(|it| self.filter.admits_region(it)).collect();
                    account_regions.extend(
                        regions.into_iter().map(|region| AccountRegion { session: Arc::clone(session), region }),
                    );
                }
                Err(failure) => {
                    let scope = session.account().map(|account| format!(" of {account}")).unwrap_or_default();
                    errors.push(CollectionError::new(
                        format!("account{scope}"),
                        AffectedScope::for_account(session.account()),
                        failure,
                    ));
                }
            }
        }
        account_regions
    }

    /// Allows requests to the registries of `account`, whose images are audited.
    pub(super) fn allow(&self, account: &str) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.insert(account.to_owned()) {
            (self.allow_account)(account);
        }
    }

    /// Whether images of `account` are audited.
    pub(super) fn is_allowed(&self, account: &str) -> bool {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).contains(account)
    }

    /// Records an error; errors of the same scope and code are merged.
    pub(super) fn record_error(&self, error: CollectionError) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors
            .entry(format!("{} {}", error.scope, error.code))
            .and_modify(|known| known.absorb(&error))
            .or_insert(error);
    }

    /// The errors recorded since the last call.
    pub(super) fn take_errors(&self) -> Vec<CollectionError> {
        std::mem::take(&mut *self.errors.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }
}
