//! Notifications over days and weeks, with everything in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

mod batches;
mod builds;
mod desk;
mod down;
mod keeping;
mod memory;
mod oversized;
mod replay;
mod scale;
mod watching;
