//! A ledger that is larger than the store reads or writes: no due message is lost or repeated.

use std::fs;

use basewatch::{
    notify,
    report::{ReasonFields, Report},
    store::{Error, LATEST},
};
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use testbed::{alerts_rig::Rig, mailbox::down, many};

fn first() -> DateTime<Utc> {
    "2026-11-02T06:00:00Z".parse().unwrap()
}

/// A report on `count` deployments of one owner that are out of date, each for four reasons of `bytes`.
fn report(at: DateTime<Utc>, count: usize, bytes: usize) -> Report {
    let mut report = many::report(at, count, "out-of-date", "medium");
    let reason = ReasonFields { code: "label-malformed".to_owned(), message: "a".repeat(bytes) };
    for finding in &mut report.findings {
        finding.reasons = vec![reason.clone(); 4];
        finding.deployment.owner = Some("payments".to_owned());
    }
    report
}

fn size(rig: &Rig, name: &str) -> u64 {
    fs::metadata(rig.folder.path().join(name)).unwrap().len()
}

#[tokio::test]
async fn an_oversized_ledger_of_an_earlier_version_is_read_and_its_outbox_delivered() {
    let mut rig = Rig::new();
    // A ledger of an earlier version, with reasons of any length and messages that no channel has accepted yet.
    rig.mailboxes[0].refuse(Some(down()));
    rig.run(&report(first(), 10, 100_000)).await;
    rig.most_bytes = Some(1 << 20);
    assert!(size(&rig, "ledger.json") > 1 << 20 && size(&rig, LATEST) > 1 << 20);
    let read = rig.store().read("ledger.json").await;
    assert!(matches!(read, Err(Error::TooLarge { most_bytes: 1_048_576, .. })), "{read:?}");
    assert_eq!(notify::read(&*rig.store()).await.unwrap().outbox.len(), 1);

    rig.mailboxes[0].refuse(None);
    let outcome = rig.run(&report(first() + Duration::hours(1), 10, 100)).await;
    assert_eq!((outcome.problems, outcome.waiting), (Vec::<String>::new(), 0));
    let messages = rig.mailboxes[0].take();
    assert_eq!((messages.len(), messages[0].count(), messages[0].items.len()), (1, 10, 10));
    assert!(messages[0].items.iter().all(|item| item.reasons.len() == 4 && item.reasons[0].message.len() < 10_000));

    assert!(size(&rig, "ledger.json") < 100_000, "it was reduced");
    assert!(size(&rig, LATEST) < 100_000);
    rig.run(&report(first() + Duration::hours(2), 10, 100)).await;
    assert_eq!(rig.mailboxes[0].take().len(), 0, "no repeats");
}

#[tokio::test]
async fn a_ledger_that_would_be_too_large_drops_details_but_no_due_message() {
    let mut rig = Rig::new();
    rig.most_bytes = Some(40_000);
    rig.mailboxes[0].refuse(Some(down()));
    let outcome = rig.run(&report(first(), 20, 1000)).await;
    assert_eq!(outcome.waiting + outcome.messages.len() as u64, 1, "{:?}", outcome.problems);
    assert!(size(&rig, "ledger.json") <= 40_000);
    rig.mailboxes[0].refuse(None);
    rig.run(&report(first() + Duration::hours(1), 20, 1000)).await;
    let messages = rig.mailboxes[0].take();
    assert_eq!((messages.len(), messages[0].count()), (1, 20));
    assert_eq!(messages[0].items.len() as u64 + messages[0].left_out, 20, "omitted items are counted");
    assert!(messages[0].items.iter().all(|item| item.reasons.len() == 1), "the leading reason stays");
}

#[tokio::test]
async fn a_report_that_would_be_too_large_is_stored_with_the_most_severe_findings_and_a_note() {
    let mut rig = Rig::new();
    rig.most_bytes = Some(200_000);
    let whole = report(first(), 100, 1000);
    let outcome = rig.run(&whole).await;
    assert_eq!(outcome.problems, Vec::<String>::new());
    let stored: Value = serde_json::from_slice(&fs::read(rig.folder.path().join(LATEST)).unwrap()).unwrap();
    let stored: Report = serde_json::from_value(stored).unwrap();
    assert!((5..100).contains(&stored.findings.len()), "{}", stored.findings.len());
    assert_eq!(stored.findings[..], whole.findings[..stored.findings.len()]);
    assert_eq!((stored.complete, stored.summary.clone()), (false, whole.summary.clone()));
    let note = stored.notes.last().unwrap();
    assert_eq!(note.code, "report-cut");
    let missing = format!("{} of 100 findings are omitted", 100 - stored.findings.len());
    assert!(note.message.starts_with(&missing), "{}", note.message);
    assert_eq!(rig.mailboxes[0].take()[0].count(), 100, "the message covers all findings");
}
