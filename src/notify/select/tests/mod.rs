//! Planning of notifications over several runs.

mod company_bases;
mod group_ids;
mod images;
mod subjects;
mod summaries;
mod unseen;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use super::*;
use crate::{
    notify::{AlertEvent, AlertState, ChannelKind, MessageFormat, QuietHours, Snooze, SnsSettings},
    outbox::DeliveryError,
    report::{ErrorEntry, Finding, Report},
};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:basewatch";

/// A fleet that is audited day after day, and the notifications of its channels.
struct Fleet {
    ledger: Ledger,
    settings: NotifySettings,
    now: DateTime<Utc>,
    findings: Vec<Finding>,
    errors: Vec<ErrorEntry>,
}

impl Fleet {
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            settings: NotifySettings { channels: vec![channel(TOPIC)], ..NotifySettings::default() },
            now: "2026-11-02T09:00:00Z".parse().unwrap(),
            findings: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn set(&mut self, name: &str, severity: &str) -> &mut Self {
        self.set_of(name, severity, Some("payments"))
    }

    fn set_of(&mut self, name: &str, severity: &str, owner: Option<&str>) -> &mut Self {
        self.findings.retain(|finding| finding.deployment.name != name);
        self.findings.push(finding(name, severity, owner));
        self
    }

    fn remove(&mut self, name: &str) -> &mut Self {
        self.findings.retain(|finding| finding.deployment.name != name);
        self
    }

    /// Runs now, delivers everything and returns the events: `orders triggered`.
    fn run(&mut self) -> Vec<String> {
        let messages = self.plan();
        for due in std::mem::take(&mut self.ledger.outbox) {
            for key in due.alerts {
                for event in
                    &mut self.ledger.alerts.get_mut(&key).unwrap().deliveries.get_mut(&due.channel).unwrap().events
                {
                    event.sent_at.get_or_insert(self.now);
                }
            }
        }
        let items = messages.iter().flat_map(|message| &message.items);
        items.map(|item| format!("{} {}", item.name, item.event.as_str())).collect()
    }

    /// Runs now without delivering.
    fn plan(&mut self) -> Vec<Message> {
        let before = self.ledger.outbox.len();
        let report = report(self.now, &self.errors, &self.findings);
        plan(&mut self.ledger, NotificationContext { report: &report, report_location: None }, &self.settings);
        self.ledger.outbox[before..].iter().map(|due| due.message.clone()).collect()
    }

    /// Audits only `name` now and returns the events.
    fn audit_one(&mut self, name: &str, severity: &str, is_unlisted: bool) -> Vec<String> {
        let before = self.ledger.outbox.len();
        let report = report(self.now, &[], &[finding(name, severity, Some("payments"))]);
        plan_part(
            &mut self.ledger,
            NotificationContext { report: &report, report_location: None },
            &self.settings,
            is_unlisted,
        );
        let messages = self.ledger.outbox[before..].iter().map(|due| &due.message);
        let items = messages.flat_map(|message| &message.items);
        items.map(|item| format!("{} {}", item.name, item.event.as_str())).collect()
    }

    fn after(&mut self, days: i64) -> &mut Self {
        self.now += Duration::days(days);
        self
    }
}

fn channel(id: &str) -> NotificationChannel {
    let topic = SnsSettings { topic_arn: TOPIC.parse().unwrap(), format: MessageFormat::Text, formats: [].into() };
    NotificationChannel::new(id.to_owned(), ChannelKind::Sns(topic))
}

fn finding(name: &str, severity: &str, owner: Option<&str>) -> Finding {
    let verdict = match severity {
        "none" => "fresh",
        "info" => "superseded",
        "low" => "unknown",
        "medium" => "out-of-date",
        "high" => "stale",
        _ => "deprecated",
    };
    let finding = json!({
        "id": format!("lambda:eu-west-1:123456789012:{name}:$LATEST"),
        "deployment": { "kind": "lambda", "name": name, "account": "123456789012", "region": "eu-west-1", "owner": owner },
        "image": {
            "reference": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:1"), "platform": "linux/arm64",
        },
        "verdict": verdict, "stale": false, "out_of_date": false, "deprecated": false,
        "severity": severity, "action": "rebuild", "reasons": [],
    });
    serde_json::from_value(finding).unwrap()
}

