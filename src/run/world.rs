//! The outside world of a run that remembers and tells: ports, store and receivers, built once and passed in.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};

use super::{Ports, Receivers};
use crate::{
    aws::Aws,
    config::{CatalogPlace, Settings},
    registry::Requests,
    store::{self, Catalog, Place, Store},
};

/// The catalog's folder in a store that is one.
const CATALOG: &str = "catalog";

/// How often the catalog is kept while a run goes on.
const KEEP_EVERY: Duration = Duration::from_mins(1);

/// Everything a run that remembers and tells talks to.
pub struct World {
    /// Registries, AWS and the catalog.
    pub ports: Ports,
    /// Where ledger, reports and catalog are kept.
    pub store: Arc<dyn Store>,
    /// Who is told and who is asked to rebuild.
    pub receivers: Receivers,
    /// Whether the catalog is kept in the store when the run is over.
    pub keeps_catalog: bool,
}

impl World {
    /// The world that `settings` describe; the catalog is read if it is in a bucket.
    ///
    /// # Errors
    ///
    /// When they name no store, and as [`Ports::over`].
    pub async fn open(settings: &Settings) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        Self::over(settings, Aws::new(Arc::clone(&requests)), requests, Catalog::in_folder).await
    }

    /// The same as `aws`, which runs before it may have used.
    ///
    /// # Errors
    ///
    /// As [`World::open`].
    pub async fn open_as(settings: &Settings, aws: &Aws) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        let aws = aws.for_another_run(Arc::clone(&requests)).await;
        Self::over(settings, aws, requests, Catalog::in_folder).await
    }

    /// The same for who only wants to see what would be done: nothing is written, not even what is learned.
    ///
    /// # Errors
    ///
    /// As [`World::open`].
    pub async fn for_rehearsal(settings: &Settings) -> Result<Self> {
        let requests = Arc::new(Requests::default());
        Self::over(settings, Aws::new(Arc::clone(&requests)), requests, Catalog::reading).await
    }

    /// Writes what was learned and is not written yet: into the store, or into the folder of the catalog.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn keep_catalog(&self) -> store::Result<()> {
        let catalog = self.ports.images.catalog();
        if self.keeps_catalog {
            catalog.save(&*self.store).await?;
        } else {
            catalog.flush();
        }
        Ok(())
    }

    /// Does `work`, and writes what is learned meanwhile each minute: a run that is killed loses what it learned since.
    pub(super) async fn keeping_catalog<T>(&self, work: impl Future<Output = T>) -> T {
        self.keeping_catalog_every(KEEP_EVERY, work).await
    }

    async fn keeping_catalog_every<T>(&self, every: Duration, work: impl Future<Output = T>) -> T {
        let keep = async {
            loop {
                tokio::time::sleep(every).await;
                if let Err(error) = self.keep_catalog().await {
                    tracing::debug!("the catalog is not kept yet: {error}");
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = keep => unreachable!("it is kept until the work is done"),
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

/// The catalogs in folders that commands with these `settings` use: that of audits, and that of runs with a store.
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

/// The store of `settings` and who is told, for those who audit nothing.
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
            "there is no store: set store = \"FOLDER\" or \"s3://BUCKET/PREFIX\" in the configuration, or \
             BASEWATCH_STORE; who was told what is remembered there"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FolderStore;

    #[tokio::test]
    async fn what_a_run_over_a_bucket_learns_is_kept_while_it_goes_on() {
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
