//! The outside world of one run: the registries, AWS, and the catalog, built once and passed in.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result};

use crate::{
    aws::Aws,
    config::Settings,
    registry::{DistributionClient, NetworkSettings, Requests},
    store::{Catalog, Images, Place},
};

/// Everything a run talks to.
pub struct Ports {
    /// What was sent so far.
    pub requests: Arc<Requests>,
    /// AWS, looked up when first needed.
    pub aws: Arc<Aws>,
    /// The registries.
    pub client: Arc<DistributionClient>,
    /// Images, through the catalog.
    pub images: Arc<Images>,
}

impl Ports {
    /// Opens the ports that `settings` describe. Contacts nothing yet.
    ///
    /// # Errors
    ///
    /// When a setting of the registries does not work out, a CA bundle that cannot be read for one.
    pub fn open(settings: &Settings) -> Result<Self> {
        let catalog = settings.catalog.as_folder().map_or_else(Catalog::in_memory, Catalog::in_folder);
        let catalog = match &settings.store {
            Some(Place::Folder(folder)) => catalog.in_store(folder),
            _ => catalog,
        };
        Self::with(settings.network.clone(), catalog, |aws| {
            aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition())
        })
    }

    /// Opens ports over `catalog` and an AWS that `prepare` has prepared.
    ///
    /// # Errors
    ///
    /// As [`Ports::open`].
    pub fn with(network: NetworkSettings, catalog: Catalog, prepare: impl FnOnce(Aws) -> Aws) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        let aws = Arc::new(prepare(Aws::new(Arc::clone(&requests))));
        Self::over(network, aws, requests, catalog)
    }

    /// Opens ports over `aws` and `catalog`; `requests` is what both count into.
    ///
    /// # Errors
    ///
    /// As [`Ports::open`].
    pub fn over(network: NetworkSettings, aws: Arc<Aws>, requests: Arc<Requests>, catalog: Catalog) -> Result<Self> {
        let client = DistributionClient::new(network, Some(Arc::clone(&aws) as _), Arc::clone(&requests))
            .context("the registry settings do not work")?;
        let client = Arc::new(client);
        let images = Arc::new(Images::new(Arc::clone(&client) as _, Arc::new(catalog)));
        Ok(Self { requests, aws, client, images })
    }

    /// How each registry was authenticated to, by host.
    #[must_use]
    pub fn authentication(&self) -> BTreeMap<String, String> {
        self.client.authentication()
    }
}
