//! Who watches the watchman? Runs that fail, find nothing or see only a part, told to mailboxes over a store in a folder.

use std::{fs, sync::Arc};

use anyhow::{Result, anyhow};
use basewatch::{
    config::Settings,
    image::ErrorCode,
    inventory::ImageSource,
    notify::{EventKind, Message, MessageKind, watch::Trouble},
    report::{ErrorEntry, Note, NoteCode, Report},
    run::{
        Instants,
        cycle::{self, Cycle, RunReport},
    },
    secret::{Secret, SecretSource},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::{
    mailbox::{Mailbox, down},
    rig::Rig,
    toxic::{Reply, Toxic},
};

/// A desk over which is watched.
struct Desk {
    rig: Rig,
    now: DateTime<Utc>,
}

impl Desk {
    /// One where something is to be audited, and everybody is told.
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

    /// A report of one deployment that is fresh, or of none; with what could not be seen.
    fn report(&self, deployments: u64, unseen: &[&str]) -> Report {
        let entry = |scope: &&str| ErrorEntry {
            scope: (*scope).to_owned(),
            code: ErrorCode::AccessDenied.to_string(),
            message: "not authorized to perform: sts:AssumeRole".to_owned(),
            ..ErrorEntry::default()
        };
        let mut report: Report = serde_json::from_value(json!({
            "schema": "basewatch.report/v1", "run_id": ulid::Ulid::generate().to_string(), "generated_at": self.now,
            "complete": unseen.is_empty(), "policy": { "max_age_days": 45, "grace_days": 14 },
            "summary": basewatch::report::Summary::of(&[]), "findings": [], "errors": [], "requests": {},
        }))
        .unwrap();
        report.summary.deployments = deployments;
        report.errors = unseen.iter().map(entry).collect();
        report
    }

    async fn ended(&self, report: Result<Report>) -> Result<RunReport> {
        let world = self.rig.world();
        let mut cycle = match report {
            Ok(report) => {
                let outcome = cycle::complete(&self.rig.settings, &world, &report, Instants::at(self.now)).await;
                Ok(Cycle { report, outcome })
            }
            Err(error) => Err(error),
        };
        cycle::watch_over(&self.rig.settings, &world, self.now, &mut cycle).await;
        cycle.map(|cycle| cycle.outcome)
    }

    async fn good(&self) -> RunReport {
        self.ended(Ok(self.report(1, &[]))).await.unwrap()
    }

    async fn incomplete(&self) -> RunReport {
        self.ended(Ok(self.report(1, &["account 210987654321"]))).await.unwrap()
    }

    /// A run that judges one deployment of three, and does not see `unseen`.
    async fn blind(&self, unseen: &[&str]) {
        let mut report = self.report(3, unseen);
        let message = "only 1 of 3 deployments could be judged, less than policy.min_known = 0.5".to_owned();
        report.notes.push(Note::new(NoteCode::MostUnknown, message));
        self.ended(Ok(report)).await.unwrap();
    }

    async fn failing(&self) {
        let error = anyhow!("s3:GetObject: NoSuchBucket").context("the ledger cannot be used");
        let error = self.ended(Err(error)).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "the ledger cannot be used: s3:GetObject: NoSuchBucket");
    }

    /// What arrived since it was last asked.
    fn told(&self) -> Vec<Message> {
        self.mailbox().take()
    }

    fn events(&self) -> Vec<(EventKind, Trouble, u32)> {
        let of = |message: Message| {
            assert_eq!((message.kind, message.items.len()), (MessageKind::Watch, 0));
            let watch = message.watch.unwrap();
            (watch.event, watch.trouble, watch.runs)
        };
        self.told().into_iter().map(of).collect()
    }
}

