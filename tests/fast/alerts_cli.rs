//! `basewatch alerts`: list, show, snooze and resend, by what messages and people call alerts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

use basewatch::commands::alerts::AlertList;
use serde_json::Value;
use testbed::bare::{stderr, stdout};

use crate::run_cli::{NEXT_WEEK, NOW, Rig, assert_follows, code};

/// A rig whose first run has notified of `orders` and `billing`, which are outdated for the same reason.
fn notified() -> Rig {
    let rig = Rig::new();
    rig.at(NOW, &[]);
    rig
}

/// The alerts as JSON.
fn alerts(rig: &Rig) -> Vec<Value> {
    let listed = rig.run(&["alerts", "list", "--all", "--format", "json"]);
    let list = assert_follows::<AlertList>("alerts.schema.json", &stdout(&listed));
    list["alerts"].as_array().unwrap().clone()
}

/// The id that the only message has for both alerts.
fn group(rig: &Rig) -> String {
    let message: Value = serde_json::from_str(&rig.hook.log()[0].body).unwrap();
    let groups: Vec<_> = message["items"].as_array().unwrap().iter().map(|item| item["group"].as_str()).collect();
    assert!(groups.len() == 2 && groups[0] == groups[1], "{groups:?}");
    groups[0].unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_shown_and_resent_by_id() {
    let rig = notified();
    let ids: Vec<_> = alerts(&rig).iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 2);
    let listed = stdout(&rig.run(&["alerts", "list"]));
    assert!(ids.iter().all(|id| listed.contains(id)) && listed.starts_with("ID "), "{listed}");
    assert!(stdout(&rig.run(&["alerts", "list", "--owner", "web"])).contains("no alerts"));
    let shown = rig.run(&["alerts", "show", &ids[0][..6]]);
    assert!(stdout(&shown).contains("chat: sent") && stdout(&shown).contains("triggered"), "{}", stdout(&shown));
    for unknown in ["ffffffffffff", ""] {
        let output = rig.run(&["alerts", "show", unknown]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("no alert has the id"), "{}", stderr(&output));
    }
    let resent = rig.run(&["alerts", "resend", &ids[1]]);
    assert_eq!(code(&resent), 0, "{}", stderr(&resent));
    assert_eq!(rig.notified(1), [serde_json::json!({ "reminded": 1 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_prints_reasons_what_to_do_and_the_pinned_reference_by_name() {
    let rig = notified();
    let name = format!("{}/orders:1", rig.host());
    let shown = rig.run(&["alerts", "show", &name, "--format", "json"]);
    let list = assert_follows::<AlertList>("alerts.schema.json", &stdout(&shown));
    let details = &list["alerts"][0]["details"];
    let pinned = details["build_on"].as_str().unwrap();
    assert!(pinned.contains("/java:21@sha256:"), "{details}");
    assert!(details["reasons"][0]["message"].as_str().unwrap().contains("days"), "{details}");
    let text = stdout(&rig.run(&["alerts", "show", &name]));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("rebuild orders on {pinned}, then deploy it")), "{text}");
    assert!(words.contains("reason base-") && words.contains(&format!("group {}", group(&rig))), "{text}");
    assert!(!text.contains("billing"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_paragraph_shows_snoozes_and_resends_all_its_alerts() {
    let rig = notified();
    let group = group(&rig);
    let shown = stdout(&rig.run(&["alerts", "show", &group]));
    assert!(shown.contains("orders:1") && shown.contains("billing:1"), "{shown}");
    let resent = rig.run(&["alerts", "resend", &group[..8]]);
    assert_eq!(code(&resent), 0, "{}", stderr(&resent));
    assert_eq!(rig.notified(1), [serde_json::json!({ "reminded": 2 })]);
    let arguments =
        ["alerts", "snooze", &group, "--for", "7d", "--reason", "new base \u{1b}[31mon Monday", "--by", "alice"];
    let snoozed = rig.run(&arguments);
    let said = stderr(&snoozed);
    assert_eq!(code(&snoozed), 0, "{said}");
    assert!(said.starts_with("snoozed 2 alerts until ") && said.contains("orders:1 (base, "), "{said}");
    for alert in alerts(&rig) {
        assert_eq!(alert["snooze"]["by"], "alice");
        assert_eq!(alert["snooze"]["reason"], "new base \u{1b}[31mon Monday");
    }
    let shown = stdout(&rig.run(&["alerts", "show", &group]));
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("by alice on ") && words.contains("on Monday") && !shown.contains('\u{1b}'), "{shown}");
    rig.at(NEXT_WEEK, &[]);
    assert_eq!(rig.notified(2), [] as [Value; 0]);
    let ended = rig.run(&["alerts", "snooze", &group, "--until", "2020-01-01"]);
    assert!(stderr(&ended).starts_with("ended the snooze of 2 alerts:"), "{}", stderr(&ended));
    assert!(alerts(&rig).iter().all(|alert| alert["snooze"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn snooze_takes_several_alerts_and_patterns_and_changes_nothing_if_one_is_unknown() {
    let rig = notified();
    let ids: Vec<_> = alerts(&rig).iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
    let snoozed = || alerts(&rig).iter().filter(|alert| alert["snooze"]["until"].is_string()).count();
    let unknown = rig.run(&["alerts", "snooze", &ids[0], "ffffffffffff", "--for", "7d"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("nothing was changed"), "{}", stderr(&unknown));
    assert!(stderr(&unknown).contains("\"ffffffffffff\""), "{}", stderr(&unknown));
    assert_eq!(snoozed(), 0);
    let dry = rig.run(&["alerts", "snooze", &ids[0], &ids[1], "--for", "12h", "--dry-run"]);
    assert!(stderr(&dry).starts_with("would snooze 2 alerts until "), "{}", stderr(&dry));
    assert_eq!(snoozed(), 0);
    for (arguments, count) in [
        (&["--owner", "web"][..], 0),
        (&["--repository", "orders", "--owner", "pay*"], 1),
        (&["--owner", "pay*"], 2),
        (&[&ids[0], &ids[1], &ids[0]], 2),
    ] {
        let output = rig.run(&[&["alerts", "snooze", "--until", "2199-01-01"], arguments].concat());
        assert_eq!((code(&output), snoozed()), (if count == 0 { 2 } else { 0 }, count), "{}", stderr(&output));
        assert_eq!(stderr(&output).matches(":1 (base").count(), count, "{}", stderr(&output));
        let ended = rig.run(&["alerts", "snooze", "--owner", "*", "--until", "2020-01-01"]);
        assert_eq!((code(&ended), snoozed()), (if count == 0 { 2 } else { 0 }, 0), "{}", stderr(&ended));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snooze_without_alerts_or_an_end_is_a_usage_error() {
    let rig = Rig::new();
    for arguments in [
        &["--for", "7d"][..],
        &["orders"],
        &["orders", "--for", "7d", "--until", "2199-01-01"],
        &["orders", "--owner", "payments", "--for", "7d"],
        &["orders", "--for", "0d"],
        &["orders", "--for", "a week"],
    ] {
        let output = rig.run(&[&["alerts", "snooze"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains("error: "), "{}", stderr(&output));
        assert!(!rig.folder.path().join("store").exists(), "{arguments:?}");
    }
}
