//! Self-monitoring over a store in a folder: runs that fail, find nothing or are incomplete.

use std::{fs, sync::Arc};

use anyhow::{Result, anyhow};
use basewatch::{
    app::RunInstants,
    config::Settings,
    image::ErrorCode,
    inventory::ImageSource,
    notify::{EventKind, Message, MessageKind, run_health::RunHealth},
    report::{ErrorEntry, Note, NoteCode, Report},
    run::{self, CompletedRun, Deadlines, RunReport},
    secret::{Secret, SecretSource},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use testbed::{
    alerts_rig::Rig,
    mailbox::{Mailbox, down},
    toxic::{Reply, Toxic},
};

/// A fixture with self-monitoring.
struct Desk {
    rig: Rig,
    now: DateTime<Utc>,
}

impl Desk {
    /// With an image to audit and a channel subscribed to everything.
    fn new() -> Self {
        let mut rig = Rig::new();
        rig.settings.images = vec![ImageSource::Unknown];
        Self { rig, now: "2026-11-02T09:00:00Z".parse().unwrap() }
    }

    fn settings(&mut self) -> &mut Settings {
        &mut self.rig.settings
    }

    fn mailbox(&self) -> &Mailbox {
        &self.rig.mailboxes[0]
    }

    fn after(&mut self, hours: i64) -> &mut Self {
        self.now += TimeDelta::hours(hours);
        self
    }

    /// A report of `deployments` fresh deployments, with an error for each of `unread`.
    fn report(&self, deployments: u64, unread: &[&str]) -> Report {
        let entry = |scope: &&str| ErrorEntry {
            scope: (*scope).to_owned(),
            code: ErrorCode::AccessDenied.to_string(),
            message: "not authorized to perform: sts:AssumeRole".to_owned(),
            ..ErrorEntry::default()
        };
        let mut report: Report = serde_json::from_value(json!({
            "schema": "basewatch.report/v1", "run_id": ulid::Ulid::generate().to_string(), "generated_at": self.now,
            "complete": unread.is_empty(), "policy": { "max_age_days": 45, "grace_days": 14 },
            "summary": basewatch::report::Summary::new(&[]), "findings": [], "errors": [], "requests": {},
        }))
        .unwrap();
        report.summary.deployments = deployments;
        report.errors = unread.iter().map(entry).collect();
        report
    }

    async fn ended(&self, report: Result<Report>) -> Result<RunReport> {
        let context = self.rig.context();
        let mut run = match report {
            Ok(report) => {
                let (instants, deadlines) = (RunInstants::at(self.now), Deadlines::default());
                let completed = run::complete(&self.rig.settings, &context, &report, instants, deadlines).await;
                Ok(CompletedRun { report, outcome: completed.outcome })
            }
            Err(error) => Err(error),
        };
        run::watch_over(&self.rig.settings, &context, RunInstants::at(self.now), self.now, &mut run).await;
        run.map(|run| run.outcome)
    }

    async fn good(&self) -> RunReport {
        self.ended(Ok(self.report(1, &[]))).await.unwrap()
    }

    async fn incomplete(&self) -> RunReport {
        self.ended(Ok(self.report(1, &["account 210987654321"]))).await.unwrap()
    }

    /// A run that judges one of three deployments and cannot read `unread`.
    async fn blind(&self, unread: &[&str]) {
        let mut report = self.report(3, unread);
        let message = "only 1 of 3 deployments could be judged, less than policy.min_known = 0.5".to_owned();
        report.notes.push(Note::new(NoteCode::MostUnknown, message));
        self.ended(Ok(report)).await.unwrap();
    }

    async fn failing(&self) {
        let error = anyhow!("s3:GetObject: NoSuchBucket").context("the ledger cannot be used");
        let error = self.ended(Err(error)).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "the ledger cannot be used: s3:GetObject: NoSuchBucket");
    }

    /// The messages that arrived since the last call.
    fn received(&self) -> Vec<Message> {
        self.mailbox().take()
    }

    fn events(&self) -> Vec<(EventKind, RunHealth, u32)> {
        let of = |message: Message| {
            assert_eq!((message.kind, message.items.len()), (MessageKind::Watch, 0));
            let watch = message.watch.unwrap();
            (watch.event, watch.trouble, watch.runs)
        };
        self.received().into_iter().map(of).collect()
    }
}

#[tokio::test]
async fn a_day_of_failures_is_one_alert_reminded_after_a_week_and_resolved_once() {
    let mut desk = Desk::new();
    desk.good().await;
    for _ in 0..24 {
        desk.after(1).failing().await;
    }
    let messages = desk.received();
    assert_eq!(messages.len(), 1);
    let watch = messages[0].watch.as_ref().unwrap();
    assert_eq!((watch.event, watch.trouble, watch.runs), (EventKind::Triggered, RunHealth::Failed, 1));
    assert_eq!(watch.errors[0].message, "the ledger cannot be used: s3:GetObject: NoSuchBucket");
    assert_eq!(watch.last_report_at.unwrap().to_string(), "2026-11-02 09:00:00 UTC");
    for _ in 0..5 {
        desk.after(24).failing().await;
    }
    assert_eq!(desk.events(), []);
    desk.after(24).failing().await;
    assert_eq!(desk.events(), [(EventKind::Reminded, RunHealth::Failed, 30)]);
    for _ in 0..3 {
        desk.after(1).good().await;
    }
    assert_eq!(desk.events(), [(EventKind::Resolved, RunHealth::Failed, 30)]);
}

