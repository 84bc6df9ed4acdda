//! A ledger from before alerts were about one subject each is read, and nobody is told anew what was told.

use super::{subjects::lost, *};
use crate::{judge::Action, notify::AlertSubject};

/// The ledger as an older basewatch wrote it, of a receiver that was told of `orders` three days ago.
fn old_ledger(now: DateTime<Utc>, verdict: &str, severity: &str, action: &str, sent: bool) -> Ledger {
    let at = now - Duration::days(3);
    let sent_at = sent.then_some(at);
    serde_json::from_value(json!({
        "last_run": { "id": "1", "at": at },
        "alerts": { "lambda:eu-west-1:123456789012:orders:$LATEST": {
            "id": "5f3a9c0b12de",
            "subject": {
                "name": "orders", "kind": "lambda", "account": "123456789012", "region": "eu-west-1",
                "owner": "payments", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1",
                "repository": "orders", "verdict": verdict, "severity": severity, "action": action,
            },
            "alerting_since": at, "seen_at": at,
            "told": { TOPIC: { "episode": 1, "count": 1, "severity": severity, "events": [
                { "kind": "triggered", "severity": severity, "due_at": at, "sent_at": sent_at, "dedup_key": "k" },
            ] } },
        } },
        "receivers": { TOPIC: { "known_since": at } },
    }))
    .unwrap()
}

fn open(ledger: &Ledger) -> Vec<&'static str> {
    let open = ledger.alerts.iter().filter(|(_, alert)| alert.told.values().any(super::super::super::Told::is_open));
    open.map(|(key, _)| key.about.as_str()).collect()
}

#[test]
fn what_was_told_of_a_deleted_image_is_open_as_an_alert_about_the_workload() {
    for (verdict, told, now, expected) in [
        // The base was told as well, and is as bad as it was.
        ("stale", "high", "high", vec!["base", "workload"]),
        // It was told only because its image was gone.
        ("superseded", "medium", "info", vec!["workload"]),
        ("fresh", "medium", "none", vec!["workload"]),
        // What is unknown of the base by now neither ends nor triggers it.
        ("stale", "high", "low", vec!["base", "workload"]),
        ("fresh", "medium", "low", vec!["workload"]),
    ] {
        let mut fleet = Fleet::new();
        fleet.ledger = old_ledger(fleet.now, verdict, told, "restore", true);
        assert_eq!(fleet.put(lost("orders", now)).run(), NOTHING, "{verdict} {now}");
        assert_eq!(open(&fleet.ledger), expected, "{verdict} {now}");
        // Of a base that is unknown nobody is reminded.
        let is_base_known = now != "low" || !expected.contains(&"base");
        let reminded = fleet.after(4).run();
        assert_eq!(reminded.len(), expected.len() - usize::from(!is_base_known), "{verdict} {now}: {reminded:?}");
        assert_eq!(fleet.after(1).remove("orders").run().len(), expected.len(), "{verdict} {now}");
    }
}

#[test]
fn a_failed_function_that_was_told_as_its_base_is_open_as_an_alert_about_the_workload() {
    let mut fleet = Fleet::new();
    fleet.ledger = old_ledger(fleet.now, "fresh", "medium", "investigate", true);
    let mut failed = lost("orders", "none");
    failed.subjects.as_mut().unwrap().workload.action = Action::Investigate;
    assert_eq!(fleet.put(failed).run(), NOTHING);
    assert_eq!(open(&fleet.ledger), ["workload"]);
}

#[test]
fn what_is_open_about_a_base_stays_open_and_a_deletion_that_nobody_was_told_of_is_told() {
    let mut fleet = Fleet::new();
    fleet.ledger = old_ledger(fleet.now, "stale", "high", "rebuild", true);
    let told = fleet.set("orders", "high").run();
    assert_eq!((told.len(), open(&fleet.ledger)), (0, vec!["base"]));
    fleet.ledger = old_ledger(fleet.now, "stale", "high", "rebuild", true);
    assert_eq!(fleet.put(lost("orders", "low")).run(), ["orders triggered"]);
    assert_eq!(open(&fleet.ledger), ["base", "workload"]);
}

#[test]
fn a_message_that_is_still_due_tells_both() {
    let mut fleet = Fleet::new();
    fleet.ledger = old_ledger(fleet.now, "stale", "high", "restore", false);
    let mut message = sample_message();
    message.dedup_key = "k".into();
    let due = json!({
        "receiver": TOPIC, "message": message, "due_at": fleet.now,
        "findings": ["lambda:eu-west-1:123456789012:orders:$LATEST"],
    });
    fleet.ledger.outbox.push(serde_json::from_value(due).unwrap());
    assert!(fleet.put(lost("orders", "high")).plan().is_empty());
    let about: Vec<_> = fleet.ledger.outbox[0].findings.iter().map(|key| key.about).collect();
    assert_eq!(about, AlertSubject::ALL);
}