fn report(now: DateTime<Utc>, errors: &[ErrorEntry], findings: &[Finding]) -> Report {
    let summary = crate::report::Summary::new(findings);
    serde_json::from_value(json!({
        "schema": "basewatch.report/v1", "run_id": now.timestamp().to_string(), "generated_at": now,
        "complete": errors.is_empty(), "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": summary,
        "findings": findings, "errors": errors, "requests": {},
    }))
    .unwrap()
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_finding_is_triggered_once_reminded_weekly_escalated_and_resolved() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.set("orders", "info").run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "medium").run(), ["orders triggered"]);
    for _ in 0..6 {
        assert_eq!(fleet.after(1).run(), NOTHING);
    }
    assert_eq!(fleet.after(1).run(), ["orders reminded"]);
    assert_eq!(fleet.after(1).set("orders", "high").run(), ["orders escalated"]);
    // The severity last notified counts: returning to it is no escalation.
    assert_eq!(fleet.after(1).set("orders", "medium").run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "high").run(), NOTHING);
    assert_eq!(fleet.after(5).run(), ["orders reminded"]);
    assert_eq!(fleet.after(1).set("orders", "none").run(), ["orders resolved"]);
    assert_eq!(fleet.after(30).run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "medium").run(), ["orders triggered"]);
    let history = &fleet.ledger.alerts.values().next().unwrap().deliveries.get(TOPIC).unwrap();
    assert_eq!((history.episode, history.count, history.state()), (2, 6, AlertState::Sent));
}

#[test]
fn a_run_that_starts_a_minute_early_still_sends_the_reminder() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").run();
    fleet.now += Duration::days(7) - Duration::minutes(1);
    assert_eq!(fleet.run(), ["orders reminded"]);
}

#[test]
fn an_unknown_base_neither_triggers_nor_resolves() {
    let mut fleet = Fleet::new();
    fleet.settings.threshold = Severity::Low;
    assert_eq!(fleet.set("orders", "low").run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "high").run(), ["orders triggered"]);
    assert_eq!(fleet.after(1).set("orders", "low").run(), NOTHING);
    assert_eq!(fleet.after(8).run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "none").run(), ["orders resolved"]);
}

#[test]
fn deployments_missing_because_of_an_inventory_error_are_not_resolved() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").set("billing", "high").run();
    fleet.errors = vec![ErrorEntry::default()];
    assert_eq!(fleet.after(1).remove("orders").run(), NOTHING);
    // Listed findings are resolved.
    assert_eq!(fleet.after(1).set("billing", "none").run(), ["billing resolved"]);
    fleet.errors.clear();
    assert_eq!(fleet.after(1).run(), ["orders resolved"]);
    assert_eq!(fleet.after(1).run(), NOTHING);
}

#[test]
fn there_is_one_message_per_owner_most_severe_first() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "medium").set("refunds", "high").set_of("search", "critical", Some("web"));
    fleet.set_of("attic", "medium", None);
    let messages = fleet.plan();
    let owners: Vec<_> = messages.iter().map(|message| message.owner.as_deref()).collect();
    assert_eq!(owners, [Some("web"), Some("payments"), None]);
    let names: Vec<_> = messages[1].items.iter().map(|item| &*item.name).collect();
    assert_eq!(names, ["refunds", "orders"]);
    assert_eq!((messages[1].severity, messages[1].count()), (Severity::High, 2));
}

#[test]
fn a_channel_receives_findings_of_its_owners_from_its_threshold_up() {
    let mut fleet = Fleet::new();
    let mut pager = channel("pager");
    pager.owners = vec!["pay*".parse().unwrap()];
    pager.threshold = Some(Severity::High);
    fleet.settings.channels = vec![pager];
    fleet.set("orders", "medium").set_of("search", "critical", Some("web")).set_of("attic", "critical", None);
    assert_eq!(fleet.run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "high").run(), ["orders triggered"]);
    // Below its own threshold the alert is resolved on this channel.
    assert_eq!(fleet.after(1).set("orders", "medium").run(), ["orders resolved"]);
    assert_eq!(fleet.after(1).set("orders", "high").run(), ["orders triggered"]);
    assert_eq!(fleet.after(1).set_of("orders", "high", Some("web")).run(), ["orders resolved"]);
}

#[test]
fn a_large_backlog_is_one_summary_and_later_findings_are_sent_singly() {
    let mut fleet = Fleet::new();
    for number in 0..432 {
        fleet.set_of(&format!("f{number:03}"), "medium", Some(if number % 2 == 0 { "payments" } else { "web" }));
    }
    let messages = fleet.plan();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!((message.kind, message.count(), message.items.len()), (MessageKind::Backlog, 432, 20));
    assert_eq!((message.left_out, message.owners["web"]), (412, 216));
    // Due but not yet delivered: the next run does not plan it again.
    fleet.after(1).set("orders", "high");
    let messages = fleet.plan();
    assert_eq!((messages.len(), messages[0].kind, &*messages[0].items[0].name), (1, MessageKind::Findings, "orders"));
}