#[tokio::test]
async fn a_day_of_failures_is_one_alert_that_is_reminded_after_a_week_and_ends_once() {
    let mut desk = Desk::new();
    desk.good().await;
    for _ in 0..24 {
        desk.after(1).failing().await;
    }
    let told = desk.told();
    assert_eq!(told.len(), 1);
    let watch = told[0].watch.as_ref().unwrap();
    assert_eq!((watch.event, watch.trouble, watch.runs), (EventKind::Triggered, Trouble::Failed, 1));
    assert_eq!(watch.errors[0].message, "the ledger cannot be used: s3:GetObject: NoSuchBucket");
    assert_eq!(watch.last_report_at.unwrap().to_string(), "2026-11-02 09:00:00 UTC");
    for _ in 0..5 {
        desk.after(24).failing().await;
    }
    assert_eq!(desk.events(), []);
    desk.after(24).failing().await;
    assert_eq!(desk.events(), [(EventKind::Reminded, Trouble::Failed, 30)]);
    for _ in 0..3 {
        desk.after(1).good().await;
    }
    assert_eq!(desk.events(), [(EventKind::Resolved, Trouble::Failed, 30)]);
}

#[tokio::test]
async fn only_the_third_incomplete_run_in_a_row_is_told() {
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
    let told = desk.told();
    assert_eq!(told.len(), 1);
    let watch = told[0].watch.as_ref().unwrap();
    assert_eq!((watch.trouble, watch.runs, watch.since), (Trouble::Incomplete, 3, first));
    assert_eq!((watch.errors[0].scope.as_str(), watch.errors[0].since), ("account 210987654321", first));
}

#[tokio::test]
async fn the_first_run_that_finds_nothing_at_all_is_told_at_once() {
    let desk = Desk::new();
    let outcome = desk.ended(Ok(desk.report(0, &[]))).await.unwrap();
    assert_eq!((outcome.messages.len(), outcome.messages[0].kind), (1, MessageKind::Watch));
    assert!(outcome.messages[0].sent && outcome.problems.is_empty());
    assert_eq!(desk.events(), [(EventKind::Triggered, Trouble::Empty, 1)]);
}

#[tokio::test]
async fn a_fleet_of_which_most_is_unknown_is_notified_once_and_ends_once() {
    let mut desk = Desk::new();
    desk.good().await;
    for _ in 0..3 {
        desk.after(1).blind(&[]).await;
    }
    // Worse than incomplete, and better than nothing at all.
    desk.after(1).blind(&["account 210987654321"]).await;
    let told = desk.told();
    assert_eq!(told.len(), 1);
    let watch = told[0].watch.as_ref().unwrap();
    assert_eq!((watch.event, watch.trouble, watch.runs), (EventKind::Triggered, Trouble::Blind, 1));
    assert_eq!((watch.errors.len(), watch.errors[0].code.as_str()), (1, "most-unknown"));
    desk.after(1);
    desk.ended(Ok(desk.report(0, &[]))).await.unwrap();
    desk.after(1).good().await;
    desk.after(1).good().await;
    assert_eq!(desk.events(), [(EventKind::Escalated, Trouble::Empty, 1), (EventKind::Resolved, Trouble::Empty, 5)]);
    // Whoever does not want to know is notified of what is incomplete all the same.
    desk.settings().watch.blind_runs = 0;
    for _ in 0..3 {
        desk.after(1).blind(&[]).await;
    }
    assert_eq!(desk.events(), []);
    for _ in 0..3 {
        desk.after(1).blind(&["account 210987654321"]).await;
    }
    assert_eq!(desk.events(), [(EventKind::Triggered, Trouble::Incomplete, 3)]);
}

#[tokio::test]
async fn a_part_of_what_is_configured_says_nothing_about_the_whole() {
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
    assert_eq!(desk.events(), [(EventKind::Triggered, Trouble::Failed, 1)], "it does not end it either");
}

#[tokio::test]
async fn a_receiver_that_is_down_is_told_later_the_same_message() {
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
    // In the order it happened, and never the end before the beginning.
    let kinds: Vec<_> = desk.events().into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [EventKind::Triggered, EventKind::Resolved]);
    let tried = desk.mailbox().tried();
    assert!(tried[..tried.len() - 1].iter().all(|key| *key == tried[0]), "{tried:?}");
}

