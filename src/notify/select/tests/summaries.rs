//! Summaries, channels that track alerts, and the sizes of groups.

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use super::{Fleet, NOTHING, channel, report};
use crate::{
    image::Digest,
    judge::Severity,
    notify::{
        ChannelKind, EventKind, MessageKind, NotificationChannel, SummarySchedule,
        select::{NotificationContext, notify_of_rebuilds},
    },
    rebuild::{NoticeKind, OwnerNotices, RebuildNotice},
    schedule::Timetable,
};

/// A fleet with one channel.
fn fleet_with(channel: NotificationChannel) -> Fleet {
    let mut fleet = Fleet::new();
    fleet.settings.channels = vec![channel];
    fleet
}

fn summary(schedule: SummarySchedule) -> Fleet {
    fleet_with(NotificationChannel { summary: Some(schedule), ..channel("mail") })
}

/// The notice for `owner` about a rebuild that is overdue.
fn overdue(owner: &str, now: DateTime<Utc>) -> OwnerNotices {
    let request = json!({
        "dedup_key": "5".repeat(64), "run_id": "1", "at": now, "registry": "r.example.com", "repository": "orders",
        "line": "public.ecr.aws/lambda/java:21", "base": "public.ecr.aws/lambda/java:21@sha256:5b61",
        "base_digest": "sha256:5b61", "from": [], "deployments": ["orders"], "deployment_count": 1,
    });
    let notice = RebuildNotice {
        key: "orders".to_owned(),
        dedup_key: "6".repeat(64),
        what: NoticeKind::Overdue,
        severity: Severity::High,
        request: serde_json::from_value(request).unwrap(),
        text: "no new image of orders was pushed".to_owned(),
    };
    OwnerNotices { owner: Some(owner.to_owned()), rebuilds: vec![notice] }
}

#[test]
fn a_channel_with_summaries_gets_one_message_per_run_about_all_owners() {
    let mut fleet = summary(SummarySchedule::EveryRun);
    fleet.set("orders", "high").set_of("index", "medium", Some("search")).set_of("cron", "high", None);
    let [first] = &fleet.plan()[..] else { panic!("one message") };
    assert_eq!((first.kind, first.owner.as_deref()), (MessageKind::Findings, None));
    assert_eq!((first.items.len(), first.owners.len()), (3, 3), "{:?}", first.owners);
    fleet.after(1).set_of("index", "critical", Some("search"));
    let [second] = &fleet.plan()[..] else { panic!("one message") };
    assert_eq!(second.owner.as_deref(), Some("search"), "the only owner of its findings");
    assert_ne!(first.dedup_key, second.dedup_key);
    assert!(fleet.plan().is_empty(), "nothing changed");
}

#[test]
fn a_scheduled_summary_waits_for_the_first_run_after_it_is_due() {
    // The fleet starts on Monday at 09:00 UTC.
    let timetable = Timetable::new("0 8 * * wed", chrono_tz::Tz::UTC).unwrap();
    let mut fleet = summary(SummarySchedule::Scheduled(timetable));
    fleet.set("orders", "high").set("brief", "high");
    assert_eq!(fleet.run(), NOTHING, "it is not due yet");
    assert_eq!(fleet.after(1).run(), NOTHING);
    fleet.set("brief", "none");
    assert_eq!(fleet.after(1).run(), ["orders triggered"], "an alert that was never sent is not resolved");
    assert_eq!(fleet.after(1).set("orders", "none").set("index", "medium").run(), NOTHING);
    assert_eq!(fleet.after(5).run(), NOTHING, "Tuesday");
    // No run on Wednesday.
    assert_eq!(fleet.after(2).run(), ["index triggered", "orders resolved"]);
    assert_eq!(fleet.after(1).run(), NOTHING);
}

