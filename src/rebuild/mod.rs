//! Rebuilds: which images have to be built again, who is asked to do it, and what became of it.
//!
//! What is due is worked out by pure code from findings, ledger and settings.

mod ledger;
mod settings;

pub use ledger::{Outcome, Rebuild, Request};
pub use settings::{Preset, Rule, Settings};
