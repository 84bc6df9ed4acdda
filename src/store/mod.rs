//! Memory: what is known from earlier runs, so that nothing is fetched twice and nobody is told twice.
//!
//! Knows no stage.

mod catalog;
mod document;
mod images;
mod port;
mod writer;

pub use catalog::{Catalog, Known, RepositoryMemory, Seen, TagMemory, TagsMemory};
pub use document::{Document, Kept, load};
pub use images::{Images, Pointing};
pub use port::{Error, OnlyIf, Result, Store, Stored, Turn, Version};
