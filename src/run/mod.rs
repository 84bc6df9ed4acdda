//! `basewatch run`: audit, record, notify and request rebuilds, once.

mod deadlines;
mod dry_run;
mod heartbeat;
mod outcome;
mod part;
mod pipeline;
mod rebuilds;
mod text;
mod watch;

pub(crate) use self::pipeline::audited;
pub use self::{
    deadlines::{Deadlines, TimedOut, within},
    outcome::{MessageOutcome, RUN_SCHEMA, RebuildOutcome, RunReport},
    part::notify_part,
    pipeline::{CompletedRun, complete, keep_catalog, once, once_until, run},
    watch::{failed, push_failed, watch_over},
};
