//! The log of a run, for modes that print no result.

use std::{collections::BTreeSet, time::Duration};

use super::{CompletedRun, MessageOutcome, RebuildOutcome};
use crate::{
    judge::Verdict,
    report::{Sanitized, format},
};

/// Maximum number of errors and of failed deliveries that are logged one by one; the others are counted.
const MAX_LINES: usize = 20;
/// Maximum number of channels that the summary names; the others are counted.
const MAX_CHANNELS: usize = 10;

/// Logs a completed run: one line with its counts and the notified channels, after one line for each error, failed
/// delivery and problem.
pub fn log_completed(run: &CompletedRun, took: Duration) {
    let CompletedRun { report, outcome } = run;
    if let Some(note) = report.most_unknown() {
        tracing::warn!("{}: {}", format::MOST_UNKNOWN, Sanitized::from(note.message.as_str()).as_str());
    }
    let errors = report.errors.iter().map(|error| format!("{}: {}: {}", error.scope, error.code, error.message));
    let messages = outcome.messages.iter().filter_map(undelivered);
    let rebuilds = outcome.rebuilds.iter().filter_map(unrequested);
    warn(errors, "errors");
    warn(messages.chain(rebuilds), "failed deliveries");
    for problem in &outcome.problems {
        tracing::error!("{}", Sanitized::from(problem.as_str()).as_str());
    }
    let count = |verdict| report.summary.by_verdict.get(&verdict).copied().unwrap_or_default();
    let sent = outcome.messages.iter().filter(|message| message.sent).count();
    tracing::info!(
        run_id = report.run_id,
        seconds = took.as_secs(),
        deployments = report.summary.deployments,
        fresh = count(Verdict::Fresh),
        superseded = count(Verdict::Superseded),
        out_of_date = count(Verdict::OutOfDate),
        stale = count(Verdict::Stale),
        deprecated = count(Verdict::Deprecated),
        unknown = count(Verdict::Unknown),
        errors = report.errors.len(),
        messages_sent = sent,
        messages_failed = outcome.messages.len() - sent,
        notified = Sanitized::from(notified(&outcome.messages)).as_str(),
        rebuilds_requested = outcome.rebuilds.iter().filter(|rebuild| rebuild.sent).count(),
        "{}",
        if report.complete { "run complete" } else { "run incomplete" },
    );
}

/// Logs up to [`MAX_LINES`] warnings, and how many more there are.
fn warn(lines: impl Iterator<Item = String>, noun: &str) {
    let mut left_out = 0_usize;
    for (number, line) in lines.enumerate() {
        if number < MAX_LINES {
            tracing::warn!("{}", Sanitized::from(line).as_str());
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        tracing::warn!("and {left_out} more {noun}");
    }
}

fn undelivered(message: &MessageOutcome) -> Option<String> {
    let why = message.error.as_ref()?;
    Some(format!("cannot notify {}: {why}; the next run retries", message.channel))
}

fn unrequested(rebuild: &RebuildOutcome) -> Option<String> {
    let why = rebuild.error.as_ref()?;
    Some(format!("cannot request the rebuild of {}: {why}; the next run retries", rebuild.repository))
}

/// The channels that acknowledged a message: `payments, ops`, or `no one`.
fn notified(messages: &[MessageOutcome]) -> String {
    let channels: BTreeSet<_> =
        messages.iter().filter(|message| message.sent).map(|message| message.channel.as_str()).collect();
    let named: Vec<_> = channels.iter().copied().take(MAX_CHANNELS).collect();
    match channels.len().saturating_sub(MAX_CHANNELS) {
        _ if named.is_empty() => "no one".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
