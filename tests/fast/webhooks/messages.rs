//! Alerts to a webhook, run after run, from the ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    notify::{
        self, ChannelKind, Ledger, LedgerSession, MessageFormat, NotificationChannel, Notifier, NotifySettings,
        WebhookBody, WebhookNotifier, WebhookSettings,
        select::{NotificationContext, plan},
    },
    report::{Report, Summary},
    secret::{Secret, SecretSource},
    store::Store,
    webhook::{self, SignatureScheme},
};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::webhooks::calls::{quick, webhooks};
use testbed::{
    memory_store::MemoryStore,
    toxic::{Reply, Toxic},
};

fn webhook(url: &str, body: WebhookBody) -> WebhookSettings {
    WebhookSettings {
        url: SecretSource::Here(Secret::new(url.to_owned())),
        body,
        secret: Some(SecretSource::Here(Secret::new("hush".to_owned()))),
        signature: SignatureScheme::StandardWebhooks,
        headers: BTreeMap::new(),
    }
}

fn notifier(id: &str, settings: WebhookSettings) -> Arc<dyn Notifier> {
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    let impatient = webhook::WebhookClientSettings { retries: 0, ..quick() };
    Arc::new(WebhookNotifier::new(id.to_owned(), settings, Arc::new(webhooks(impatient)), aws))
}

fn report(now: DateTime<Utc>, owners: &[&str]) -> Report {
    let findings: Vec<_> = owners
        .iter()
        .map(|owner| {
            json!({
                "id": format!("lambda:eu-west-1:123456789012:{owner}:$LATEST"),
                "deployment": { "kind": "lambda", "name": format!("{owner}-api"), "owner": owner },
                "image": { "reference": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{owner}:1") },
                "verdict": "stale", "stale": true, "out_of_date": true, "deprecated": false,
                "severity": "high", "action": "rebuild", "reasons": [],
            })
        })
        .collect();
    let mut report: Report = serde_json::from_value(json!({
        "schema": "basewatch.report/v1", "run_id": now.to_rfc3339(), "generated_at": now, "complete": true,
        "policy": { "max_age_days": 45, "grace_days": 14 }, "summary": Summary::new(&[]), "findings": findings,
        "errors": [], "requests": {},
    }))
    .unwrap();
    report.summary = Summary::new(&report.findings);
    report
}

fn settings() -> NotifySettings {
    let kind = ChannelKind::Webhook(webhook("http://127.0.0.1:1", WebhookBody::Format(MessageFormat::Json)));
    let channel = NotificationChannel::new("hook".to_owned(), kind);
    NotifySettings { channels: vec![channel], ..NotifySettings::default() }
}

/// A run at `now` that finds the functions of `owners` outdated.
async fn run(store: &Arc<MemoryStore>, notifier: &Arc<dyn Notifier>, now: DateTime<Utc>, owners: &[&str]) -> Ledger {
    let lock = store.lock("test", std::time::Duration::from_secs(1)).await.unwrap();
    let session = LedgerSession::open(Arc::clone(store) as _, lock).await.unwrap();
    let report = report(now, owners);
    session
        .change(|ledger| plan(ledger, NotificationContext { report: &report, report_location: None }, &settings()))
        .await
        .unwrap();
    let notifiers = BTreeMap::from([("hook".to_owned(), Arc::clone(notifier))]);
    notify::deliver(&session, &notifiers, &settings(), now).await.unwrap();
    session.close().await;
    notify::read(&**store).await.unwrap()
}

#[tokio::test]
async fn a_webhook_that_was_down_for_a_day_gets_every_message_as_recorded() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    // Down for a day of hourly runs.
    let server = Toxic::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        ..=9 => Reply::new(503, "down"),
        _ => Reply::json(&json!({ "id": "m-7" })),
    });
    let hook = webhook(&server.endpoint(), WebhookBody::Format(MessageFormat::Json));
    let store = MemoryStore::new();
    let first: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let mut ledger = Ledger::default();
    for hour in 0..40 {
        // Each run is a separate process, with its own circuit breaker.
        let notifier = notifier("hook", hook.clone());
        let owners: &[&str] = if hour < 5 { &["payments"] } else { &["payments", "search"] };
        ledger = run(&store, &notifier, first + Duration::hours(hour), owners).await;
    }
    assert!(ledger.outbox.is_empty());
    for alert in ledger.alerts.values() {
        let event = alert.deliveries.get("hook").unwrap().events.last().unwrap();
        assert_eq!(event.message_id.as_deref(), Some("m-7"));
        assert!(event.sent_at.unwrap() > event.due_at, "it was due before the channel was back");
    }
    let log = server.log();
    let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for request in &log {
        bodies.entry(request.header("webhook-id").unwrap()).or_default().insert(&request.body);
    }
    assert_eq!(bodies.len(), 2, "one message for each owner, whenever it arrives");
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "repeats are identical");
    // A channel that is down is called less often, and for the first message only.
    assert_eq!(log.len(), 12);
}

