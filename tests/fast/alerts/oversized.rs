//! A ledger and reports that are too large for one object of the store: they are stored in parts, with all details.

use std::{fs, sync::Arc};

use basewatch::{
    notify,
    report::{ReasonFields, Report, SCHEMA},
    store::{self, LATEST, Store},
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

/// The document `name` as it is stored.
fn document(rig: &Rig, name: &str) -> Value {
    serde_json::from_slice(&fs::read(rig.folder.path().join(name)).unwrap()).unwrap()
}

/// The parts that the document `name` lists.
fn parts(rig: &Rig, name: &str) -> Vec<String> {
    let parts = document(rig, name)["parts"].as_array().cloned().unwrap_or_default();
    parts.iter().map(|part| part.as_str().unwrap().to_owned()).collect()
}

async fn latest(store: &dyn Store) -> Report {
    let add = |report: &mut Report, json: &[u8]| {
        report.findings.push(serde_json::from_slice(json)?);
        Ok(())
    };
    store::report_named(store, store::LATEST, SCHEMA, add).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_large_ledger_in_parts_delivers_each_message_once_and_unchanged() {
    let mut rig = Rig::new();
    rig.most_bytes = Some(400_000);
    rig.mailboxes[0].refuse(Some(down()));
    rig.run(&report(first(), 500, 500)).await;
    let written = parts(&rig, "ledger.json");
    assert!(written.len() > 3, "{written:?}");
    assert_eq!(document(&rig, "ledger.json")["alerts"], serde_json::json!({}));
    let ledger = notify::read(&*rig.store()).await.unwrap();
    assert_eq!((ledger.alerts.len(), ledger.outbox.len()), (500, 1));

    rig.mailboxes[0].refuse(None);
    let outcome = rig.run(&report(first() + Duration::hours(1), 500, 500)).await;
    assert_eq!((outcome.problems, outcome.waiting), (Vec::<String>::new(), 0));
    let messages = rig.mailboxes[0].take();
    assert_eq!((messages.len(), messages[0].count(), messages[0].items.len()), (1, 500, 20));
    assert!(messages[0].items.iter().all(|item| item.reasons.len() == 4 && item.reasons[3].message.len() == 500));
    rig.run(&report(first() + Duration::hours(2), 500, 500)).await;
    assert_eq!(rig.mailboxes[0].take().len(), 0, "no repeats");

    let (mut listed, stored) = (parts(&rig, "ledger.json"), rig.store().list("ledger/").await.unwrap());
    listed.sort();
    assert_eq!(listed, stored, "replaced parts are removed");
    assert!(written.iter().all(|part| !stored.contains(part)), "every alert was seen by a later run");

    rig.most_bytes = None;
    rig.run(&report(first() + Duration::hours(3), 500, 500)).await;
    assert_eq!((parts(&rig, "ledger.json").len(), rig.store().list("ledger/").await.unwrap().len()), (0, 0));
    assert_eq!(notify::read(&*rig.store()).await.unwrap().alerts.len(), 500);
}

#[tokio::test]
async fn unchanged_parts_of_a_ledger_are_not_written_again() {
    let mut rig = Rig::new();
    rig.most_bytes = Some(400_000);
    rig.run(&report(first(), 500, 10)).await;
    let before = parts(&rig, "ledger.json");
    let store = rig.store();
    let lock = store.lock("a test", std::time::Duration::ZERO).await.unwrap();
    let session = notify::LedgerSession::open(store, lock).await.unwrap();
    let snooze = |ledger: &mut notify::Ledger| {
        let snooze = notify::Snooze::new(first(), first(), None, None);
        ledger.alerts.values_mut().next().unwrap().snooze = Some(Arc::new(snooze));
    };
    session.change(snooze).await.unwrap();
    session.close().await;
    let after = parts(&rig, "ledger.json");
    let kept = after.iter().filter(|part| before.contains(part)).count();
    assert!(kept + 2 >= before.len() && kept < before.len(), "{kept} of {}", before.len());
}

#[tokio::test]
async fn a_large_report_is_stored_with_all_findings_in_parts_that_the_dated_report_shares() {
    let mut rig = Rig::new();
    rig.most_bytes = Some(400_000);
    let whole = report(first(), 200, 600);
    let outcome = rig.run(&whole).await;
    assert_eq!(outcome.problems, Vec::<String>::new());
    let stored = document(&rig, LATEST);
    assert_eq!((&stored["findings"], &stored["complete"]), (&serde_json::json!([]), &Value::Bool(true)));
    assert_eq!(document(&rig, &store::dated_name(whole.generated_at, &whole.run_id)), stored);
    let parts = parts(&rig, LATEST);
    assert!(parts.len() > 5, "{parts:?}");
    let read = latest(&*rig.store()).await;
    assert_eq!(Report { parts: Vec::new(), ..read }, whole);

    fs::remove_file(rig.folder.path().join(&parts[1])).unwrap();
    let add = |_: &mut Report, _: &[u8]| Ok(());
    let error = store::report_named::<Report>(&*rig.store(), store::LATEST, SCHEMA, add).await.unwrap_err().to_string();
    assert!(error.contains(&format!("its part {} is missing", parts[1])), "{error}");
}

#[tokio::test]
async fn a_report_within_the_limit_is_one_plain_file() {
    let rig = Rig::new();
    let whole = report(first(), 100, 1000);
    rig.run(&whole).await;
    let stored = fs::read_to_string(rig.folder.path().join(LATEST)).unwrap();
    assert_eq!(stored, basewatch::report::json::render(&whole));
}
