//! The store: ledger, catalog and reports between runs, in a folder or an S3 prefix. Knows no stage.

mod atomic;
mod catalog;
mod catalog_in_store;
mod document;
mod folder;
mod images;
mod kept_files;
mod limit;
mod name;
mod parts;
mod platforms;
mod port;
mod provenance;
mod reports;
mod repository_record;
mod s3;
mod segments;
mod settings;

use std::sync::Arc;

use crate::aws::Aws;

pub(crate) use atomic::replace_file;
pub use catalog::{Catalog, LoadedReleases, SharedContent};
pub use document::{SharedTexts, StoredDocument, VersionedDocument, load};
#[cfg(test)]
pub(crate) use document::{read_stored, to_stored};
pub use folder::FolderStore;
pub use images::{ImageReader, InventoryImage, TagResolution};
pub use parts::{whole_report, write_parts};
pub use port::{Error, ObjectVersion, Result, Store, StoreLock, StoredObject, WriteCondition};
pub use reports::{
    BaseAges, HistoryDay, LATEST, ReportHistory, add_alerts, dated_name, history, parts_folder, record, report_named,
};
pub use repository_record::{RepositoryRecord, ResourceTagsRecord, TagListRecord, TagObservation};
pub use s3::{ObjectLocation, S3Store};
pub use settings::{InvalidStoreLocation, Retention, StoreLocation};

/// The store at `location`, accessed through `aws` if it is a bucket. Does no I/O yet.
#[must_use]
pub fn open(location: &StoreLocation, aws: Arc<Aws>) -> Arc<dyn Store> {
    match location {
        StoreLocation::Folder(folder) => Arc::new(FolderStore::new(folder.clone())),
        StoreLocation::S3 { bucket, prefix } => Arc::new(S3Store::new(aws, bucket.clone(), prefix.clone())),
    }
}