#[test]
fn the_last_message_of_a_run_covers_the_owners_above_the_limit() {
    let mut fleet = Fleet::new();
    fleet.settings.max_messages = 3;
    for owner in ["a", "b", "c", "d", "e"] {
        fleet.set_of(owner, "high", Some(owner));
    }
    let messages = fleet.plan();
    let owners: Vec<_> = messages.iter().map(|message| (message.owner.as_deref(), message.count())).collect();
    assert_eq!(owners, [(Some("a"), 1), (Some("b"), 1), (None, 3)]);
    assert_eq!(messages[2].owners.keys().collect::<Vec<_>>(), ["c", "d", "e"]);
}

#[test]
fn quiet_hours_hold_everything_but_urgent_findings_until_morning() {
    let mut fleet = Fleet::new();
    fleet.settings.quiet_hours = Some(QuietHours {
        from: "18:00".parse().unwrap(),
        to: "08:00".parse().unwrap(),
        days: vec![chrono::Weekday::Sat, chrono::Weekday::Sun],
        time_zone: chrono_tz::Europe::Berlin,
        except: Severity::Critical,
    });
    // 07:30 in Berlin.
    fleet.now = "2026-11-02T06:30:00Z".parse().unwrap();
    assert_eq!(fleet.set("orders", "high").set("pay", "critical").run(), ["pay triggered"]);
    fleet.now = "2026-11-02T07:00:00Z".parse().unwrap();
    assert_eq!(fleet.run(), ["orders triggered"]);
    // On Saturday, at noon.
    fleet.now = "2026-11-07T11:00:00Z".parse().unwrap();
    assert_eq!(fleet.set("orders", "none").run(), NOTHING);
    fleet.now = "2026-11-09T11:00:00Z".parse().unwrap();
    assert_eq!(fleet.run(), ["pay reminded", "orders resolved"]);
    // In summer the same hours begin an hour earlier in UTC.
    let hours = fleet.settings.quiet_hours.unwrap();
    let at = |text: &str| hours.hold(text.parse().unwrap());
    assert!(at("2027-07-01T16:00:00Z") && !at("2027-07-01T15:59:00Z") && !at("2027-07-01T06:00:00Z"));
}

#[test]
fn a_snoozed_alert_is_silent_unless_it_escalates() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "medium").run();
    let until = fleet.now + Duration::days(20);
    let key = fleet.ledger.alerts.keys().next().unwrap().clone();
    snooze(&mut fleet.ledger, &[key], Some(Snooze::new(until, fleet.now, None, None)));
    assert_eq!(fleet.after(8).run(), NOTHING);
    assert_eq!(fleet.after(1).set("orders", "high").run(), ["orders escalated"]);
    assert_eq!(fleet.after(10).run(), NOTHING);
    assert_eq!(fleet.after(1).run(), ["orders reminded"]);
}

#[test]
fn equal_messages_have_equal_dedup_keys_and_different_ones_do_not() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").set("billing", "high");
    let mut again = Fleet::new();
    again.set("billing", "high").set("orders", "high");
    let key = fleet.plan()[0].dedup_key.clone();
    // A run killed before it recorded anything is repeated an hour later.
    again.now += Duration::hours(1);
    assert_eq!(again.plan()[0].dedup_key, key);
    fleet.ledger.outbox.clear();
    let reminded = fleet.after(7).plan()[0].dedup_key.clone();
    let reminded_again = fleet.after(7).plan()[0].dedup_key.clone();
    assert!(key != reminded && reminded != reminded_again);
    assert_eq!(key.len(), 64);
}

#[test]
fn a_report_older_than_the_last_run_plans_nothing() {
    let mut fleet = Fleet::new();
    fleet.run();
    fleet.now -= Duration::minutes(5);
    fleet.set("orders", "high");
    let report = report(fleet.now, &[], &fleet.findings);
    let planned =
        plan(&mut fleet.ledger, NotificationContext { report: &report, report_location: None }, &fleet.settings);
    assert!(planned.is_superseded && fleet.ledger.outbox.is_empty());
}

