//! The contract of the store, with both kinds, under failing disks, failing buckets and concurrent runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

mod catalog;
mod contract;
mod folder;
mod lease;
mod parts;
mod rivals;
mod s3;
