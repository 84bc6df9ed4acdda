//! One run: audit, record, notify, rebuild; its self-monitoring.

mod command;
mod deadlines;
mod dry_run;
mod heartbeat;
mod log;
mod measure;
mod outcome;
mod part;
mod pipeline;
mod rebuilds;
mod text;
mod watch;

pub(crate) use self::pipeline::audited;
pub use self::{
    command::run,
    deadlines::{Deadlines, RunFailure, within},
    log::log_completed,
    outcome::{CompletedRun, MessageOutcome, RebuildOutcome, RunReport},
    part::notify_part,
    pipeline::{RunCompletion, complete, keep_catalog, once},
    watch::{push_failed, watch_over},
};
