//! The resources of the emulated cloud: accounts, regions, and the resources of each region.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cloud,
    ecr::{CloudCacheRule, CloudRepository},
    ecs::{CloudCluster, TaskDefinition},
    lambda::CloudFunction,
};

/// The default regions of an account
/// (<https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>).
pub(super) const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Some of the opt-in regions.
pub(super) const OPT_IN_REGIONS: [&str; 5] = ["af-south-1", "ap-east-1", "eu-central-2", "eu-south-1", "me-south-1"];

/// The status of an account in an organization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountStatus {
    /// It is in use.
    #[default]
    Active,
    /// It is closed or suspended by AWS.
    Suspended,
}

/// All accounts and their resources.
#[derive(Debug, Default)]
pub(super) struct CloudWorld {
    /// The account that manages the organization, if there is one.
    pub(super) management: String,
    pub(super) accounts: BTreeMap<String, Account>,
    regions: BTreeMap<String, BTreeMap<String, CloudRegion>>,
    /// The accounts whose repositories others may read.
    pub(super) shared_registries: BTreeSet<String>,
}

/// An account.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) status: AccountStatus,
    /// Its enabled regions, if not the default ones.
    pub(super) regions: Option<BTreeSet<String>>,
    /// Its name, if it is in the organization.
    pub(super) member: Option<String>,
}

/// The resources of one account in one region.
#[derive(Debug, Default)]
pub(super) struct CloudRegion {
    pub(super) functions: BTreeMap<String, CloudFunction>,
    pub(super) repositories: BTreeMap<String, CloudRepository>,
    pub(super) rules: Vec<CloudCacheRule>,
    pub(super) clusters: BTreeMap<String, CloudCluster>,
    /// By family and revision.
    pub(super) task_definitions: BTreeMap<(String, u32), TaskDefinition>,
}

impl CloudWorld {
    /// A world with the account `own` only.
    pub(super) fn new(own: &str) -> Self {
        let accounts = BTreeMap::from([(own.to_owned(), Account::default())]);
        Self { management: own.to_owned(), accounts, ..Self::default() }
    }

    /// Whether `caller` may manage the account `id`: those of the organization, from the account that manages it
    /// (<https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html>).
    pub(super) fn manages(&self, caller: &str, id: &str) -> bool {
        let is_member = |id: &str| self.accounts.get(id).is_some_and(|account| account.member.is_some());
        caller == self.management && id != caller && is_member(id)
    }

    /// The account `id`, added if it does not exist.
    pub(super) fn account(&mut self, id: &str) -> &mut Account {
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// The resources of `account` in `region`, added if they do not exist.
    pub(super) fn region_mut(&mut self, account: &str, region: &str) -> &mut CloudRegion {
        let _ = self.account(account);
        self.regions.entry(account.to_owned()).or_default().entry(region.to_owned()).or_default()
    }

    /// The resources of `account` in `region`.
    pub(super) fn region(&self, account: &str, region: &str) -> Option<&CloudRegion> {
        self.regions.get(account)?.get(region)
    }

    /// Whether `account` has `region`.
    pub(super) fn has_region(&self, account: &str, region: &str) -> bool {
        match self.accounts.get(account).and_then(|account| account.regions.as_ref()) {
            Some(regions) => regions.contains(region),
            None => DEFAULT_REGIONS.contains(&region),
        }
    }
}

impl Cloud {
    /// Adds an account that is in no organization; adding a resource also adds its account.
    pub fn account(&self, id: &str) {
        let _ = self.change().account(id);
    }

    /// Adds a member to the organization, which the own account manages and which begins with its first member.
    pub fn member(&self, id: &str, name: &str, status: AccountStatus) {
        let mut world = self.change();
        let management = world.account(&self.0.own_account);
        let _ = management.member.get_or_insert_with(|| "management".to_owned());
        let account = world.account(id);
        account.member = Some(name.to_owned());
        account.status = status;
    }

    /// Enables exactly these regions for `account`.
    pub fn enable_regions(&self, account: &str, regions: &[&str]) {
        self.change().account(account).regions = Some(regions.iter().map(|region| (*region).to_owned()).collect());
    }
}
