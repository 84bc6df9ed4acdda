//! Rebuild requests: which images need a rebuild, which service receives the request, and the outcome.
//!
//! A run computes the [`plan`] from findings, ledger and settings and stores the ledger. The outbox then makes the call of
//! each due rebuild ([`call_for`]) and records the outcome ([`Rebuild::record`]). [`notices`] are what people are notified
//! of. Reads no clock and does no I/O.

mod deliver;
mod follow;
mod ledger;
mod need;
mod notices;
pub mod presets;
mod select;
mod settings;
#[cfg(test)]
mod tests;

pub use deliver::{call_for, rule_for};
pub use ledger::{Rebuild, RebuildConclusion, RebuildRequest};
pub use notices::{NoticeKind, OwnerNotices, RebuildNotice, notices};
pub use select::{ConcludedRebuild, PausedRebuilds, RebuildPlan, plan};
pub use settings::{RebuildPreset, RebuildRule, RebuildSettings};
