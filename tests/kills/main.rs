//! A fortnight of daily runs whose process is killed at every moment: nothing may be lost, repeated or unreadable.
//!
//! A killed run is a process of its own: this very program, started anew for a single test. The same day is then run
//! a second time, and the fortnight goes on. What the channels got is compared with an undisturbed fortnight.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so where it is")]
#![expect(clippy::print_stdout, reason = "the matrix is what this is run for")]

mod catalog;
mod child;
mod compare;
mod fortnight;
mod ground;
mod killing;
mod matrix;
#[cfg(feature = "peers")]
mod moto;
mod post;
mod script;

#[path = "../support/bucket.rs"]
mod bucket;
#[cfg(feature = "peers")]
#[path = "../support/peers.rs"]
#[allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
mod peers;
#[path = "../support/toxic.rs"]
mod toxic;
