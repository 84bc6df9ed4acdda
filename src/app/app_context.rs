//! The context of a run with a store: clients, store and notification channels.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};

use super::{AppClients, OutboundClients};
use crate::{
    aws::Aws,
    config::{CatalogLocation, Settings},
    http::RequestCounter,
    store::{self, Catalog, Store, StoreLocation},
};

/// The subfolder of the catalog in a store folder.
const CATALOG: &str = "catalog";

/// How long a run waits for the store lock.
pub(crate) const LOCK_WAIT: Duration = Duration::from_mins(5);

/// The interval for saving the catalog during a run.
const KEEP_EVERY: Duration = Duration::from_mins(1);

/// The context of a run with a store.
pub struct AppContext {
    /// Registry clients, AWS clients and the catalog.
    pub clients: AppClients,
    /// The store of the ledger, reports and the catalog.
    pub store: Arc<dyn Store>,
    /// The notification channels and rebuild services.
    pub outbound: OutboundClients,
    /// Whether the catalog is saved to the store at the end of the run.
    pub keeps_catalog: bool,
}

impl AppContext {
    /// Creates the context for `settings`. Reads the catalog if it is in S3.
    ///
    /// # Errors
    ///
    /// When there is no store, and as [`AppClients::over`].
    pub async fn open(settings: &Settings) -> Result<Self> {
        let requests = Arc::new(RequestCounter::default());
        Self::over(settings, Aws::new(Arc::clone(&requests)), requests, Catalog::in_folder).await
    }

    /// As [`AppContext::open`], reusing the AWS clients of earlier runs.
    ///
    /// # Errors
    ///
    /// As [`AppContext::open`].
    pub async fn open_as(settings: &Settings, aws: &Aws) -> Result<Self> {
        let requests = Arc::new(RequestCounter::default());
        let aws = aws.for_another_run(Arc::clone(&requests)).await;
        Self::over(settings, aws, requests, Catalog::in_folder).await
    }

    /// As [`AppContext::open`], for a dry run: nothing is written, not even the catalog.
    ///
    /// # Errors
    ///
    /// As [`AppContext::open`].
    pub async fn for_dry_run(settings: &Settings) -> Result<Self> {
        let requests = Arc::new(RequestCounter::default());
        Self::over(settings, Aws::new(Arc::clone(&requests)), requests, Catalog::reading).await
    }

    /// The location of the latest report, for people.
    pub(crate) fn report_location(&self) -> String {
        format!("{}/{}", self.store.location(), store::LATEST)
    }

    /// Saves changes of the catalog to the store or to its folder.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn keep_catalog(&self) -> store::Result<()> {
        let catalog = self.clients.images.catalog();
        if self.keeps_catalog {
            catalog.save(&*self.store).await?;
        } else {
            catalog.flush();
        }
        Ok(())
    }

    /// Runs `work` and saves the catalog every minute, so that a killed run loses at most that much.
    pub(crate) async fn keeping_catalog<T>(&self, work: impl Future<Output = T>) -> T {
        self.keeping_catalog_every(KEEP_EVERY, work).await
    }

    async fn keeping_catalog_every<T>(&self, every: Duration, work: impl Future<Output = T>) -> T {
        let keep = async {
            loop {
                tokio::time::sleep(every).await;
                if let Err(error) = self.keep_catalog().await {
                    tracing::debug!("cannot save the catalog yet: {error}");
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = keep => unreachable!("saving never ends"),
        }
    }

    async fn over(
        settings: &Settings,
        aws: Aws,
        requests: Arc<RequestCounter>,
        in_folder: fn(&Path) -> Catalog,
    ) -> Result<Self> {
        let aws = Arc::new(aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition()));
        let location = location(settings)?;
        let store = store::open(location, Arc::clone(&aws));
        let (catalog, keeps_catalog) = match (&settings.catalog, location) {
            (CatalogLocation::UserCache(_), StoreLocation::Folder(folder)) => (in_folder(&folder.join(CATALOG)), false),
            (CatalogLocation::UserCache(_), StoreLocation::S3 { .. }) => (Catalog::load(&*store).await, true),
            (CatalogLocation::Folder(folder), _) => (in_folder(folder), false),
            (CatalogLocation::Off, _) => (Catalog::in_memory(), false),
        };
        let catalog = match location {
            StoreLocation::Folder(folder) => catalog.in_store(folder),
            StoreLocation::S3 { .. } => catalog,
        };
        let outbound = OutboundClients::open(settings, &aws, &requests)?;
        let clients = AppClients::over(settings.network.clone(), aws, requests, catalog)?;
        Ok(Self { clients, store, outbound, keeps_catalog })
    }
}

/// The folder catalogs of `settings`: that of `audit`, and that of runs with a store folder.
pub(crate) fn catalogs(settings: &Settings) -> Vec<Catalog> {
    let of_audits = settings.catalog.as_folder().map(Catalog::in_folder);
    let of_runs = match (&settings.catalog, &settings.store) {
        (CatalogLocation::UserCache(_), Some(StoreLocation::Folder(folder))) => {
            Some(Catalog::in_folder(&folder.join(CATALOG)).in_store(folder))
        }
        _ => None,
    };
    of_audits.into_iter().chain(of_runs).collect()
}

/// The store and channels of `settings`, for commands that do not audit.
///
/// # Errors
///
/// As [`AppContext::open`].
pub(crate) fn open_store(settings: &Settings) -> Result<(Arc<dyn Store>, OutboundClients)> {
    let requests = Arc::new(RequestCounter::default());
    let aws = Arc::new(Aws::new(Arc::clone(&requests)).with_partition(settings.partition()));
    let store = store::open(location(settings)?, Arc::clone(&aws));
    Ok((store, OutboundClients::open(settings, &aws, &requests)?))
}

fn location(settings: &Settings) -> Result<&StoreLocation> {
    settings.store.as_ref().ok_or_else(|| {
        anyhow!(
            "no store is configured: set store = \"FOLDER\" or \"s3://BUCKET/PREFIX\" in the configuration, or \
            BASEWATCH_STORE; it keeps the state of alerts"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FolderStore;

    #[tokio::test]
    async fn the_catalog_is_saved_to_the_store_during_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path().to_owned()));
        let requests = Arc::new(RequestCounter::default());
        let aws = Arc::new(Aws::new(Arc::clone(&requests)));
        let outbound = OutboundClients::open(&settings, &aws, &requests).unwrap();
        let clients = AppClients::over(settings.network.clone(), aws, requests, Catalog::load(&*store).await).unwrap();
        let context = AppContext { clients, store, outbound, keeps_catalog: true };
        let work = async {
            context.clients.images.catalog().put_note("orders", &1);
            for _ in 0..500 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if Catalog::load(&*context.store).await.get_note::<u32>("orders") == Some(1) {
                    return true;
                }
            }
            false
        };
        assert!(context.keeping_catalog_every(Duration::from_millis(10), work).await);
    }
}
