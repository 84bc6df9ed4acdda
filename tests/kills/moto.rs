//! The same on a bucket of moto, an independent implementation of conditional writes; and many concurrent runs.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use basewatch::{
    config::Settings,
    notify::{self, EventKind, Ledger, self_monitor::SelfMonitor},
};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    child::{self, ChildOrders},
    compare::{Difference, essence_of},
    fortnight::{Kill, Runner},
    ground::{Kind, StoreAddress, TestStore},
    post::{CallStage, ChannelServer},
    script::{self, Tools, instant},
};
use testbed::peers::{self, Peer};

const BUCKET: &str = "basewatch-audits";
/// Number of concurrent runs.
const MANY: usize = 40;

/// moto, with a bucket.
fn moto() -> Peer {
    let moto = peers::moto();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test"))
        .endpoint_url(moto.http())
        .force_path_style(true)
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(BUCKET).send().await.unwrap();
    });
    moto
}

fn address(moto: &Peer, lease: Option<Duration>) -> StoreAddress {
    let prefix = ulid::Ulid::generate().to_string();
    StoreAddress::Bucket { endpoint: moto.http(), bucket: BUCKET.to_owned(), prefix, lease }
}

fn ledger(address: &StoreAddress) -> Ledger {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { notify::read(&*address.open()).await }).unwrap()
}

#[test]
fn a_run_over_a_real_bucket_that_is_killed_every_other_day_loses_nothing() {
    let runner = Runner::new();
    let undisturbed = runner.undisturbed(Kind::Bucket);
    let moto = moto();
    // The next run waits for the lease of the killed one to expire.
    let ground = TestStore::Elsewhere(address(&moto, Some(Duration::from_secs(1))));
    let kills = BTreeMap::from([
        (0, Kill::Moment(8)),
        (2, Kill::Call(1, CallStage::Recorded)),
        (4, Kill::Moment(13)),
        (6, Kill::Call(1, CallStage::HalfResponded)),
        (8, Kill::Call(3, CallStage::Recorded)),
        (10, Kill::Call(0, CallStage::Connected)),
        (12, Kill::Moment(11)),
    ]);
    let begun = Instant::now();
    let outcome = runner.disturbed_on(&ground, &undisturbed, &kills);
    println!("{outcome:?} in {:?}", begun.elapsed());
    assert_eq!((outcome.killed, outcome.unreadable), (kills.len(), 0));
    let Difference { lost, strange, again, builds_again } = outcome.difference;
    assert_eq!((lost, strange, outcome.ledger), (Vec::new(), Vec::new(), Vec::<String>::new()));
    assert!(again >= 2 && builds_again == 1, "{again} {builds_again}");
}

#[test]
fn forty_processes_with_one_report_notify_once() {
    let undisturbed = Runner::new().undisturbed(Kind::Bucket);
    let moto = moto();
    let address = address(&moto, None);
    let post = ChannelServer::start(Vec::new());
    post.open(0, None);
    let instructions = ChildOrders { day: 0, store: address.clone(), post: post.endpoint(), last_moment: None };
    let begun = Instant::now();
    let children: Vec<_> = (0..MANY).map(|_| instructions.start(&post)).collect();
    for child in children {
        // Each fails with its own message.
        assert!(!child::was_killed(child, &post));
    }
    println!("{MANY} processes in {:?}", begun.elapsed());
    let first: Vec<_> = undisturbed.arrivals.iter().filter(|arrival| arrival.day == 0).cloned().collect();
    assert_eq!(Difference::between(&first, &post.arrivals()), Difference::default());
    let ledger = ledger(&address);
    assert_eq!(
        essence_of(&ledger, &SelfMonitor::default()).len(),
        3 + 2 + 1 + 1,
        "notifications of three channels, and a rebuild: {ledger:?}"
    );
    assert!(ledger.outbox.is_empty());
}

/// The report of a fleet of the functions 0 to `last`.
fn growing(last: usize) -> basewatch::report::Report {
    let findings: Vec<_> = (0..=last)
        .map(|nth| {
            json!({
                "id": format!("lambda:eu-west-1:123456789012:f{nth:02}:$LATEST"),
                "deployment": {
                    "kind": "lambda", "name": format!("f{nth:02}"), "account": "123456789012",
                    "region": "eu-west-1", "owner": if nth % 2 == 0 { "payments" } else { "search" },
                },
                "image": { "reference": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/f{nth:02}:1") },
                "verdict": "stale", "stale": true, "out_of_date": false, "deprecated": false,
                "severity": "high", "action": "rebuild", "reasons": [],
            })
        })
        .collect();
    let minutes = TimeDelta::minutes(i64::try_from(last).unwrap());
    script::report_of(&findings, true, instant(0, false) + minutes)
}

fn settings(post: &str) -> Settings {
    let mut settings = script::settings(post);
    settings.notify.backlog = 1_000;
    settings.notify.max_items = 1_000;
    settings.rebuild.rules.clear();
    settings
}

/// Performs a run in its own runtime. Returns its problems.
fn run(nth: usize, address: &StoreAddress, settings: &Settings) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let report = growing(nth);
        let context = Tools::new().context(settings, address.open());
        let instants = basewatch::app::RunInstants::at(report.generated_at);
        let deadlines = basewatch::run::Deadlines::default();
        basewatch::run::complete(settings, &context, &report, instants, deadlines).await.outcome.problems
    })
}

#[test]
fn forty_runs_with_a_report_each_notify_of_every_finding_once() {
    let moto = moto();
    let (address, post) = (address(&moto, None), ChannelServer::start(Vec::new()));
    let settings = settings(&post.endpoint());
    let begun = Instant::now();
    let problems: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = (0..MANY)
            .map(|nth| {
                scope.spawn({
                    let (address, settings) = (&address, &settings);
                    move || run(nth, address, settings)
                })
            })
            .collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    println!("{MANY} runs in {:?}, {} of them superseded", begun.elapsed(), problems.len());
    assert!(problems.iter().all(|problem| problem.starts_with("superseded by a later run")), "{problems:?}");
    let mut notified: BTreeMap<(String, String), Vec<EventKind>> = BTreeMap::new();
    for arrival in post.arrivals() {
        let message: notify::Message = serde_json::from_value(arrival.body).unwrap();
        for item in message.items {
            notified.entry((arrival.path.clone(), item.name)).or_default().push(item.event);
        }
    }
    assert_eq!(notified.len(), MANY + MANY / 2, "all to the general channel, every other one to its owner");
    assert!(notified.values().all(|events| *events == [EventKind::Triggered]), "{notified:?}");
    let ledger = ledger(&address);
    assert_eq!((ledger.alerts.len(), ledger.outbox.len()), (MANY, 0));
    assert_eq!(ledger.last_run.map(|last| last.at), Some(growing(MANY - 1).generated_at));
}
