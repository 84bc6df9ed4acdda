//! The context of a run with a store: clients, store and notification channels.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};

use super::{Ports, Receivers};
use crate::{
    aws::Aws,
    config::{CatalogPlace, Settings},
    registry::Requests,
    store::{self, Catalog, Place, Store},
};

/// The subfolder of the catalog in a store folder.
const CATALOG: &str = "catalog";

/// The interval for saving the catalog during a run.
const KEEP_EVERY: Duration = Duration::from_mins(1);

/// The context of a run with a store.
pub struct World {
    /// Registry clients, AWS clients and the catalog.
    pub ports: Ports,
    /// The store of the ledger, reports and the catalog.
    pub store: Arc<dyn Store>,
    /// The notification channels and rebuild services.
    pub receivers: Receivers,
    /// Whether the catalog is saved to the store at the end of the run.
    pub keeps_catalog: bool,
}

impl World {
    /// Creates the context for `settings`. Reads the catalog if it is in S3.
    ///
    /// # Errors
    ///
    /// When there is no store, and as [`Ports::over`].
    pub async fn open(settings: &Settings) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        Self::over(settings, Aws::new(Arc::clone(&requests)), requests, Catalog::in_folder).await
    }

    /// As [`World::open`], reusing the AWS clients of earlier runs.
    ///
    /// # Errors
    ///
    /// As [`World::open`].
    pub async fn open_as(settings: &Settings, aws: &Aws) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        let aws = aws.for_another_run(Arc::clone(&requests)).await;
        Self::over(settings, aws, requests, Catalog::in_folder).await
    }

    /// As [`World::open`], for a dry run: nothing is written, not even the catalog.
    ///
    /// # Errors
    ///
    /// As [`World::open`].
    pub async fn for_rehearsal(settings: &Settings) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        Self::over(settings, Aws::new(Arc::clone(&requests)), requests, Catalog::reading).await
    }

    /// Saves changes of the catalog to the store or to its folder.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn keep_catalog(&self) -> store::Result<()> {
        let catalog = self.ports.images.catalog();
        if self.keeps_catalog {
            catalog.save(&*self.store).await?;
        } else {
            catalog.flush();
        }
        Ok(())
    }

    /// Runs `work` and saves the catalog every minute, so that a killed run loses at most that much.
    pub(super) async fn keeping_catalog<T>(&self, work: impl Future<Output = T>) -> T {
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
        requests: Arc<Requests>,
        in_folder: fn(&Path) -> Catalog,
    ) -> Result<Self> {
        let aws = Arc::new(aws.with_accounts(settings.accounts.clone()).with_partition(settings.partition()));
        let place = place(settings)?;
        let store = store::open(place, Arc::clone(&aws));
        let (catalog, keeps_catalog) = match (&settings.catalog, place) {
            (CatalogPlace::UserCache(_), Place::Folder(folder)) => (in_folder(&folder.join(CATALOG)), false),
            (CatalogPlace::UserCache(_), Place::S3 { .. }) => (Catalog::load(&*store).await, true),
            (CatalogPlace::Folder(folder), _) => (in_folder(folder), false),
            (CatalogPlace::Off, _) => (Catalog::in_memory(), false),
        };
        let catalog = match place {
            Place::Folder(folder) => catalog.in_store(folder),
            Place::S3 { .. } => catalog,
        };
        let receivers = Receivers::open(settings, &aws, &requests)?;
        let ports = Ports::over(settings.network.clone(), aws, requests, catalog)?;
        Ok(Self { ports, store, receivers, keeps_catalog })
    }
}

/// The folder catalogs of `settings`: that of `audit`, and that of runs with a store folder.
pub(super) fn catalogs(settings: &Settings) -> Vec<Catalog> {
    let of_audits = settings.catalog.as_folder().map(Catalog::in_folder);
    let of_runs = match (&settings.catalog, &settings.store) {
        (CatalogPlace::UserCache(_), Some(Place::Folder(folder))) => {
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
/// As [`World::open`].
pub(super) fn memory(settings: &Settings) -> Result<(Arc<dyn Store>, Receivers)> {
    let requests = Arc::new(Requests::default());
    let aws = Arc::new(Aws::new(Arc::clone(&requests)).with_partition(settings.partition()));
    let store = store::open(place(settings)?, Arc::clone(&aws));
    Ok((store, Receivers::open(settings, &aws, &requests)?))
}

fn place(settings: &Settings) -> Result<&Place> {
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
        let requests = Arc::new(Requests::default());
        let aws = Arc::new(Aws::new(Arc::clone(&requests)));
        let receivers = Receivers::open(&settings, &aws, &requests).unwrap();
        let ports = Ports::over(settings.network.clone(), aws, requests, Catalog::load(&*store).await).unwrap();
        let world = World { ports, store, receivers, keeps_catalog: true };
        let work = async {
            world.ports.images.catalog().keep("orders", &1);
            for _ in 0..500 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if Catalog::load(&*world.store).await.kept::<u32>("orders") == Some(1) {
                    return true;
                }
            }
            false
        };
        assert!(world.keeping_catalog_every(Duration::from_millis(10), work).await);
    }
}