#[test]
fn a_channel_without_resolved_is_not_notified_of_ends_but_the_ledger_records_them() {
    let mut fleet = Fleet::new();
    fleet.settings.channels[0].resolved = false;
    fleet.set("orders", "high").run();
    assert_eq!(fleet.after(1).set("orders", "none").run(), NOTHING);
    assert_eq!(
        fleet.ledger.alerts.values().next().unwrap().deliveries.get(TOPIC).unwrap().state(),
        AlertState::Resolved
    );
    assert_eq!(fleet.after(1).set("orders", "high").run(), ["orders triggered"]);
}

#[test]
fn rebuild_notices_are_sent_from_the_threshold_of_the_channel_up() {
    let mut fleet = Fleet::new();
    let mut pager = channel("pager");
    pager.threshold = Some(Severity::High);
    fleet.settings.channels.push(pager);
    let report = report(fleet.now, &[], &[]);
    let notices = |severity| {
        let request = json!({
            "dedup_key": "k", "run_id": "r", "at": fleet.now, "registry": "r.example.com", "repository": "orders",
            "line": "l:1", "base": "l@d", "base_digest": "d", "from": [], "deployments": [], "deployment_count": 1,
        });
        let rebuild = rebuild::RebuildNotice {
            key: "k".into(),
            dedup_key: "k".into(),
            what: rebuild::NoticeKind::Overdue,
            severity,
            request: serde_json::from_value(request).unwrap(),
            text: "no new image".into(),
        };
        [rebuild::OwnerNotices { owner: Some("payments".into()), rebuilds: vec![rebuild] }]
    };
    let context = NotificationContext { report: &report, report_location: None };
    for (severity, channels) in [(Severity::Medium, vec![TOPIC]), (Severity::High, vec![TOPIC, "pager"])] {
        let mut ledger = Ledger::default();
        notify_of_rebuilds(&mut ledger, &notices(severity), context, &fleet.settings);
        assert_eq!(ledger.outbox.iter().map(|due| due.channel.as_str()).collect::<Vec<_>>(), channels);
    }
}

#[test]
fn the_ledger_prunes_old_alerts_and_keeps_the_first_and_latest_events() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").run();
    for _ in 0..12 {
        fleet.after(7).run();
    }
    let events = &fleet.ledger.alerts.values().next().unwrap().deliveries.get(TOPIC).unwrap().events;
    let kinds: Vec<_> = events.iter().map(|event: &AlertEvent| event.kind).collect();
    assert_eq!((kinds.len(), kinds[0]), (6, EventKind::Triggered));
    fleet.after(1).remove("orders").run();
    assert_eq!(fleet.ledger.alerts.len(), 1);
    fleet.after(91).run();
    assert!(fleet.ledger.alerts.is_empty());
}

#[test]
fn a_pruned_alert_that_returns_has_a_new_dedup_key() {
    let mut fleet = Fleet::new();
    let first = fleet.set("orders", "high").plan();
    fleet.ledger.outbox.clear();
    fleet.after(1).set("orders", "none").plan();
    fleet.ledger.outbox.clear();
    fleet.after(100).plan();
    assert!(fleet.ledger.alerts.is_empty(), "removed");
    let again = fleet.after(1).set("orders", "high").plan();
    assert_eq!((first.len(), again.len()), (1, 1));
    assert_ne!(first[0].dedup_key, again[0].dedup_key, "a consumer that has seen the first must not drop the second");
}

