//! A month of daily runs over 20 deployments on the real history of `public.ecr.aws/lambda/java`, against a naive rule
//! that notifies of every move of a tag.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use basewatch::{
    audit::{AuditOptions, AuditSources, audit},
    image::Reference,
    inventory::{Inventory, NamedInventory, OwnerRule},
    notify::{EventKind, Message},
    report::{Report, RunMetadata},
    store::{Catalog, ImageReader},
};
use chrono::{DateTime, Duration, Utc};

use testbed::{
    alerts_rig::Rig,
    history::{History, Seen},
};

const LINES: [&str; 3] = ["25", "17", "8.al2"];
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
const OWNERS: [&str; 4] = ["payments", "search", "web", "data"];

/// One of the 20 deployments.
struct App {
    name: String,
    owner: &'static str,
    line: &'static str,
    architecture: &'static str,
    built_on: Seen,
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Built on successive days, over all lines and both architectures.
fn apps(history: &History) -> Vec<App> {
    (0..20_usize)
        .map(|number| {
            let (line, architecture) = (LINES[number % 3], ARCHITECTURES[number / 3 % 2]);
            let day = Duration::days(i64::try_from(number).unwrap());
            let built_at = instant("2026-07-19T18:00:00Z") + day;
            let built_on = history.at(line, architecture, built_at).unwrap().clone();
            let app = App { name: format!("f{number:02}"), owner: OWNERS[number % 4], line, architecture, built_on };
            history.deploy(&app.name, &app.built_on, built_at);
            app
        })
        .collect()
}

async fn report(rig: &Rig, history: &Arc<History>, catalog: &Arc<Catalog>, apps: &[App], now: DateTime<Utc>) -> Report {
    history.set(now);
    let images = Arc::new(ImageReader::new(Arc::clone(history) as _, Arc::clone(catalog)));
    let references: Vec<Reference> =
        apps.iter().map(|app| format!("apps.example.com/{}:live", app.name).parse().unwrap()).collect();
    let inventory: Box<dyn Inventory> = Box::new(NamedInventory::new(references, Arc::clone(&images), 8, now));
    let settings = &rig.settings;
    let terms = AuditOptions {
        policy: settings.policy.clone(),
        identify: settings.identify.clone(),
        resolve: settings.resolve.clone(),
        owners: settings.owners.clone(),
        filter: settings.filter.clone(),
        is_part: false,
        concurrency: 8,
        now,
        seen_at: now,
    };
    let sources = AuditSources { inventories: vec![inventory], aws_scope: None };
    let audit = audit(&sources, &images, &terms, &|_| {}).await;
    let (findings, notes) = audit.judge(&terms);
    let run = RunMetadata {
        id: ulid::Ulid::from_parts(u64::try_from(now.timestamp_millis()).unwrap(), 1).to_string(),
        now,
        requests: BTreeMap::new(),
        search: None,
        authentication: BTreeMap::new(),
        caches: BTreeMap::new(),
        notes,
        fail_on: None,
        labels: Vec::new(),
    };
    Report::new(findings, audit.errors(), audit.is_complete(), &terms.policy, run)
}

/// The number of tag moves since each app was built: the notifications of a "tag moved" rule.
fn naive(history: &History, apps: &[App], ended: &BTreeMap<String, DateTime<Utc>>, until: DateTime<Utc>) -> usize {
    let moves = |app: &App| {
        let until = ended.get(&app.name).copied().unwrap_or(until);
        let of = |seen: &&Seen| seen.tag == app.line && seen.architecture == app.architecture;
        history.moving.iter().filter(of).filter(|seen| seen.at > app.built_on.at && seen.at <= until).count()
    };
    apps.iter().map(moves).sum()
}

/// The results of a month of daily runs.
struct Month {
    messages: Vec<Message>,
    rebuilt_at: BTreeMap<String, DateTime<Utc>>,
}

/// Runs every morning. Every other team rebuilds three days after it was notified.
async fn month(rig: &Rig, history: &Arc<History>, apps: &[App]) -> Month {
    let catalog = Arc::new(Catalog::in_memory());
    let mut month = Month { messages: Vec::new(), rebuilt_at: BTreeMap::new() };
    let mut notified_at: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    for day in 0..34 {
        let now = instant("2026-07-20T07:00:00Z") + Duration::days(day);
        for app in apps.iter().step_by(2) {
            let is_time = notified_at.get(&app.name).is_some_and(|at| now - *at >= Duration::days(3));
            if is_time && !month.rebuilt_at.contains_key(&app.name) {
                let newest = history.at(app.line, app.architecture, now).unwrap();
                history.deploy(&app.name, newest, now - Duration::hours(1));
                month.rebuilt_at.insert(app.name.clone(), now);
            }
        }
        let report = report(rig, history, &catalog, apps, now).await;
        assert!(report.complete && report.findings.len() == 20, "{:?}", report.errors);
        assert_eq!(rig.run(&report).await.problems, Vec::<String>::new());
        for message in rig.mailboxes[0].take() {
            for item in message.items.iter().filter(|item| item.event == EventKind::Triggered) {
                notified_at.entry(item.repository.clone()).or_insert(now);
            }
            month.messages.push(message);
        }
    }
    month
}

#[tokio::test]
async fn a_month_of_real_releases_causes_few_messages() {
    let history = Arc::new(History::new());
    let apps = apps(&history);
    let mut rig = Rig::new();
    let rule =
        |app: &App| OwnerRule { pattern: format!("*/{}:live", app.name).parse().unwrap(), owner: app.owner.to_owned() };
    rig.settings.owners.rules = apps.iter().map(rule).collect();
    let Month { messages, rebuilt_at } = month(&rig, &history, &apps).await;

    let naive = naive(&history, &apps, &rebuilt_at, instant("2026-08-22T07:00:00Z"));
    let mut events: BTreeMap<EventKind, u64> = BTreeMap::new();
    let mut per_deployment: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &messages {
        message.events.iter().for_each(|(event, count)| *events.entry(*event).or_default() += count);
        message.items.iter().for_each(|item| *per_deployment.entry(&item.repository).or_default() += 1);
    }
    println!("{} messages over 34 days to 4 owners, {events:?}; the tags moved {naive} times", messages.len());
    println!("how often each deployment was in one: {per_deployment:?}");

    let of_owner_and_day: BTreeSet<_> = messages.iter().map(|message| (message.owner.clone(), message.at)).collect();
    assert_eq!(of_owner_and_day.len(), messages.len(), "at most one message per owner and day");
    let triggers = |name: &str| {
        let items = messages.iter().flat_map(|message| &message.items);
        items.filter(|item| item.repository == name && item.event == EventKind::Triggered).count()
    };
    for app in &apps {
        // The grace of f19 had not passed by the end; f00 was rebuilt so early that it became stale again.
        let expected = match app.name.as_str() {
            "f19" => 0,
            "f00" => 2,
            _ => 1,
        };
        assert_eq!(triggers(&app.name), expected, "{}", app.name);
    }
    assert_eq!(events[&EventKind::Resolved], u64::try_from(rebuilt_at.len()).unwrap());
    assert!(!events.contains_key(&EventKind::Escalated));
    assert!(messages.len() * 10 < naive, "{} messages, {naive} moves", messages.len());
}
