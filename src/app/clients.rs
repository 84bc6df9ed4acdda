//! The clients of a run: registries, AWS and the catalog.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result};

use crate::{
    aws::Aws,
    config::Settings,
    http::RequestCounter,
    registry::{DistributionClient, NetworkSettings},
    store::{Catalog, ImageReader, StoreLocation},
};

/// The clients of a run.
pub struct AppClients {
    /// Request counters.
    pub requests: Arc<RequestCounter>,
    /// AWS clients, created when first used.
    pub aws: Arc<Aws>,
    /// The registry client.
    pub client: Arc<DistributionClient>,
    /// Images, cached in the catalog.
    pub images: Arc<ImageReader>,
}

impl AppClients {
    /// Creates the clients for `settings`, without sending requests.
    ///
    /// # Errors
    ///
    /// When a registry setting is invalid, such as an unreadable CA bundle.
    pub fn open(settings: &Settings) -> Result<Self> {
        let catalog = settings.catalog.as_folder().map_or_else(Catalog::in_memory, Catalog::in_folder);
        let catalog = match &settings.store {
            Some(StoreLocation::Folder(folder)) => catalog.in_store(folder),
            _ => catalog,
        };
        Self::with(settings.network.clone(), catalog, |aws| {
            aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition())
        })
    }

    /// Creates clients with `catalog` and an AWS client that `prepare` configures.
    ///
    /// # Errors
    ///
    /// As [`AppClients::open`].
    pub fn with(network: NetworkSettings, catalog: Catalog, prepare: impl FnOnce(Aws) -> Aws) -> Result<Self> {
        let requests = Arc::new(RequestCounter::default());
        let aws = Arc::new(prepare(Aws::new(Arc::clone(&requests))));
        Self::over(network, aws, requests, catalog)
    }

    /// Creates clients with `aws` and `catalog`; both count requests in `requests`.
    ///
    /// # Errors
    ///
    /// As [`AppClients::open`].
    pub fn over(
        network: NetworkSettings,
        aws: Arc<Aws>,
        requests: Arc<RequestCounter>,
        catalog: Catalog,
    ) -> Result<Self> {
        let client = DistributionClient::new(network, Some(Arc::clone(&aws) as _), Arc::clone(&requests))
            .context("invalid registry settings")?;
        let client = Arc::new(client);
        let images = Arc::new(ImageReader::new(Arc::clone(&client) as _, Arc::new(catalog)));
        Ok(Self { requests, aws, client, images })
    }

    /// The authentication method used for each registry, by host.
    #[must_use]
    pub fn authentication(&self) -> BTreeMap<String, String> {
        self.client.authentication()
    }
}