#[test]
fn a_rebuild_of_two_owners_is_two_messages_on_a_shared_channel() {
    let request = json!({
        "dedup_key": "0", "run_id": "1", "at": "2026-11-02T09:00:00Z", "line": "public.ecr.aws/lambda/java:21",
        "registry": "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "repository": "orders",
        "base": "public.ecr.aws/lambda/java:21", "base_digest": "sha256:0", "from": [], "deployments": [],
        "deployment_count": 2,
    });
    let notices = |owner: &str| rebuild::OwnerNotices {
        owner: Some(owner.to_owned()),
        rebuilds: vec![rebuild::RebuildNotice {
            key: "0".to_owned(),
            dedup_key: "0".repeat(64),
            what: rebuild::NoticeKind::Overdue,
            severity: Severity::Medium,
            request: serde_json::from_value(request.clone()).unwrap(),
            text: "no new image has been pushed".to_owned(),
        }],
    };
    let mut fleet = Fleet::new();
    let report = report(fleet.now, &[], &[]);
    let context = NotificationContext { report: &report, report_location: None };
    notify_of_rebuilds(&mut fleet.ledger, &[notices("payments"), notices("web")], context, &fleet.settings);
    let keys: Vec<_> = fleet.ledger.outbox.iter().map(|due| due.message.dedup_key.clone()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_partial_audit_notifies_of_its_finding_and_resolves_no_other() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").set("billing", "medium").run();
    let run = fleet.ledger.last_run.clone();
    assert_eq!(fleet.after(1).audit_one("pushed", "high", false), ["pushed triggered"]);
    assert_eq!(fleet.audit_one("pushed", "high", false), NOTHING);
    assert_eq!(fleet.ledger.last_run, run, "a partial audit is not a run");
    // The next run lists all three: no repeats, nothing resolved.
    assert_eq!(fleet.set("pushed", "high").run().len(), 0);
    // A run that started before the partial audit resolves nothing it could not list.
    fleet.after(1).audit_one("later", "high", false);
    fleet.now -= Duration::hours(1);
    assert_eq!(fleet.run(), NOTHING);
    assert_eq!(fleet.after(1).run(), ["later resolved"]);
}

#[test]
fn a_partial_audit_of_a_current_base_sends_only_the_resolution_of_its_own_alert() {
    let mut fleet = Fleet::new();
    fleet.settings.threshold = crate::judge::Severity::Info;
    for severity in ["none", "info", "low"] {
        assert_eq!(fleet.audit_one("pushed", severity, false), NOTHING, "{severity}");
    }
    assert_eq!(fleet.audit_one("pushed", "medium", false), ["pushed triggered"]);
    assert_eq!(fleet.audit_one("orders", "high", false), ["orders triggered"]);
    assert_eq!(fleet.after(1).audit_one("pushed", "none", false), ["pushed resolved"]);
}

#[test]
fn an_unlisted_finding_is_not_resolved_by_absence() {
    let mut fleet = Fleet::new();
    fleet.set("orders", "high").run();
    assert_eq!(fleet.after(1).audit_one("pushed", "high", true), ["pushed triggered"]);
    assert_eq!(fleet.after(1).run(), NOTHING);
    assert_eq!(fleet.audit_one("pushed", "none", true), ["pushed resolved"]);
    // Once an inventory lists it, its absence counts.
    fleet.audit_one("pushed", "high", true);
    fleet.after(1).set("pushed", "high").run();
    assert_eq!(fleet.after(1).remove("pushed").run(), ["pushed resolved"]);
}

#[test]
fn a_partial_audit_is_not_the_first_contact_with_a_channel() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.audit_one("pushed", "high", false), ["pushed triggered"]);
    for number in 0..30 {
        fleet.set(&format!("f-{number}"), "high");
    }
    fleet.ledger.outbox.clear();
    let messages = fleet.after(1).set("pushed", "high").plan();
    let kinds: Vec<_> = messages.iter().map(|message| message.kind).collect();
    assert_eq!(kinds, [MessageKind::Backlog], "one summary, not thirty alerts");
}

#[test]
fn a_partial_audit_in_quiet_hours_is_left_to_the_next_run() {
    let mut fleet = Fleet::new();
    let time = |text: &str| text.parse().unwrap();
    fleet.settings.quiet_hours = Some(QuietHours {
        from: time("22:00:00"),
        to: time("08:00:00"),
        days: Vec::new(),
        time_zone: chrono_tz::UTC,
        except: crate::judge::Severity::Critical,
    });
    fleet.now = "2026-11-02T23:00:00Z".parse().unwrap();
    assert_eq!(fleet.audit_one("pushed", "high", false), NOTHING);
    assert_eq!(fleet.audit_one("worse", "critical", false), ["worse triggered"]);
    fleet.now = "2026-11-03T09:00:00Z".parse().unwrap();
    assert_eq!(fleet.set("pushed", "high").set("worse", "critical").run(), ["pushed triggered"]);
}

#[test]
fn a_resend_ends_the_wait_of_its_channel() {
    let mut fleet = Fleet::new();
    assert_eq!(fleet.set("orders", "medium").plan().len(), 1);
    let error = DeliveryError {
        retry_after: Some(std::time::Duration::from_hours(1)),
        ..DeliveryError::for_target("503".to_owned())
    };
    fleet.ledger.outbox[0].delivery.failed(&error, fleet.now);
    let (key, settings) = (fleet.ledger.alerts.keys().next().unwrap().clone(), fleet.settings.clone());
    assert_eq!(resend(&mut fleet.ledger, &[key], None, &settings, fleet.now), 1);
    assert_eq!(fleet.ledger.outbox.len(), 2);
    assert!(fleet.ledger.outbox.iter().all(|entry| entry.delivery.is_ready(fleet.now)));
}
