//! A fortnight of daily runs whose process is killed at every moment: nothing may be lost, repeated or unreadable.
//!
//! A killed run is a separate process: this test binary, started for a single test. The day is then run a second time,
//! and the fortnight continues. The messages are compared with those of an undisturbed fortnight.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where it cannot continue")]
#![expect(clippy::print_stdout, reason = "the matrix is the result")]

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
