//! A test rig for AWS inventories, in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use basewatch::{
    aws::{AccountSettings, Aws},
    http::RequestCounter,
    inventory::{
        AwsScope, CollectionError, Deployment, EcrInventory, EcrSettings, ImageError, Inventory, InventoryResult,
        LambdaInventory, LambdaSettings, OwnerSettings, RegionSelection, Selector,
    },
    judge::ReasonCode,
    registry::Registry,
    secret::Secret,
    store::{Catalog, ImageReader},
};
use chrono::{DateTime, Utc};

use crate::inventory::{account::Account, memory_registry::MemoryRegistry};
use testbed::{
    allowed::assert_allowed,
    aws::{Answer, Call, Cloud},
};

pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI-never-shown";

pub(crate) struct Rig {
    pub(crate) cloud: Cloud,
    pub(crate) registry: Arc<MemoryRegistry>,
    pub(crate) requests: Arc<RequestCounter>,
    pub(crate) accounts: Arc<Mutex<Vec<String>>>,
    pub(crate) catalog: Arc<Catalog>,
    /// The time of the system clock.
    pub(crate) now: DateTime<Utc>,
    pub(crate) owners: OwnerSettings,
    /// The most attempts of a request.
    pub(crate) attempts: u32,
    pub(crate) members: Option<AccountSettings>,
}

impl Rig {
    pub(crate) fn new(registry: Arc<MemoryRegistry>, account: Account) -> Self {
        Self::with_faults(registry, account, |_| None)
    }

    /// `answer` answers every call.
    pub(crate) fn answering(
        registry: Arc<MemoryRegistry>,
        answer: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with_faults(registry, Account::new(), move |call| Some(answer(call)))
    }

    /// `fault` may answer instead of the account. The policies that ship must allow every call.
    pub(crate) fn with_faults(
        registry: Arc<MemoryRegistry>,
        Account(cloud): Account,
        fault: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        cloud.record();
        cloud.intercept(move |call| {
            call.permission().iter().for_each(|action| assert_allowed(action));
            fault(call)
        });
        Self {
            cloud,
            registry,
            requests: Arc::default(),
            accounts: Arc::default(),
            catalog: Arc::new(Catalog::in_memory()),
            now: "2026-11-20T06:00:00Z".parse().unwrap(),
            owners: OwnerSettings::default(),
            attempts: 3,
            members: None,
        }
    }

    pub(crate) fn aws(&self) -> Aws {
        Aws::new(Arc::clone(&self.requests))
            .with_transport(self.cloud.transport())
            .with_access_key("AKIDEXAMPLE", &Secret::new(SECRET.into()))
            .with_max_attempts(self.attempts)
            .with_accounts(self.members.clone())
            .with_first_backoff(Duration::from_millis(1))
    }

    /// The AWS scope of one run.
    pub(crate) fn aws_scope(&self) -> Arc<AwsScope> {
        self.aws_scope_of(self.aws())
    }

    /// The same over `aws`.
    pub(crate) fn aws_scope_of(&self, aws: Aws) -> Arc<AwsScope> {
        let registry: Arc<dyn Registry> = self.registry.clone();
        let images = Arc::new(ImageReader::new(registry, Arc::clone(&self.catalog)));
        let accounts = Arc::clone(&self.accounts);
        let allow = Arc::new(move |account: &str| accounts.lock().unwrap().push(account.to_owned()));
        let aws_scope = AwsScope::new(Arc::new(aws), images, allow, self.now);
        Arc::new(aws_scope.with_concurrency(8).with_owners(self.owners.clone()))
    }

    pub(crate) async fn read_inventory(&self, settings: &[EcrSettings]) -> InventoryResult {
        EcrInventory::new(settings.to_vec(), self.aws_scope()).deployments().await
    }

    pub(crate) async fn look_at_functions(&self, settings: &[LambdaSettings]) -> InventoryResult {
        LambdaInventory::new(settings.to_vec(), self.aws_scope()).deployments().await
    }
}

/// Everything tagged in one region.
pub(crate) fn settings() -> EcrSettings {
    EcrSettings {
        regions: regions(&[REGION]),
        selector: Selector::default(),
        tags: vec!["*".parse().unwrap()],
        newest: None,
        untagged: false,
    }
}

pub(crate) fn regions(names: &[&str]) -> RegionSelection {
    RegionSelection::Listed(names.iter().map(|name| name.parse().unwrap()).collect())
}

/// A selector of names that match one of `include` and none of `exclude`.
pub(crate) fn named(include: &[&str], exclude: &[&str]) -> Selector {
    let globs = |patterns: &[&str]| patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    Selector { include: globs(include), exclude: globs(exclude), ..Selector::default() }
}

/// Scopes and codes of errors.
pub(crate) fn codes(errors: &[CollectionError]) -> Vec<(&str, &str)> {
    errors.iter().map(|error| (error.scope.as_str(), error.code.as_str())).collect()
}

pub(crate) fn ids(deployments: &[Deployment]) -> Vec<&str> {
    deployments.iter().map(|deployment| deployment.id.as_str()).collect()
}

pub(crate) fn names(found: &InventoryResult) -> Vec<&str> {
    found.deployments.iter().map(|deployment| deployment.name.as_str()).collect()
}

/// The reason code of an image that cannot be read.
pub(crate) fn reason_code(why: &ImageError) -> &'static str {
    ReasonCode::from(why.code).as_str()
}

/// The reason codes of unreadable images, by name.
pub(crate) fn unreadable(found: &InventoryResult) -> Vec<(&str, &str)> {
    let code = |deployment: &Deployment| deployment.image.as_ref().err().map(reason_code);
    found.deployments.iter().filter_map(|deployment| Some((deployment.name.as_str(), code(deployment)?))).collect()
}
