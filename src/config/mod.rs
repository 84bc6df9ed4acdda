//! Settings: TOML file < `BASEWATCH_…` environment < flags, merged once, then validated with all problems
//! reported together.

use std::path::PathBuf;

use crate::{identify, inventory, judge, registry, resolve};

/// Everything a run is told, validated.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What is too old.
    pub policy: judge::Policy,
    /// Which labels count.
    pub identify: identify::Settings,
    /// How releases are dated.
    pub resolve: resolve::Settings,
    /// What to audit in private ECR.
    pub ecr: Vec<inventory::EcrSettings>,
    /// What to audit by name.
    pub images: Vec<inventory::ImageSource>,
    /// How registries are talked to.
    pub network: registry::NetworkSettings,
    /// Where facts are remembered.
    pub catalog: CatalogPlace,
    /// Images and bases worked on at once.
    pub concurrency: Concurrency,
}

/// Where the catalog is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CatalogPlace {
    /// `basewatch` in the user's cache folder.
    #[default]
    UserCache,
    /// A folder of one's own.
    Folder(PathBuf),
    /// Nowhere: everything is fetched again each run.
    Off,
}

/// How many images and bases are worked on at once, over all registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency(pub usize);

impl Default for Concurrency {
    fn default() -> Self {
        Self(32)
    }
}
