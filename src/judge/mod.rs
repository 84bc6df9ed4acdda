//! Stage 4: verdict, severity, action and reasons for each deployment. Pure: no clock, no network, no files.

mod apply_policy;
mod chain;
mod exemption;
mod exemption_usage;
mod identity;
mod judge_input;
mod judgement;
mod line_position;
mod policy;
mod reason;
mod reasons;
mod remedy;
mod replacement;
mod runtime;
mod scope;
mod tag_shape;
#[cfg(test)]
mod tests;
mod verdict;
mod workload;
mod workload_state;

pub use apply_policy::judge;
pub use chain::{ChainLink, awaited, judge_chain};
pub use exemption::Exemption;
pub use exemption_usage::{ExemptionUsage, exemption_usage};
pub use judge_input::{JudgeInput, UnidentifiedImage};
pub use judgement::Judgement;
pub use line_position::LinePosition;
pub use policy::{Policy, PolicyOverride, RedeployRule, Thresholds};
pub use reason::{Reason, ReasonCode};
pub use replacement::Replacement;
pub use runtime::{LambdaRuntime, RuntimeCalendar, RuntimeStatus, RuntimeSupport};
pub use scope::{PolicyScope, PolicySubject};
pub use tag_shape::{TagSeries, TagShape};
pub use verdict::{Action, Severity, Verdict};