#[test]
fn a_push_does_not_cause_a_message_before_a_scheduled_summary() {
    let timetable = Timetable::new("0 8 * * wed", chrono_tz::Tz::UTC).unwrap();
    let mut fleet = summary(SummarySchedule::Scheduled(timetable));
    fleet.run();
    assert_eq!(fleet.audit_one("orders", "high", false), NOTHING);
}

#[test]
fn a_summary_has_the_rebuilds_of_all_owners_each_once_and_waits_with_the_rest() {
    let timetable = Timetable::new("0 8 * * wed", chrono_tz::Tz::UTC).unwrap();
    for (schedule, is_held) in [(SummarySchedule::EveryRun, false), (SummarySchedule::Scheduled(timetable), true)] {
        let mut fleet = summary(schedule);
        let notices = ["payments", "search"].map(|owner| overdue(owner, fleet.now));
        let report = report(fleet.now, &[], &[]);
        let context = NotificationContext { report: &report, report_location: None };
        notify_of_rebuilds(&mut fleet.ledger, &notices, context, &fleet.settings);
        let [entry] = &fleet.ledger.outbox[..] else { panic!("one message") };
        assert_eq!((entry.message.items.len(), entry.message.owner.as_deref()), (1, None));
        assert_eq!(entry.delivery.is_ready(fleet.now), !is_held);
        assert!(entry.delivery.is_ready(fleet.now + Duration::days(2)));
    }
}

#[test]
fn a_channel_that_tracks_alerts_gets_a_message_for_each_and_no_backlog() {
    let mut fleet = fleet_with(NotificationChannel { kind: ChannelKind::SecurityHub, ..channel("hub") });
    for number in 0..120 {
        fleet.set(&format!("orders-{number}"), if number == 7 { "critical" } else { "medium" });
    }
    let messages = fleet.plan();
    assert_eq!(messages.len(), 120);
    assert_eq!(messages[0].severity, Severity::Critical, "the most severe first");
    for message in &messages {
        assert_eq!((message.kind, message.items.len(), message.left_out), (MessageKind::Findings, 1, 0));
        let id = Digest::sha256(message.items[0].finding.as_bytes()).short().to_owned();
        assert_eq!(message.items[0].alert, id, "the same in every message about it");
    }
    fleet.after(1).set("orders-7", "none");
    let [resolved] = &fleet.plan()[..] else { panic!("one message") };
    assert_eq!((resolved.items[0].event, &resolved.items[0].alert), (EventKind::Resolved, &messages[0].items[0].alert));
}

#[test]
fn times_in_messages_are_whole_seconds() {
    let mut fleet = fleet_with(channel("mail"));
    fleet.now += Duration::nanoseconds(123_456_789);
    fleet.set("orders", "high").run();
    fleet.after(1).set("orders", "critical");
    let [message] = &fleet.plan()[..] else { panic!("one message") };
    let json = serde_json::to_value(message).unwrap();
    assert_eq!(json["at"], "2026-11-03T09:00:00Z");
    assert_eq!(json["items"][0]["first_notified_at"], "2026-11-02T09:00:00Z");
}

#[test]
fn the_size_of_a_group_survives_the_cap() {
    let mut fleet = summary(SummarySchedule::EveryRun);
    fleet.settings.backlog = 1000;
    for number in 0..412 {
        fleet.set(&format!("orders-{number:03}"), "medium");
    }
    fleet.set("cart", "high");
    let [message] = &fleet.plan()[..] else { panic!("one message") };
    assert_eq!((message.items.len() as u64, message.left_out), (20, 393));
    assert_eq!(message.items[0].group_size, None, "one of its kind");
    assert!(message.items[1..].iter().all(|item| item.group_size == Some(412)));
    let text = crate::notify::text::render(message, 60_000);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("and 393 more like them"), "{text}");
    assert!(!text.contains("… and"), "the paragraph counts them all: {text}");
    let subject = crate::notify::text::subject(message);
    assert_eq!(subject, "payments: 413 new (1 high): deployments on outdated bases");
}
