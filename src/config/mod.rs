//! Settings: a TOML file, overridden by `BASEWATCH_…` variables and flags. Validation reports all problems together.
//!
//! The doc comments of the raw structs are the documentation: the schema and `docs/configuration.md` are generated from
//! them, and the example is checked against them.

mod accounts;
mod catalog;
mod check;
mod environment;
mod exemption;
mod hold;
mod identify;
mod inventory;
mod load;
mod network;
mod notify;
mod owners;
mod parse;
mod partition;
mod policy;
mod problem;
mod raw;
mod rebuild;
mod registry;
mod scope;
mod secret;
mod serve;
mod shape;
mod store;
mod tree;
mod values;
mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use environment::{CONFIG_VARIABLE, EnvironmentVariables, LOG_FORMAT_VARIABLE, LOG_VARIABLE};
pub use load::{CliOverrides, FILE_LIMIT, FILE_NAME, LoadedConfig, candidates, load, object};
pub use problem::{ConfigProblem, ConfigProblems};
pub use raw::schema;
pub use serve::{ProxySettings, ServeSettings};
pub use tree::{KeyPath, ValueOrigin};

use crate::{
    glob::Glob,
    image::{Region, misspelt_region},
    inventory::{DeploymentKind, ImageSource, RegionSelection},
};

/// The commented example that `config init` writes: every key with its default or an example value.
pub const EXAMPLE: &str = include_str!("../../config/basewatch.toml");

/// The validated settings of a run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// When a base is too old, and how severe that is.
    pub policy: crate::judge::Policy,
    /// How bases are identified: labels, base repositories, mirrors.
    pub identify: crate::identify::IdentifySettings,
    /// How bases are resolved: base repositories and holds.
    pub resolve: crate::resolve::ResolveSettings,
    /// The images in private ECR to audit.
    pub ecr: Vec<crate::inventory::EcrSettings>,
    /// The Lambda functions to audit.
    pub lambda: Vec<crate::inventory::LambdaSettings>,
    /// The ECS services and tasks to audit.
    pub ecs: Vec<crate::inventory::EcsSettings>,
    /// The accounts to audit; `None` for the account of the credentials.
    pub accounts: Option<crate::aws::AccountSettings>,
    /// How owners are determined.
    pub owners: crate::inventory::OwnerSettings,
    /// The filters of the command line.
    pub filter: crate::inventory::InventoryFilter,
    /// Whether only a part of the inventory, or other images, are audited: a deployment without a finding may still
    /// exist.
    pub is_part: bool,
    /// The least severe verdict that fails the run, from the command line; `None` for never.
    pub fail_on: Option<crate::judge::Verdict>,
    /// The region of `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub environment_region: Option<String>,
    /// The configuration file, if it is in S3.
    pub config_object: Option<crate::store::ObjectLocation>,
    /// The images to audit by reference.
    pub images: Vec<ImageSource>,
    /// How registries are accessed.
    pub network: crate::registry::NetworkSettings,
    /// The store: where `run`, `serve` and `lambda` keep the ledger, reports and the catalog.
    pub store: Option<crate::store::StoreLocation>,
    /// How long the store keeps reports.
    pub retention: crate::store::Retention,
    /// Which notification channels receive which alerts.
    pub notify: crate::notify::NotifySettings,
    /// When basewatch reports problems of its own runs.
    pub watch: crate::notify::SelfMonitorSettings,
    /// How image rebuilds are triggered.
    pub rebuild: crate::rebuild::RebuildSettings,
    /// The schedule, address and access control of `basewatch serve`.
    pub serve: ServeSettings,
    /// Where the catalog is stored.
    pub catalog: CatalogLocation,
    /// Which release catalog is loaded.
    pub releases: ReleaseCatalogSettings,
    /// How many images and bases are processed concurrently.
    pub concurrency: Concurrency,
}

impl Settings {
    /// The regions of each inventory table.
    #[must_use]
    pub fn regions(&self) -> Vec<&RegionSelection> {
        let lambda = self.lambda.iter().map(|lambda| &lambda.regions);
        let ecs = self.ecs.iter().map(|ecs| &ecs.regions);
        lambda.chain(ecs).chain(self.ecr.iter().map(|ecr| &ecr.regions)).collect()
    }

    /// The regions that are probably misspelt, each with the known one that it resembles: of the inventory, of `--region`
    /// and of the environment.
    #[must_use]
    pub fn misspelt_regions(&self) -> BTreeMap<String, &'static str> {
        let listed = self.regions().into_iter().filter_map(RegionSelection::as_listed).flatten().map(Region::as_str);
        let filter = self.filter.regions.iter().map(Glob::as_str);
        let named = listed.chain(filter).chain(self.environment_region.as_deref());
        named.filter_map(|name| Some((name.to_owned(), misspelt_region(name)?))).collect()
    }

    /// The kinds of deployments in the inventory.
    #[must_use]
    pub fn kinds(&self) -> Vec<DeploymentKind> {
        let is_layout = |source: &&ImageSource| matches!(source, ImageSource::Layout { .. });
        let layouts = self.images.iter().filter(is_layout).count();
        let kinds = [
            (DeploymentKind::Lambda, self.lambda.len()),
            (DeploymentKind::Ecs, self.ecs.len()),
            (DeploymentKind::Ecr, self.ecr.len()),
            (DeploymentKind::Image, self.images.len() - layouts),
            (DeploymentKind::Layout, layouts),
        ];
        kinds.into_iter().filter(|(_, number)| *number > 0).map(|(kind, _)| kind).collect()
    }

    /// Allows the registry `host` to be contacted.
    pub fn allow(&mut self, host: &str) {
        let allow = &mut self.network.allow;
        if !allow.iter().any(|known| known == host) {
            allow.push(host.to_owned());
        }
    }

    /// Allows the registries of [`Settings::images`] and of the release catalog to be contacted.
    pub fn allow_images(&mut self) {
        if let Some(crate::release_catalog::CatalogSource::Oci(reference)) = self.releases.source.clone() {
            self.allow(&reference.repository.registry);
        }
        for source in self.images.clone() {
            if let ImageSource::Reference(reference) = source {
                self.allow(&reference.repository.registry);
            }
        }
    }
}

/// Settings of the release catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseCatalogSettings {
    /// Where it is published; `None` for the imported one.
    pub source: Option<crate::release_catalog::CatalogSource>,
    /// The key that must verify its signature.
    pub public_key: Option<crate::release_catalog::PublicKey>,
}

/// Where the catalog is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogLocation {
    /// The default: the user's cache folder, if there is one; for runs with a store, the store.
    UserCache(Option<PathBuf>),
    /// The configured folder.
    Folder(PathBuf),
    /// Disabled: every run fetches everything again.
    Off,
}

impl Default for CatalogLocation {
    fn default() -> Self {
        Self::UserCache(None)
    }
}

impl CatalogLocation {
    /// The folder, ignoring the store; `None` if the catalog is disabled.
    #[must_use]
    pub fn as_folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::UserCache(folder) => folder.as_deref(),
            Self::Off => None,
        }
    }
}

/// How many images and bases are processed concurrently, over all registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency(pub usize);

impl Default for Concurrency {
    fn default() -> Self {
        // Four registries at their limit of connections; what waits is small.
        Self(128)
    }
}

/// The environment variables and the keys that they set, for the documentation.
#[must_use]
pub fn variables() -> Vec<(String, KeyPath)> {
    let settable = shape::ConfigSchema::new(schema()).settable();
    settable.into_iter().map(|key| (key.variable, key.path)).collect()
}