#[tokio::test]
async fn killed_between_sent_and_recorded_the_same_message_comes_again() {
    let mut desk = Desk::new();
    let file = desk.rig.folder.path().join("watch.json");
    let as_sent = Arc::new(std::sync::Mutex::new(None));
    let (kept, read) = (Arc::clone(&as_sent), file.clone());
    desk.mailbox().when_it_takes(move |_| *kept.lock().unwrap() = Some(fs::read(&read).unwrap()));
    desk.failing().await;
    // The store as it was when the message was on its way: this is what a killed run leaves behind.
    let left = as_sent.lock().unwrap().take().expect("it was recorded before it was sent");
    fs::write(&file, left).unwrap();
    desk.after(1).failing().await;
    let told = desk.told();
    assert_eq!((told.len(), told[0].dedup_key.len()), (2, 64));
    assert_eq!(told[0], told[1]);
    // Delivered, it is over.
    desk.after(1).failing().await;
    assert_eq!(desk.events(), []);
}

#[tokio::test]
async fn a_receiver_that_cannot_be_told_for_days_is_made_known_to_the_others() {
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
    let told: Vec<_> = desk.told().into_iter().filter_map(|message| message.watch).collect();
    assert_eq!((told.len(), told[0].trouble), (1, Trouble::Incomplete));
    assert!(told[0].errors[0].message.starts_with("chat was not told: "), "{}", told[0].errors[0].message);
}

#[tokio::test]
async fn what_cannot_be_understood_stays_as_it_is_and_the_run_says_so() {
    for kept in ["{", "{\"schema\":\"basewatch.watch/v2\"}"] {
        let desk = Desk::new();
        let file = desk.rig.folder.path().join("watch.json");
        fs::write(&file, kept).unwrap();
        let outcome = desk.good().await;
        assert!(outcome.problems[0].contains("watch.json"), "{:?}", outcome.problems);
        desk.failing().await;
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), desk.events().len()), (kept, 0));
    }
}

#[tokio::test]
async fn runs_that_end_at_the_same_time_are_all_counted_and_tell_once() {
    let desk = Desk::new();
    let runs = (0..5).map(|_| desk.failing());
    futures::future::join_all(runs).await;
    assert_eq!(desk.events().len(), 1);
    let watch = basewatch::store::load::<basewatch::notify::watch::Watch>(&*desk.rig.store()).await.unwrap().document;
    assert_eq!((watch.rows[&Trouble::Failed].runs, watch.outbox.len()), (5, 0));
    assert!(desk.rig.store().place().contains(desk.rig.folder.path().to_str().unwrap()));
}

#[tokio::test]
async fn the_heart_beats_once_for_each_run_that_took_place() {
    let (alive, ill) = (Toxic::start(|_| Reply::new(200, "OK")), Toxic::start(|_| Reply::new(200, "OK")));
    let url =
        |server: &Toxic, path: &str| Some(SecretSource::Here(Secret::new(format!("{}{path}", server.endpoint()))));
    let mut desk = Desk::new();
    desk.settings().watch.heartbeat = url(&alive, "/ping/0d338dcc?state=complete");
    desk.good().await;
    desk.after(1).incomplete().await;
    desk.after(1).failing().await;
    let asked: Vec<_> = alive.log().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    assert_eq!(asked, ["GET /ping/0d338dcc?state=complete"; 2], "an incomplete run is alive, a failed one is not");
    assert_eq!((alive.log()[0].body.as_str(), alive.log()[0].header("webhook-id")), ("", None));
    desk.settings().watch.heartbeat_fail = url(&ill, "/ping/0d338dcc/fail");
    desk.after(1).failing().await;
    desk.after(1).good().await;
    assert_eq!((alive.log().len(), ill.log().len()), (3, 1));
}

#[tokio::test]
async fn a_heartbeat_that_nobody_takes_is_no_problem_of_the_run() {
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
    assert_eq!(elsewhere.log().len(), 0, "nobody is sent elsewhere");
}