#[tokio::test]
async fn one_message_that_is_refused_does_not_hold_up_the_others() {
    let server = Toxic::start(|request| Reply::new(if request.body.contains("search-api") { 422 } else { 204 }, ""));
    let hook = webhook(&server.endpoint(), WebhookBody::Format(MessageFormat::Json));
    let store = MemoryStore::new();
    let now: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let ledger = run(&store, &notifier("hook", hook), now, &["payments", "search", "web"]).await;
    assert_eq!(ledger.outbox.len(), 1);
    assert!(ledger.outbox[0].delivery.last_error.as_ref().unwrap().contains("422"));
    assert_eq!(server.log().len(), 3);
}

#[tokio::test]
async fn a_template_is_filled_with_the_message_and_every_value_is_json() {
    let server = Toxic::start(|_| Reply::new(200, ""));
    let template = r#"{ "text": {{ subscription_reason }}, "who": {{ owner }}, "names": [{% for item in items %}{{ item.name }}{% if not loop.last %},{% endif %}{% endfor %}], "report": {{ report }} }"#;
    let hook = webhook(&server.endpoint(), WebhookBody::Template(template.to_owned()));
    let now: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let ledger = run(&MemoryStore::new(), &notifier("hook", hook), now, &["payments"]).await;
    assert!(ledger.outbox.is_empty(), "{:?}", ledger.outbox[0].delivery.last_error);
    let body: Value = serde_json::from_str(&server.log()[0].body).unwrap();
    assert_eq!(body["who"], "payments");
    assert_eq!((body["names"].clone(), body["report"].clone()), (json!(["payments-api"]), Value::Null));
}

#[tokio::test]
async fn every_format_has_its_media_type() {
    let table = [
        (MessageFormat::Json, "application/json"),
        (MessageFormat::Text, "text/plain; charset=utf-8"),
        (MessageFormat::Chatbot, "application/json"),
    ];
    let now: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    for (format, media_type) in table {
        let server = Toxic::start(|_| Reply::new(200, ""));
        let hook = webhook(&server.endpoint(), WebhookBody::Format(format));
        run(&MemoryStore::new(), &notifier("hook", hook), now, &["payments"]).await;
        assert_eq!(server.log()[0].header("content-type"), Some(media_type));
    }
}

#[tokio::test]
async fn a_chat_template_can_use_the_text_of_the_mail() {
    let server = Toxic::start(|_| Reply::new(200, "ok").header("x-request-id", "req-9"));
    let template = r#"{ "text": {{ subject }}, "blocks": [{ "type": "plain_text", "text": {{ text[:2900] }} }] }"#;
    let hook = webhook(&server.endpoint(), WebhookBody::Template(template.to_owned()));
    let now: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let ledger = run(&MemoryStore::new(), &notifier("hook", hook), now, &["payments"]).await;
    let body: Value = serde_json::from_str(&server.log()[0].body).unwrap();
    assert!(body["text"].as_str().unwrap().starts_with("payments: "), "{body}");
    assert!(body["blocks"][0]["text"].as_str().unwrap().contains("payments-api"), "{body}");
    let alert = ledger.alerts.values().next().unwrap();
    assert_eq!(alert.deliveries.get("hook").unwrap().events[0].message_id.as_deref(), Some("req-9"));
}

#[tokio::test]
async fn a_template_over_too_many_findings_renders_the_first_and_counts_the_rest() {
    let server = Toxic::start(|_| Reply::new(204, ""));
    let template = r#"{ "items": {{ items }}, "left_out": {{ left_out }}, "pad": [{% for item in items %}{{ "x" * 2000 }}{% if not loop.last %},{% endif %}{% endfor %}] }"#;
    let hook = notifier("hook", webhook(&server.endpoint(), WebhookBody::Template(template.to_owned())));
    let now: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().unwrap();
    let store = MemoryStore::new();
    run(&store, &hook, now, &["payments"]).await;
    let one: Value = serde_json::from_str(&server.log()[0].body).unwrap();
    let message = json!({
        "schema": notify::SCHEMA, "dedup_key": "ab".repeat(32), "kind": "findings", "run_id": "r", "at": now,
        "complete": true, "subscription_reason": "it is a test", "severity": "high", "events": { "triggered": 400 },
        "severities": {}, "verdicts": {}, "accounts": [], "regions": [], "repositories": [], "left_out": 7,
        "items": vec![one["items"][0].clone(); 400],
    });
    let message: notify::Message = serde_json::from_value(message).unwrap();
    let sent = hook.preview(&message).body;
    let body: Value = serde_json::from_str(&sent).unwrap();
    let shown = body["items"].as_array().unwrap().len();
    assert!(sent.len() <= 240 * 1024 && shown >= 40, "{shown} in {} bytes", sent.len());
    assert_eq!(body["left_out"], json!(407 - shown));
}

#[test]
fn settings_debug_shows_no_url_and_no_header_value() {
    let mut hook = webhook("https://hooks.example.com/s3cret-path", WebhookBody::Format(MessageFormat::Json));
    hook.headers.insert("authorization".to_owned(), "Bearer T0K3N".to_owned());
    let notifier = notifier("hook", hook.clone());
    for shown in [format!("{hook:?}"), format!("{notifier:?}")] {
        assert!(shown.contains("authorization"), "{shown}");
        assert!(["s3cret-path", "T0K3N", "hush"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
}
