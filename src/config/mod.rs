//! Settings: TOML file < `BASEWATCH_…` environment < flags, merged once, then validated with all problems
//! reported together.
//!
//! The raw structs are the documentation: schema, example and `docs/configuration.md` are generated
//! from them or compared with them. Knows what settings mean, never what is done with them.

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
mod partition;
mod policy;
mod problem;
mod raw;
mod rebuild;
mod registry;
mod removed;
mod scope;
mod secret;
mod serve;
mod shape;
mod store;
mod tree;
mod values;
mod watch;

use std::path::{Path, PathBuf};

pub use environment::{CONFIG_VARIABLE, Environment, LOG_VARIABLE};
pub use load::{FILE_LIMIT, FILE_NAME, Flags, Loaded, candidates, load, object};
pub use problem::{Problem, Problems};
pub use raw::schema;
pub use serve::{ProxySettings, ServeSettings};
pub use tree::{KeyPath, Origin};

use crate::inventory::{DeploymentKind, ImageSource, Regions};

/// The commented configuration that `config init` writes: every key, with its default or an example.
pub const EXAMPLE: &str = include_str!("../../config/basewatch.toml");

/// Everything a run is told, validated.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What is too old.
    pub policy: crate::judge::Policy,
    /// Which labels count, and which repositories hold bases.
    pub identify: crate::identify::Settings,
    /// The same repositories, for who asks registries about them.
    pub resolve: crate::resolve::Settings,
    /// What to audit in private ECR.
    pub ecr: Vec<crate::inventory::EcrSettings>,
    /// Which Lambda functions to audit.
    pub lambda: Vec<crate::inventory::LambdaSettings>,
    /// Which ECS services and tasks to audit.
    pub ecs: Vec<crate::inventory::EcsSettings>,
    /// The accounts that are asked; only one's own without them.
    pub accounts: Option<crate::aws::AccountSettings>,
    /// How owners are found.
    pub owners: crate::inventory::Owners,
    /// What the command line leaves of all this.
    pub filter: crate::inventory::Filter,
    /// Whether that is only a part, or other images instead: what is not seen may be there all the same.
    pub is_part: bool,
    /// The least verdict that the run fails for, as the command line says; none if it never does.
    pub fail_on: Option<crate::judge::Verdict>,
    /// The region that the environment names.
    pub environment_region: Option<String>,
    /// Where the configuration is, if it is an object of S3.
    pub config_object: Option<crate::store::ObjectPlace>,
    /// What to audit by name.
    pub images: Vec<ImageSource>,
    /// How registries are talked to.
    pub network: crate::registry::NetworkSettings,
    /// Where ledger, reports and catalog are kept, for those who remember and tell.
    pub store: Option<crate::store::Place>,
    /// How long reports are kept there.
    pub retention: crate::store::Retention,
    /// Who is told what, and when.
    pub notify: crate::notify::Settings,
    /// When basewatch tells of itself.
    pub watch: crate::notify::WatchSettings,
    /// Who is asked to build images again.
    pub rebuild: crate::rebuild::Settings,
    /// When `basewatch serve` runs, and who may read what it found.
    pub serve: ServeSettings,
    /// Where facts are remembered.
    pub catalog: CatalogPlace,
    /// Which release catalog of others is loaded.
    pub releases: ReleaseCatalogSettings,
    /// Images and bases worked on at once.
    pub concurrency: Concurrency,
}

impl Settings {
    /// Where each table of the inventory looks in AWS.
    #[must_use]
    pub fn regions(&self) -> Vec<&Regions> {
        let lambda = self.lambda.iter().map(|lambda| &lambda.regions);
        let ecs = self.ecs.iter().map(|ecs| &ecs.regions);
        lambda.chain(ecs).chain(self.ecr.iter().map(|ecr| &ecr.regions)).collect()
    }

    /// The kinds of deployments that are looked for.
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

    /// Lets the registry `host` be contacted.
    pub fn allow(&mut self, host: &str) {
        let allow = &mut self.network.allow;
        if !allow.iter().any(|known| known == host) {
            allow.push(host.to_owned());
        }
    }

    /// Lets the registries of [`Settings::images`] and of the release catalog be contacted.
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

/// Which release catalog is loaded before bases are identified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseCatalogSettings {
    /// Where it is published; without, the one that was imported.
    pub source: Option<crate::release_catalog::CatalogSource>,
    /// The key for which it must be signed.
    pub public_key: Option<crate::release_catalog::PublicKey>,
}

/// Where the catalog is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogPlace {
    /// Nobody said where: `basewatch` in the user's cache folder, as far as there is one; with a store, there.
    UserCache(Option<PathBuf>),
    /// A folder of one's own.
    Folder(PathBuf),
    /// Nowhere: everything is fetched again each run.
    Off,
}

impl Default for CatalogPlace {
    fn default() -> Self {
        Self::UserCache(None)
    }
}

impl CatalogPlace {
    /// The folder, without regard to a store; none if nothing is to be kept.
    #[must_use]
    pub fn as_folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::UserCache(folder) => folder.as_deref(),
            Self::Off => None,
        }
    }
}

/// How many images and bases are worked on at once, over all registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency(pub usize);

impl Default for Concurrency {
    fn default() -> Self {
        Self(128)
    }
}

/// The environment variables that set a key, with the key: for the documentation.
#[must_use]
pub fn variables() -> Vec<(String, KeyPath)> {
    let settable = shape::Shape::new(schema()).settable();
    settable.into_iter().map(|key| (key.variable, key.path)).collect()
}
