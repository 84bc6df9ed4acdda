//! Release catalogs: their file, how they are crawled and signed, and which of them are believed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

mod crawling;
mod file;
mod history;
mod trust;
