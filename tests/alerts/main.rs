//! Notifications over days and weeks, with everything in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

#[path = "../support/history.rs"]
mod history;
#[path = "../support/mailbox.rs"]
mod mailbox;
#[path = "../support/many.rs"]
mod many;

#[path = "../support/memory_store.rs"]
mod memory_store;
#[path = "../support/toxic.rs"]
mod toxic;

mod batches;
mod builds;
mod desk;
mod down;
mod keeping;
mod oversized;
mod replay;
mod rig;
mod scale;
mod watching;
