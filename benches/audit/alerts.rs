//! The cost of alerts about ten thousand findings.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use testbed::{alerts_rig::Rig, many::report};

const FINDINGS: usize = 10_000;

/// Records ten thousand findings and sends alerts: for the first time, for reminders, and without changes.
pub async fn notify() {
    let first: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().expect("an instant");
    let next = first + TimeDelta::days(1);
    println!("alerts: {FINDINGS} findings of 40 owners, one channel, a store in a folder");
    let backlog = Rig::new();
    let (took, messages) = run(&backlog, first, "out-of-date", "medium").await;
    println!("  first run, all as one summary: {messages} message, {took:?}");
    let known = Rig::new();
    let (took, _) = run(&known, first, "superseded", "info").await;
    println!("  no notifications:              {took:?}");
    let (took, messages) = run(&known, next, "out-of-date", "medium").await;
    println!("  all at once:                   {messages} messages, {took:?}");
    let (took, _) = run(&known, next + TimeDelta::days(1), "out-of-date", "medium").await;
    println!("  nothing new:                   {took:?}");
    let ledger = known.folder.path().join("ledger.json").metadata().map_or(0, |file| file.len());
    println!("  the ledger is {} KiB", ledger / 1024);
}

async fn run(rig: &Rig, now: DateTime<Utc>, verdict: &str, severity: &str) -> (Duration, usize) {
    let report = report(now, FINDINGS, verdict, severity);
    let begun = Instant::now();
    let outcome = rig.run(&report).await;
    let took = begun.elapsed();
    assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
    (took, rig.mailboxes[0].take().len())
}