#[tokio::test]
async fn the_third_incomplete_run_in_a_row_triggers() {
    let mut desk = Desk::new();
    for _ in 0..5 {
        desk.after(1).incomplete().await;
        desk.after(1).incomplete().await;
        desk.after(1).good().await;
    }
    assert_eq!(desk.events(), []);
    let first = desk.now + TimeDelta::hours(1);
    for _ in 0..5 {
        desk.after(1).incomplete().await;
    }
    let messages = desk.received();
    assert_eq!(messages.len(), 1);
    let watch = messages[0].watch.as_ref().unwrap();
    assert_eq!((watch.trouble, watch.runs, watch.since), (RunHealth::Incomplete, 3, first));
    assert_eq!((watch.errors[0].scope.as_str(), watch.errors[0].since), ("account 210987654321", first));
}

#[tokio::test]
async fn the_first_run_without_deployments_triggers() {
    let desk = Desk::new();
    let outcome = desk.ended(Ok(desk.report(0, &[]))).await.unwrap();
    assert_eq!((outcome.messages.len(), outcome.messages[0].kind), (1, MessageKind::Watch));
    assert!(outcome.messages[0].sent && outcome.problems.is_empty());
    assert_eq!(desk.events(), [(EventKind::Triggered, RunHealth::Empty, 1)]);
}

#[tokio::test]
async fn a_mostly_unknown_fleet_triggers_once_and_resolves_once() {
    let mut desk = Desk::new();
    desk.good().await;
    for _ in 0..3 {
        desk.after(1).blind(&[]).await;
    }
    // More severe than incomplete, less than empty.
    desk.after(1).blind(&["account 210987654321"]).await;
    let messages = desk.received();
    assert_eq!(messages.len(), 1);
    let watch = messages[0].watch.as_ref().unwrap();
    assert_eq!((watch.event, watch.trouble, watch.runs), (EventKind::Triggered, RunHealth::Blind, 1));
    assert_eq!((watch.errors.len(), watch.errors[0].code.as_str()), (1, "most-unknown"));
    desk.after(1);
    desk.ended(Ok(desk.report(0, &[]))).await.unwrap();
    desk.after(1).good().await;
    desk.after(1).good().await;
    assert_eq!(
        desk.events(),
        [(EventKind::Escalated, RunHealth::Empty, 1), (EventKind::Resolved, RunHealth::Empty, 5)]
    );
    // With `blind_runs = 0`, incomplete runs still count.
    desk.settings().watch.blind_runs = 0;
    for _ in 0..3 {
        desk.after(1).blind(&[]).await;
    }
    assert_eq!(desk.events(), []);
    for _ in 0..3 {
        desk.after(1).blind(&["account 210987654321"]).await;
    }
    assert_eq!(desk.events(), [(EventKind::Triggered, RunHealth::Incomplete, 3)]);
}

#[tokio::test]
async fn a_run_over_a_part_of_the_configuration_is_ignored() {
    let mut desk = Desk::new();
    desk.settings().is_part = true;
    desk.ended(Ok(desk.report(0, &[]))).await.unwrap();
    desk.failing().await;
    assert_eq!(desk.events(), []);
    assert!(!desk.rig.folder.path().join("watch.json").exists());
    desk.settings().is_part = false;
    desk.after(1).failing().await;
    desk.settings().is_part = true;
    desk.after(1).good().await;
    assert_eq!(desk.events(), [(EventKind::Triggered, RunHealth::Failed, 1)], "and does not resolve it");
}

#[tokio::test]
async fn a_channel_that_was_down_gets_the_held_messages_in_order() {
    let mut desk = Desk::new();
    desk.mailbox().refuse(Some(down()));
    desk.failing().await;
    desk.after(1).failing().await;
    desk.after(1).good().await;
    assert_eq!(desk.events(), []);
    desk.mailbox().refuse(None);
    desk.after(6);
    let outcome = desk.good().await;
    assert_eq!(outcome.messages.len(), 2);
    // In order: a resolution is never sent before its alert.
    let kinds: Vec<_> = desk.events().into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [EventKind::Triggered, EventKind::Resolved]);
    let tried = desk.mailbox().tried();
    assert!(tried[..tried.len() - 1].iter().all(|key| *key == tried[0]), "{tried:?}");
}

