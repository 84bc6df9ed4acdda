//! Release catalogs: file format, crawl, signature, publication and acceptance.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]

mod commands;
mod crawling;
mod file;
mod history;
mod loading;
mod trust;

#[expect(dead_code, unreachable_pub, reason = "shared with tests that use more of it")]
#[path = "../support/peers.rs"]
mod peers;
#[expect(dead_code, unreachable_pub, reason = "shared with tests that use more of it")]
#[path = "../support/program.rs"]
mod program;
