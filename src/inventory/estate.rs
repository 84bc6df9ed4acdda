//! Where in AWS does a run look, and what do its inventories share? Accounts, regions, repositories, owners.

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

/// How long the resource tags of a repository are believed.
const TAGS_LAST: TimeDelta = TimeDelta::days(1);

/// Told each AWS account whose repositories are read, before any of its registries is asked.
pub type AllowAccount = Arc<dyn Fn(&str) + Send + Sync>;

/// Told each registry that a pull-through cache serves, with the cache.
pub type OfferCache = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// The part of AWS that a run looks at, and what is found out about it once.
pub struct Estate {
    /// AWS.
    pub(super) aws: Arc<Aws>,
    /// Images, through the catalog.
    pub(super) images: Arc<Images>,
    /// Told of accounts.
    allow_account: AllowAccount,
    pub(super) offer_cache: OfferCache,
    /// Requests under way at once.
    pub(super) concurrency: usize,
    /// How owners are found.
    pub(super) owners: Owners,
    /// What the command line leaves.
    pub(super) filter: Filter,
    /// The clock's now.
    pub(super) seen_at: DateTime<Utc>,
    regions: Once<Option<AccountId>, Result<Vec<Region>, Failure>>,
    shelves: Once<Repository, Result<Arc<Shelf>, Gap>>,
    tags: Once<Repository, Arc<ResourceTags>>,
    gaps: Mutex<BTreeMap<String, Gap>>,
    accounts: Mutex<BTreeSet<String>>,
}

impl Estate {
    /// The estate that `aws` shows. What is read of images goes through `images`.
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

    /// With so many requests under way at once.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency: concurrency.max(1), ..self }
    }

    /// With `offer_cache` told of pull-through caches.
    #[must_use]
    pub fn with_caches(self, offer_cache: OfferCache) -> Self {
        Self { offer_cache, ..self }
    }

    /// With owners found by `owners`.
    #[must_use]
    pub fn with_owners(self, owners: Owners) -> Self {
        Self { owners, ..self }
    }

    /// With only what `filter` leaves.
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// The regions of all accounts that are meant; those that cannot be asked are in `gaps`.
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

    /// Notes that images of `account` are audited, so that its registries may be asked.
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

    /// What `repository` of something that runs holds: no image if it was deleted; not told if it cannot be
    /// listed, which is then a gap.
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

    /// What `repository` holds, asked once a run.
    pub(super) async fn listed(&self, repository: &EcrRepository) -> Result<Arc<Shelf>, Gap> {
        self.shelves.get(repository.repository.clone(), async || shelf(repository).await.map(Arc::new)).await
    }

    /// The resource tags of `repository`, if owners are found by tags or `is_needed` otherwise. Remembered for
    /// a day.
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
                    // Only the owner is not known then, but owners and tags may choose what is read.
                    self.note(Gap::new(repository.scope(), repository.extent(None), failure));
                    Arc::default()
                }
            }
        };
        self.tags.get(repository.repository.clone(), ask).await
    }

    /// Notes what could not be seen; one gap for each place and code.
    pub(super) fn note(&self, gap: Gap) {
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.entry(format!("{} {}", gap.scope, gap.code)).and_modify(|known| known.absorb(&gap)).or_insert(gap);
    }

    /// What was noted since the last time.
    pub(super) fn take_gaps(&self) -> Vec<Gap> {
        std::mem::take(&mut *self.gaps.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }
}