#[tokio::test]
async fn a_run_killed_before_recording_an_acknowledgement_repeats_the_same_message() {
    let mut desk = Desk::new();
    let file = desk.rig.folder.path().join("watch.json");
    let as_sent = Arc::new(std::sync::Mutex::new(None));
    let (stored, read) = (Arc::clone(&as_sent), file.clone());
    desk.mailbox().when_it_takes(move |_| *stored.lock().unwrap() = Some(fs::read(&read).unwrap()));
    desk.failing().await;
    // The store as it was during delivery, as a killed run leaves it.
    let left = as_sent.lock().unwrap().take().expect("it was recorded before it was sent");
    fs::write(&file, left).unwrap();
    desk.after(1).failing().await;
    let messages = desk.received();
    assert_eq!((messages.len(), messages[0].dedup_key.len()), (2, 64));
    assert_eq!(messages[0], messages[1]);
    // Once delivered, nothing is due.
    desk.after(1).failing().await;
    assert_eq!(desk.events(), []);
}

#[tokio::test]
async fn a_channel_that_fails_for_days_is_reported_to_the_others() {
    let mut desk = Desk::new();
    desk.rig.add("chat", &["payments"]);
    desk.rig.mailboxes[1].refuse(Some(down()));
    for _ in 0..3 {
        let mut report = desk.report(1, &[]);
        report.findings = serde_json::from_value(json!([{
            "id": format!("lambda:eu-west-1:123456789012:{}:$LATEST", desk.now.timestamp()),
            "deployment": { "kind": "lambda", "name": "orders", "owner": "payments" },
            "image": { "reference": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1" },
            "verdict": "stale", "stale": true, "out_of_date": false, "deprecated": false,
            "severity": "high", "action": "rebuild", "reasons": [],
        }]))
        .unwrap();
        desk.ended(Ok(report)).await.unwrap();
        desk.after(24);
    }
    let messages: Vec<_> = desk.received().into_iter().filter_map(|message| message.watch).collect();
    assert_eq!((messages.len(), messages[0].trouble), (1, RunHealth::Incomplete));
    assert!(
        messages[0].errors[0].message.starts_with("notification to chat failed: "),
        "{}",
        messages[0].errors[0].message
    );
}

#[tokio::test]
async fn an_unreadable_state_is_kept_and_reported_as_a_problem() {
    for stored in ["{", "{\"schema\":\"basewatch.watch/v2\"}"] {
        let desk = Desk::new();
        let file = desk.rig.folder.path().join("watch.json");
        fs::write(&file, stored).unwrap();
        let outcome = desk.good().await;
        assert!(outcome.problems[0].contains("watch.json"), "{:?}", outcome.problems);
        desk.failing().await;
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), desk.events().len()), (stored, 0));
    }
}

#[tokio::test]
async fn concurrent_runs_are_all_counted_and_notify_once() {
    let desk = Desk::new();
    let runs = (0..5).map(|_| desk.failing());
    futures::future::join_all(runs).await;
    assert_eq!(desk.events().len(), 1);
    let watch = basewatch::store::load::<basewatch::notify::self_monitor::SelfMonitor>(&*desk.rig.store())
        .await
        .unwrap()
        .document;
    assert_eq!((watch.streaks[&RunHealth::Failed].runs, watch.outbox.len()), (5, 0));
    assert!(desk.rig.store().location().contains(desk.rig.folder.path().to_str().unwrap()));
}

#[tokio::test]
async fn each_completed_run_sends_one_heartbeat() {
    let (alive, ill) = (Toxic::start(|_| Reply::new(200, "OK")), Toxic::start(|_| Reply::new(200, "OK")));
    let url =
        |server: &Toxic, path: &str| Some(SecretSource::Here(Secret::new(format!("{}{path}", server.endpoint()))));
    let mut desk = Desk::new();
    desk.settings().watch.heartbeat = url(&alive, "/ping/0d338dcc?state=complete");
    desk.good().await;
    desk.after(1).incomplete().await;
    desk.after(1).failing().await;
    let request: Vec<_> = alive.log().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(
        request, ["GET /ping/0d338dcc?state=complete"; 2],
        "an incomplete run sends the heartbeat, a failed one does not"
    );
    assert_eq!((alive.log()[0].body.as_str(), alive.log()[0].header("webhook-id")), ("", None));
    desk.settings().watch.heartbeat_fail = url(&ill, "/ping/0d338dcc/fail");
    desk.after(1).failing().await;
    desk.after(1).good().await;
    assert_eq!((alive.log().len(), ill.log().len()), (3, 1));
}

#[tokio::test]
async fn a_failed_heartbeat_is_no_problem_of_the_run() {
    let elsewhere = Toxic::start(|_| Reply::new(200, "OK"));
    let moved = elsewhere.endpoint();
    for server in [
        Toxic::start(|_| Reply::new(404, "no such check")),
        Toxic::start(move |_| Reply::redirect(&moved)),
        Toxic::start(|_| Reply::new(200, "").cut_head()),
    ] {
        let mut desk = Desk::new();
        desk.settings().watch.heartbeat = Some(SecretSource::Here(Secret::new(format!("{}/x", server.endpoint()))));
        let outcome = desk.good().await;
        assert_eq!(outcome.problems, Vec::<String>::new());
        assert!((1..=3).contains(&server.log().len()), "{}", server.log().len());
    }
    assert_eq!(elsewhere.log().len(), 0, "redirects are not followed");
}
