//! The script of the fortnight: daily findings, channels, rebuilds, and the health of the runs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use basewatch::{
    app::{AppClients, AppContext, OutboundClients},
    aws::Aws,
    config::Settings,
    http::RequestCounter,
    notify::{
        ChannelKind, MessageFormat, NotificationChannel, Notifier, WebhookBody, WebhookNotifier, WebhookSettings,
    },
    rebuild::{RebuildPreset, RebuildRule},
    registry::NetworkSettings,
    report::{Report, Summary},
    run,
    secret::{Secret, SecretSource},
    store::{Catalog, Retention, Store},
    webhook::{self, SignatureScheme, WebhookCall, WebhookClient},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

pub(crate) const DAYS: usize = 14;

/// The channels: path and owners.
pub(crate) const CHANNELS: [(&str, &[&str]); 3] = [("everybody", &[]), ("payments", &["payments"]), ("web", &["web"])];

/// The state of each deployment by day: absent, fresh, superseded, out of date (medium), stale (high), unknown.
///
/// Rebuilds of `orders` and `stuck` are requested; `stuck` is never rebuilt.
const DEPLOYMENTS: [(&str, Option<&str>, &str); 9] = [
    ("billing", Some("payments"), "hhhhhhhhhhhhhh"),
    ("cart", Some("web"), "fffffmmhhhhfff"),
    ("ledger", Some("payments"), "ffmmmhhhfff.mm"),
    ("lost", None, "uummmmmuummmss"),
    ("orders", Some("payments"), "mmffffffmmmmff"),
    ("search", Some("search"), "ffmm.mmm......"),
    ("shop", Some("web"), "ffffmmmmmmmmff"),
    ("stuck", Some("payments"), "ffmmmmmmmmmmmm"),
    ("theme", Some("web"), "mmmmmmffffffff"),
];

/// The day with an incomplete audit. Self-monitoring notifies of it until a channel that is down then works again.
const INCOMPLETE: usize = 4;

/// Whether the channel at `path` is down on `day`.
pub(crate) fn is_down(path: &str, day: usize) -> bool {
    path == "/web" && (day == 5 || day == 6)
}

/// When the run of a day begins. If it is killed, a second one begins 50 minutes later.
pub(crate) fn instant(day: usize, is_second: bool) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let day = TimeDelta::days(i64::try_from(day).unwrap());
    first + day + TimeDelta::minutes(if is_second { 50 } else { 0 })
}

fn digest(of: u32) -> String {
    format!("sha256:{of:064x}")
}

fn finding(name: &str, owner: Option<&str>, day: usize, status: char) -> Option<Value> {
    let (verdict, severity, action) = match status {
        '.' => return None,
        'f' => ("fresh", "none", "none"),
        's' => ("superseded", "info", "none"),
        'm' => ("out-of-date", "medium", "rebuild"),
        'h' => ("stale", "high", "rebuild"),
        'u' => ("unknown", "low", "investigate"),
        other => panic!("{other} is no status"),
    };
    // A new release is published on the day on which `orders` becomes stale again.
    let current = if day < 8 { 2 } else { 3 };
    let (base, release) = if status == 'f' { (current, current) } else { (current - 1, current - 1) };
    let mut finding = json!({
        "id": format!("lambda:eu-west-1:123456789012:{name}:$LATEST"),
        "deployment": { "kind": "lambda", "name": name, "account": "123456789012", "region": "eu-west-1" },
        "image": { "reference": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}@{}", digest(100 + base)) },
        "base": {
            "reference": format!("public.ecr.aws/lambda/java@{}", digest(base)), "digest": digest(base),
            "digest_kind": "index", "identified_by": "label", "evidence": "sdkBaseVersion",
            "line": "public.ecr.aws/lambda/java:21", "line_source": "dated-tag",
            "release": format!("21.2026.0{release}.01.13"), "published_at": "2026-08-01T00:00:00Z",
            "published_source": "dated-tag", "age_days": 60,
        },
        "current": {
            "reference": "public.ecr.aws/lambda/java:21", "digest": digest(current),
            "release": format!("21.2026.0{current}.01.13"), "published_at": "2026-10-01T00:00:00Z",
            "published_source": "dated-tag",
        },
        "verdict": verdict, "stale": false, "out_of_date": false, "deprecated": false,
        "severity": severity, "action": action,
        "reasons": [{ "code": "base-superseded", "message": "40 newer releases, behind for 59 days" }],
    });
    if let Some(owner) = owner {
        finding["deployment"]["owner"] = json!(owner);
    }
    Some(finding)
}

/// A report of `findings` at `now`.
pub(crate) fn report_of(findings: &[Value], complete: bool, now: DateTime<Utc>) -> Report {
    let denied =
        json!({ "about": "inventory", "scope": "account 210987654321", "code": "access-denied", "message": "no" });
    let errors: Vec<_> = (!complete).then_some(denied).into_iter().collect();
    let millis = u64::try_from(now.timestamp_millis()).unwrap();
    let mut report: Report = serde_json::from_value(json!({
        "schema": "basewatch.report/v1", "run_id": ulid::Ulid::from_parts(millis, 1).to_string(), "generated_at": now,
        "complete": complete, "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": Summary::new(&[]),
        "findings": findings, "errors": errors, "requests": {},
    }))
    .unwrap();
    report.summary = Summary::new(&report.findings);
    report
}

