//! Stage 4: so what? Verdict, severity, action and reasons. Pure: no clock, no network, no files.

mod circumstance;
mod judgement;
mod policy;
mod reason;
mod reasons;
mod replacement;
mod runtime;
mod standing;
#[cfg(test)]
mod tests;
mod verdict;

pub use judgement::{Case, Judgement, judge};
pub use policy::{Override, Policy, Subject, Terms};
pub use reason::{Reason, ReasonCode};
pub use replacement::Replacement;
pub use runtime::{Calendar, Runtime, RuntimeStatus};
pub use standing::Standing;
pub use verdict::{Action, Severity, Verdict};
