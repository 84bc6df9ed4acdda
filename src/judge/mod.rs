//! Stage 4: verdict, severity, action and reasons for each deployment. Pure: no clock, no network, no files.

mod chain;
mod circumstance;
mod exemption;
mod identity;
mod judgement;
mod policy;
mod reason;
mod reasons;
mod remedy;
mod replacement;
mod runtime;
mod scope;
mod standing;
mod tag_shape;
#[cfg(test)]
mod tests;
mod verdict;
mod workload;

pub use chain::{ChainLink, awaited, judge_chain};
pub use exemption::{Encounter, Exemption, encounters};
pub use judgement::{Case, Judgement, Unidentified, judge};
pub use policy::{Override, Policy, RedeployRule, Terms};
pub use reason::{Reason, ReasonCode};
pub use replacement::Replacement;
pub use runtime::{Calendar, Runtime, RuntimeStatus};
pub use scope::{Scope, Subject};
pub use standing::Standing;
pub use tag_shape::{TagSeries, TagShape};
pub use verdict::{Action, Severity, Verdict};