/// The report of `day`.
pub(crate) fn report(day: usize, is_second: bool) -> Report {
    let findings = DEPLOYMENTS
        .iter()
        .filter_map(|(name, owner, statuses)| finding(name, *owner, day, statuses.chars().nth(day).unwrap()));
    report_of(&findings.collect::<Vec<_>>(), day != INCOMPLETE, instant(day, is_second))
}

/// A webhook at `url` for `owners`.
pub(crate) fn channel(id: &str, owners: &[&str], url: String) -> NotificationChannel {
    let webhook = WebhookSettings {
        url: SecretSource::Here(Secret::new(url)),
        body: WebhookBody::Format(MessageFormat::Json),
        secret: None,
        signature: SignatureScheme::default(),
        headers: BTreeMap::new(),
    };
    NotificationChannel {
        owners: owners.iter().map(|owner| owner.parse().unwrap()).collect(),
        ..NotificationChannel::new(id.to_owned(), ChannelKind::Webhook(webhook))
    }
}

/// Settings with the channels and build service at `post`.
pub(crate) fn settings(post: &str) -> Settings {
    let mut settings = Settings::default();
    settings.notify.remind_every = Some(Duration::from_hours(3 * 24));
    settings.notify.backlog = 2;
    settings.watch.incomplete_runs = 1;
    settings.notify.channels =
        CHANNELS.iter().map(|(id, owners)| channel(id, owners, format!("{post}/{id}"))).collect();
    // A run 50 minutes later, or the one after it, does not reach the deadline.
    settings.rebuild.deadline = Duration::from_hours(36);
    settings.rebuild.rules = vec![RebuildRule {
        name: "builds".to_owned(),
        repositories: ["orders", "stuck"].iter().map(|name| name.parse().unwrap()).collect(),
        preset: RebuildPreset::CloudEvents,
        url: Secret::new(format!("{post}/build")),
        secret: None,
        signature: SignatureScheme::default(),
        git_ref: None,
        build_type: None,
        inputs: BTreeMap::new(),
        template: None,
    }];
    // Removes the old reports and keeps those of the script.
    let years = |years: u64| Duration::from_hours(years * 365 * 24);
    settings.retention = Retention { reports: years(15), history: years(15) };
    settings
}

/// Shared by all runs, because it is slow to build.
#[derive(Clone)]
pub(crate) struct Tools {
    requests: Arc<RequestCounter>,
    aws: Arc<Aws>,
    client: Arc<basewatch::registry::DistributionClient>,
    images: Arc<basewatch::store::ImageReader>,
    webhooks: Arc<WebhookClient>,
}

/// Calls to this path are not recorded: they make [`Tools`] forget that a channel was down.
pub(crate) const FORGET: &str = "/forget";

impl Tools {
    pub(crate) fn new() -> Self {
        let requests = Arc::new(RequestCounter::default());
        let aws = Arc::new(Aws::new(Arc::clone(&requests)));
        let clients = AppClients::over(NetworkSettings::default(), aws, requests, Catalog::in_memory()).unwrap();
        let AppClients { requests, aws, client, images } = clients;
        let calls = webhook::WebhookClientSettings {
            retries: 1,
            retry_wait: Duration::from_millis(10),
            rate: 10_000.0,
            ..webhook::WebhookClientSettings::default()
        };
        let webhooks = Arc::new(WebhookClient::new(calls, Arc::clone(&requests)).unwrap());
        Self { requests, aws, client, images, webhooks }
    }

    /// The context of one run.
    pub(crate) fn context(&self, settings: &Settings, store: Arc<dyn Store>) -> AppContext {
        let Self { requests, aws, client, images, webhooks } = self.clone();
        let mut notifiers: BTreeMap<String, Arc<dyn Notifier>> = BTreeMap::new();
        for channel in &settings.notify.channels {
            let ChannelKind::Webhook(webhook) = channel.kind.clone() else { panic!("a webhook") };
            let id = channel.id.clone();
            let notifier = WebhookNotifier::new(id.clone(), webhook, Arc::clone(&webhooks), Arc::clone(&aws));
            notifiers.insert(id, Arc::new(notifier));
        }
        let outbound = OutboundClients { notifiers, webhooks, aws: Arc::clone(&aws) };
        AppContext { clients: AppClients { requests, aws, client, images }, store, outbound, keeps_catalog: false }
    }

    /// Runs `day` over `store` with the channels at `post`.
    pub(crate) async fn run(&self, day: usize, is_second: bool, store: Arc<dyn Store>, post: &str) -> run::RunReport {
        let settings = settings(post);
        let context = self.context(&settings, store);
        let (report, now) = (report(day, is_second), instant(day, is_second));
        let instants = basewatch::app::RunInstants::at(now);
        let done = run::complete(&settings, &context, &report, instants, run::Deadlines::default()).await;
        let mut completed = Ok(run::CompletedRun { report, outcome: done.outcome });
        run::watch_over(&settings, &context, instants, now, &mut completed).await;
        if CHANNELS.iter().any(|(id, _)| is_down(&format!("/{id}"), day)) {
            self.forget(post).await;
        }
        completed.unwrap().outcome
    }

    /// Clears the recorded failures of hosts: in production they end with the run, here the client is reused.
    async fn forget(&self, post: &str) {
        let call = WebhookCall {
            url: Secret::new(format!("{post}{FORGET}")),
            headers: Vec::new(),
            content_type: "application/json".to_owned(),
            body: b"{}".to_vec(),
            id: "forget".to_owned(),
            at: Utc::now(),
            signing: None,
            may_repeat: true,
        };
        self.webhooks.call(&call).await.unwrap();
    }
}
