//! Memory: what is known of digests and lines from earlier runs, so that nothing is fetched twice.
//!
//! Knows no stage.

mod catalog;
mod images;
mod writer;

pub use catalog::{Catalog, Known, RepositoryMemory, Seen, TagMemory, TagsMemory};
pub use images::{Images, Pointing};
