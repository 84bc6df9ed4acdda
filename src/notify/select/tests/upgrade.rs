//! A ledger from before alerts had one subject each is read without repeating notifications.

use super::{subjects::lost, *};
use crate::{judge::Action, notify::AlertSubject};

/// The ledger of an older basewatch, with a channel that was notified of `orders` three days ago.
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
            "deliveries": { TOPIC: { "episode": 1, "count": 1, "severity": severity, "events": [
                { "kind": "triggered", "severity": severity, "due_at": at, "sent_at": sent_at, "dedup_key": "k" },
            ] } },
        } },
        "channels": { TOPIC: { "known_since": at } },
    }))
    .unwrap()
}

fn open(ledger: &Ledger) -> Vec<&'static str> {
    let open = ledger
        .alerts
        .iter()
        .filter(|(_, alert)| alert.deliveries.values().any(super::super::super::DeliveryHistory::is_open));
    open.map(|(key, _)| key.about.as_str()).collect()
}

#[test]
fn an_old_alert_about_a_deleted_image_becomes_an_open_workload_alert() {
    for (verdict, notified, now, expected) in [
        // The base was notified as well, with the same severity.
        ("stale", "high", "high", vec!["base", "workload"]),
        // It was notified only because its image was deleted.
        ("superseded", "medium", "info", vec!["workload"]),
        ("fresh", "medium", "none", vec!["workload"]),
        // An unknown base neither resolves nor triggers it.
        ("stale", "high", "low", vec!["base", "workload"]),
        ("fresh", "medium", "low", vec!["workload"]),
    ] {
        let mut fleet = Fleet::new();
        fleet.ledger = old_ledger(fleet.now, verdict, notified, "restore", true);
        assert_eq!(fleet.put(lost("orders", now)).run(), NOTHING, "{verdict} {now}");
        assert_eq!(open(&fleet.ledger), expected, "{verdict} {now}");
        // There is no reminder of an unknown base.
        let is_base_known = now != "low" || !expected.contains(&"base");
        let reminded = fleet.after(4).run();
        assert_eq!(reminded.len(), expected.len() - usize::from(!is_base_known), "{verdict} {now}: {reminded:?}");
        assert_eq!(fleet.after(1).remove("orders").run().len(), expected.len(), "{verdict} {now}");
    }
}

#[test]
fn an_old_alert_about_a_failed_function_becomes_an_open_workload_alert() {
    let mut fleet = Fleet::new();
    fleet.ledger = old_ledger(fleet.now, "fresh", "medium", "investigate", true);
    let mut failed = lost("orders", "none");
    failed.subjects.as_mut().unwrap().workload.action = Action::Investigate;
    assert_eq!(fleet.put(failed).run(), NOTHING);
    assert_eq!(open(&fleet.ledger), ["workload"]);
}

#[test]
fn an_open_base_alert_stays_open_and_a_new_deletion_is_notified() {
    let mut fleet = Fleet::new();
    fleet.ledger = old_ledger(fleet.now, "stale", "high", "rebuild", true);
    let events = fleet.set("orders", "high").run();
    assert_eq!((events.len(), open(&fleet.ledger)), (0, vec!["base"]));
    fleet.ledger = old_ledger(fleet.now, "stale", "high", "rebuild", true);
    assert_eq!(fleet.put(lost("orders", "low")).run(), ["orders triggered"]);
    assert_eq!(open(&fleet.ledger), ["base", "workload"]);
}

#[test]
fn a_due_message_covers_both_alerts() {
    let mut fleet = Fleet::new();
    fleet.ledger = old_ledger(fleet.now, "stale", "high", "restore", false);
    let mut message = sample_message();
    message.dedup_key = "k".into();
    let due = json!({
        "channel": TOPIC, "message": message, "due_at": fleet.now,
        "alerts": ["lambda:eu-west-1:123456789012:orders:$LATEST"],
    });
    fleet.ledger.outbox.push(serde_json::from_value(due).unwrap());
    assert!(fleet.put(lost("orders", "high")).plan().is_empty());
    let about: Vec<_> = fleet.ledger.outbox[0].alerts.iter().map(|key| key.about).collect();
    assert_eq!(about, AlertSubject::ALL);
}
