//! Rebuilds: which images have to be built again, who is asked to do it, and what became of it.
//!
//! What is due is worked out by pure code from findings, ledger and settings. A run works out the [`plan`], records
//! the ledger, then calls for each key that is due and records what was answered: [`call_for`],
//! [`Rebuild::acknowledged`], [`Rebuild::failed`]. What people have to know of it is [`told`].

mod deliver;
mod follow;
mod ledger;
mod need;
pub mod presets;
mod select;
mod settings;
#[cfg(test)]
mod tests;
mod told;

pub use deliver::{call_for, rule_for};
pub use ledger::{Outcome, Rebuild, Request};
pub use select::{Followed, Paused, Planned, plan};
pub use settings::{Preset, Rule, Settings};
pub use told::{Told, ToldRebuild, What, told};
