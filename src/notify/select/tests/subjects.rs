//! Base and workload of one finding have separate alerts.

use super::*;
use crate::notify::{AlertKey, AlertSubject};

/// The function `name`, whose base is as bad as `base` and whose image was deleted.
pub(super) fn lost(name: &str, base: &str) -> Finding {
    let mut lost = finding(name, base, Some("payments"));
    let action = if base == "low" { "investigate" } else { "rebuild" };
    lost.subjects = serde_json::from_value(json!({
        "base": { "severity": base, "action": action, "reasons": ["base-too-old"], "exempted": false },
        "workload": { "severity": "medium", "action": "restore", "reasons": ["image-missing"], "exempted": false },
    }))
    .unwrap();
    lost.severity = lost.severity.max(Severity::Medium);
    lost.action = crate::judge::Action::Restore;
    lost.reasons = serde_json::from_value(json!([
        { "code": "image-missing", "message": "it is gone" }, { "code": "base-too-old", "message": "it is old" },
    ]))
    .unwrap();
    held(lost, Some("gone"))
}

/// `finding` with what its repository says of the image, of a function that works.
fn held(mut finding: Finding, holding: Option<&str>) -> Finding {
    finding.image.holding = holding.map(str::to_owned);
    finding.deployment.state = Some("Active".into());
    finding
}

impl Fleet {
    pub(super) fn put(&mut self, finding: Finding) -> &mut Self {
        self.findings.retain(|known| known.id != finding.id);
        self.findings.push(finding);
        self
    }

    /// Runs now, delivers everything and returns the events: `orders workload triggered`.
    fn subjects(&mut self) -> Vec<String> {
        let before = self.ledger.outbox.len();
        let messages = self.plan();
        self.ledger.outbox.truncate(before);
        let items = messages.iter().flat_map(|message| &message.items);
        items.map(|item| format!("{} {} {}", item.name, item.about.as_str(), item.event.as_str())).collect()
    }
}

#[test]
fn a_deleted_image_is_notified_until_it_is_restored_even_if_its_base_is_unknown() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.put(lost("orders", "low")).subjects(), ["orders workload triggered"]);
    assert_eq!(fleet.after(1).subjects(), NOTHING);
    assert_eq!(fleet.after(6).subjects(), ["orders workload reminded"]);
    let unknown = || finding("orders", "low", Some("payments"));
    // The repository cannot be listed: the image may still be gone.
    assert_eq!(fleet.after(1).put(held(unknown(), None)).subjects(), NOTHING);
    assert_eq!(fleet.after(1).put(held(unknown(), Some("held"))).subjects(), ["orders workload resolved"]);
    assert_eq!(fleet.after(1).put(lost("orders", "low")).subjects(), ["orders workload triggered"]);
    // Another image runs, of whose repository nothing is known.
    let mut other = held(unknown(), None);
    other.image.reference = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:2".into();
    assert_eq!(fleet.after(1).put(other).subjects(), ["orders workload resolved"]);
}

#[test]
fn a_failed_function_is_resolved_only_once_aws_reports_its_state() {
    let mut fleet = Fleet::new();
    let mut failed = lost("orders", "none");
    failed.subjects.as_mut().unwrap().workload.action = crate::judge::Action::Investigate;
    assert_eq!(fleet.put(failed).subjects(), ["orders workload triggered"]);
    let mut unread = finding("orders", "low", Some("payments"));
    unread.image.platform = None;
    assert_eq!(fleet.after(1).put(unread).subjects(), NOTHING);
    let well = held(finding("orders", "none", Some("payments")), None);
    assert_eq!(fleet.after(1).put(well).subjects(), ["orders workload resolved"]);
}

#[test]
fn base_and_workload_are_triggered_escalated_and_resolved_independently() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.put(lost("orders", "info")).subjects(), ["orders workload triggered"]);
    assert_eq!(fleet.after(1).put(lost("orders", "medium")).subjects(), ["orders base triggered"]);
    assert_eq!(fleet.after(1).put(lost("orders", "high")).subjects(), ["orders base escalated"]);
    // The base becomes unknown: that neither ends nor triggers anything, and the image is gone all the same.
    assert_eq!(fleet.after(1).put(lost("orders", "low")).subjects(), NOTHING);
    let well = held(finding("orders", "high", Some("payments")), Some("held"));
    assert_eq!(fleet.after(1).put(well).subjects(), ["orders workload resolved"]);
    let fresh = held(finding("orders", "none", Some("payments")), Some("held"));
    assert_eq!(fleet.after(1).put(fresh).subjects(), ["orders base resolved"]);
}

#[test]
fn each_subject_has_its_own_severity_action_reasons_id_and_key() {
    let mut fleet = Fleet::new();
    let messages = fleet.put(lost("orders", "high")).plan();
    let [message] = &messages[..] else { panic!("one message: {messages:?}") };
    let texts = message.items.iter().map(|item| {
        let codes: Vec<_> = item.reasons.iter().map(|reason| reason.code.as_str()).collect();
        (item.about.as_str(), item.severity, item.action.as_str(), codes)
    });
    let expected = [
        ("base", Severity::High, "rebuild", vec!["base-too-old"]),
        ("workload", Severity::Medium, "restore", vec!["image-missing"]),
    ];
    assert_eq!(texts.collect::<Vec<_>>(), expected);
    assert_ne!(message.items[0].alert, message.items[1].alert);
    assert_eq!((message.verdicts.values().sum::<u64>(), message.workload_count()), (1, 1));
    let alone = |base: &str| Fleet::new().put(lost("orders", base)).plan()[0].dedup_key.clone();
    assert_eq!(alone("none"), alone("low"), "stable, whatever is said about the base");
    let base = Fleet::new().set("orders", "medium").plan()[0].dedup_key.clone();
    assert_ne!(alone("none"), base);
}

#[test]
fn subjects_are_snoozed_and_exempted_independently_and_a_deleted_deployment_resolves_both() {
    let mut fleet = Fleet::new();
    fleet.put(lost("orders", "high")).subjects();
    let key = AlertKey::new(&fleet.findings[0].id, AlertSubject::Workload);
    let until = fleet.now + Duration::days(20);
    snooze(&mut fleet.ledger, &[key], Some(Snooze::new(until, fleet.now, None, None)));
    assert_eq!(fleet.after(7).subjects(), ["orders base reminded"]);
    let mut exempted = lost("orders", "high");
    exempted.subjects.as_mut().unwrap().base.exempted = true;
    assert_eq!(fleet.after(14).put(exempted).subjects(), ["orders workload reminded"]);
    assert_eq!(fleet.after(1).remove("orders").subjects(), ["orders base resolved", "orders workload resolved"]);
}
