//! The AWS scope of a run, shared by its inventories: accounts, regions, repositories, owners.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Extent, Filter, Gap, Owners, Regions, ResourceTags, Shelf,
    ecr::{EcrRepository, shelf},
    spot::Spot,
};
use crate::{
    aws::{Aws, Failure},
    image::{AccountId, ErrorCode, Region, Repository},
    once::Once,
    store::{Images, TagsMemory},
};

/// How long cached resource tags of a repository are used.
const TAGS_LAST: TimeDelta = TimeDelta::days(1);

/// Called with each AWS account whose repositories are read, before the first request to its registries.
pub type AllowAccount = Arc<dyn Fn(&str) + Send + Sync>;

/// Called with each upstream registry that has a pull-through cache, and with the cache.
pub type OfferCache = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// The accounts and regions that a run reads, with the data that is read once for all inventories.
pub struct Estate {
    /// AWS, with the sessions of all accounts.
    pub(super) aws: Arc<Aws>,
    /// Images, through the catalog.
    pub(super) images: Arc<Images>,
    /// Allows the registries of an account.
    allow_account: AllowAccount,
    pub(super) offer_cache: OfferCache,
    /// The number of concurrent requests.
    pub(super) concurrency: usize,
    /// How owners are determined.
    pub(super) owners: Owners,
    /// The filters of the command line.
    pub(super) filter: Filter,
    /// The time of the system clock when the run started.
    pub(super) seen_at: DateTime<Utc>,
    regions: Once<Option<AccountId>, Result<Vec<Region>, Failure>>,
    shelves: Once<Repository, Result<Arc<Shelf>, Gap>>,
    tags: Once<Repository, Arc<ResourceTags>>,
    gaps: Mutex<BTreeMap<String, Gap>>,
    accounts: Mutex<BTreeSet<String>>,
}

impl Estate {
    /// The scope that `aws` can read. Images are read through `images`.
    #[must_use]
    pub fn new(aws: Arc<Aws>, images: Arc<Images>, allow_account: AllowAccount, seen_at: DateTime<Utc>) -> Self {
        Self {
            aws,
            images,
            allow_account,
            offer_cache: Arc::new(|_, _| ()),
            concurrency: 1,
            owners: Owners::default(),
            filter: Filter::default(),
            seen_at,
            regions: Once::default(),
            shelves: Once::default(),
            tags: Once::default(),
            gaps: Mutex::default(),
            accounts: Mutex::default(),
        }
    }

    /// Sets the number of concurrent requests, at least 1.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency: concurrency.max(1), ..self }
    }

    /// Calls `offer_cache` for each pull-through cache.
    #[must_use]
    pub fn with_caches(self, offer_cache: OfferCache) -> Self {
        Self { offer_cache, ..self }
    }

    /// Sets how owners are determined.
    #[must_use]
    pub fn with_owners(self, owners: Owners) -> Self {
        Self { owners, ..self }
    }

    /// Restricts the scope to `filter`.
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// The selected regions of all accounts. Accounts whose regions cannot be listed are added to `gaps`.
    pub(super) async fn spots(&self, regions: &Regions, gaps: &mut Vec<Gap>) -> Vec<Spot> {
        let sessions = self.aws.sessions().await;
        gaps.extend(sessions.refused.iter().map(|refused| {
            let extent = Extent::of_account(refused.account.as_ref());
            Gap::new(refused.scope.clone(), extent, refused.failure.clone())
        }));
        let mut spots = Vec::new();
        for session in &sessions.opened {
            if session.account().is_some_and(|account| !self.filter.admits_account(account)) {
                continue;
            }
            let regions = match regions {
                Regions::Listed(regions) => Ok(regions.clone()),
                Regions::Enabled => {
                    let account = session.account().cloned();
                    self.regions.get(account, async || session.enabled_regions().await).await
                }
            };
            match regions {
                Ok(regions) => {
                    let regions: BTreeSet<_> = regions.into_iter().filter(|it| self.filter.admits_region(it)).collect();
                    spots.extend(regions.into_iter().map(|region| Spot { session: Arc::clone(session), region }));
                }
                Err(failure) => {
                    let scope = session.account().map(|account| format!(" of {account}")).unwrap_or_default();
                    gaps.push(Gap::new(format!("account{scope}"), Extent::of_account(session.account()), failure));
                }
            }
        }
        spots
    }

    /// Allows requests to the registries of `account`, whose images are audited.
    pub(super) fn see(&self, account: &str) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.insert(account.to_owned()) {
            (self.allow_account)(account);
        }
    }

    /// Whether images of `account` are audited.
    pub(super) fn has_seen(&self, account: &str) -> bool {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).contains(account)
    }

    /// The images of a workload's `repository`: empty if it was deleted; `None`, with a recorded error, if it cannot be
    /// listed.
    pub(super) async fn shelf(&self, repository: &EcrRepository) -> Option<Arc<Shelf>> {
        match self.listed(repository).await {
            Ok(listed) => Some(listed),
            Err(gap) if gap.code == ErrorCode::NotFound => Some(Arc::default()),
            Err(gap) => {
                self.note(gap);
                None
            }
        }
    }

    /// The images of `repository`, listed once a run.
    pub(super) async fn listed(&self, repository: &EcrRepository) -> Result<Arc<Shelf>, Gap> {
        self.shelves.get(repository.repository.clone(), async || shelf(repository).await.map(Arc::new)).await
    }

    /// The resource tags of `repository`, if owners are determined by tags or `is_needed` is set. Cached for a day.
    pub(super) async fn repository_tags(&self, repository: &EcrRepository, is_needed: bool) -> Arc<ResourceTags> {
        if self.owners.tags.is_empty() && !is_needed {
            return Arc::default();
        }
        let ask = async || {
            let name = &repository.repository;
            let known = self.images.catalog().recall(name, |memory| memory.resource_tags.clone());
            if let Some(known) = known.filter(|known| self.seen_at - known.read_at < TAGS_LAST) {
                return Arc::new(known.tags);
            }
            match repository.resource_tags().await {
                Ok(tags) => {
                    let memory = TagsMemory { read_at: self.seen_at, tags: tags.clone() };
                    self.images.catalog().note(name, |known| known.resource_tags = Some(memory));
                    Arc::new(tags)
                }
                Err(failure) => {
                    // Only the owner is unknown then, but owners and tags may select what to read.
                    self.note(Gap::new(repository.scope(), repository.extent(None), failure));
                    Arc::default()
                }
            }
        };
        self.tags.get(repository.repository.clone(), ask).await
    }

    /// Records an error; errors of the same scope and code are merged.
    pub(super) fn note(&self, gap: Gap) {
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.entry(format!("{} {}", gap.scope, gap.code)).and_modify(|known| known.absorb(&gap)).or_insert(gap);
    }

    /// The errors recorded since the last call.
    pub(super) fn take_gaps(&self) -> Vec<Gap> {
        std::mem::take(&mut *self.gaps.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }
}
