//! Release catalogs: file format, crawl, signature, publication and acceptance.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]

mod commands;
mod crawling;
mod file;
mod loading;
mod trust;
