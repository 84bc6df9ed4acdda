//! Stage 4: so what? Verdict, severity, action and reasons. Pure: no clock, no network, no files.

mod policy;
mod reason;
mod verdict;

pub use policy::{Override, Policy, Subject, Terms};
pub use reason::{Reason, ReasonCode};
pub use verdict::{Action, Severity, Verdict};
