//! The store: ledger, catalog and reports between runs, in a folder or an S3 prefix. Knows no stage.

mod atomic;
mod catalog;
mod catalog_in_store;
mod clipped;
mod document;
mod folder;
mod images;
mod kept_files;
mod limit;
mod name;
mod platforms;
mod port;
mod provenance;
mod reports;
mod repository_memory;
mod s3;
mod segments;
mod settings;

pub(crate) use atomic::replace_file;
pub use catalog::{Catalog, Known, LoadedReleases};
pub use document::{Document, Kept, load};
#[cfg(test)]
pub(crate) use document::{read_stored, to_stored};
pub use folder::FolderStore;
pub use images::{Images, InventoryImage, Pointing};
pub use port::{Error, OnlyIf, Result, Store, Stored, Turn, Version};
pub use reports::{Ages, Day, History, LATEST, add_alerts, dated_name, history, latest, record};
pub use repository_memory::{RepositoryMemory, Seen, TagMemory, TagsMemory};
pub use s3::{ObjectPlace, S3Store};
pub use settings::{InvalidPlace, Place, Retention, open};
