//! Presets: what Slack, Teams, Discord and `PagerDuty` receive, within their limits, and what their answers mean.

use std::{collections::BTreeMap, sync::Arc};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    notify::{
        AlertItem, EventKind, Message, MessageKind, Notifier, WebhookBody, WebhookNotifier, WebhookPreset,
        WebhookSettings, run_health::RunHealth,
    },
    outbox::{DeliveryOutcome, DeliveryTarget as _},
    secret::{Secret, SecretSource},
    webhook::SignatureScheme,
};
use serde_json::{Value, json};

use crate::webhooks::calls::{quick, webhooks};
use testbed::{
    messages::{self, HOSTILE},
    toxic::{Reply, Toxic},
};

const PRESETS: [(&str, WebhookPreset); 4] = [
    ("slack", WebhookPreset::Slack),
    ("teams", WebhookPreset::Teams),
    ("discord", WebhookPreset::Discord),
    ("pagerduty", WebhookPreset::PagerDuty),
];

const KEY: &str = "R0UT1NG-K3Y-0123456789";

fn notifier(preset: WebhookPreset, url: &str) -> WebhookNotifier {
    let here = |text: &str| SecretSource::Here(Secret::new(text.to_owned()));
    let settings = WebhookSettings {
        url: here(url),
        body: WebhookBody::Preset(preset),
        secret: (preset == WebhookPreset::PagerDuty).then(|| here(KEY)),
        signature: SignatureScheme::default(),
        headers: BTreeMap::new(),
    };
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    WebhookNotifier::new("on-call".to_owned(), settings, Arc::new(webhooks(quick())), aws)
}

fn body(preset: WebhookPreset, message: &Message) -> Value {
    serde_json::from_str(&notifier(preset, "https://hooks.example.com/x").preview(message).body).unwrap()
}

async fn sent(preset: WebhookPreset, url: &str, message: &Message) -> DeliveryOutcome {
    notifier(preset, url).deliver(&[message]).await.remove(0)
}

fn one(item: AlertItem) -> Message {
    messages::message(MessageKind::Findings, vec![item])
}

/// All texts in `value`, with their key.
fn texts<'a>(key: &'a str, value: &'a Value) -> Vec<(&'a str, &'a str)> {
    match value {
        Value::String(text) => vec![(key, text)],
        Value::Array(list) => list.iter().flat_map(|value| texts(key, value)).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| texts(key, value)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn samples_as_each_service_receives_them() {
    for (name, preset) in PRESETS {
        for (sample, message) in [
            ("small", messages::small()),
            ("events", messages::events()),
            ("backlog", messages::backlog()),
            ("watch", messages::watch_incomplete()),
            ("test", messages::test()),
        ] {
            let shown = serde_json::to_string_pretty(&body(preset, &message)).unwrap();
            insta::assert_snapshot!(format!("{name}_{sample}"), shown);
        }
    }
}

#[test]
fn no_message_exceeds_the_limits_of_a_service_and_no_alert_is_omitted_silently() {
    let long = |text: &str, count: usize| {
        let items =
            (0..count).map(|number| AlertItem { name: text.repeat(40), ..messages::stale(&number.to_string()) });
        messages::message(MessageKind::Findings, items.collect())
    };
    let causes =
        (0..400).map(|number| AlertItem { age: format!("{number} d"), ..messages::stale(&number.to_string()) });
    let many = messages::message(MessageKind::Findings, causes.collect());
    let hostile = HOSTILE.into_iter().flat_map(|text| [long(text, 3), long(text, 2000)]);
    let all = messages::all().into_iter().map(|(_, message)| message).chain([many]).chain(hostile);
    for message in all {
        let chars = |text: &Value| text.as_str().unwrap().chars().count();
        let slack = body(WebhookPreset::Slack, &message);
        let length: usize = texts("", &slack).iter().map(|(_, text)| text.chars().count()).sum();
        assert!(length <= 13_000, "{length}");
        let blocks = slack["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50, "{}", blocks.len());
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "header" => assert!((1..=150).contains(&chars(&block["text"]["text"]))),
                "section" => assert!((1..=3000).contains(&chars(&block["text"]["text"]))),
                "context" => assert!((1..=3000).contains(&chars(&block["elements"][0]["text"]))),
                other => panic!("{other}"),
            }
        }
        let teams = body(WebhookPreset::Teams, &message).to_string();
        assert!(teams.len() <= 28 * 1024, "{} bytes", teams.len());
        let discord = body(WebhookPreset::Discord, &message);
        let embed = &discord["embeds"][0];
        assert!((1..=256).contains(&chars(&embed["title"])) && (1..=4096).contains(&chars(&embed["description"])));
        let pagerduty = body(WebhookPreset::PagerDuty, &message);
        assert!(pagerduty.to_string().len() < 64 * 1024 && chars(&pagerduty["dedup_key"]) <= 255);
        if let Some(summary) = pagerduty["payload"]["summary"].as_str() {
            assert!((1..=1024).contains(&summary.len()), "{summary}");
        }
        let listed = |text: &str| text.matches("Next: rebuild").count() + text.matches("_Next:_ rebuild").count();
        if message.items.len() >= 400 && message.items[1].age == "1 d" {
            for text in [slack.to_string(), teams, discord.to_string()] {
                let count = listed(&text);
                assert!(count >= 5, "{count} in {text}");
                assert!(text.contains(&format!("… and {} more", 400 - count)), "{text}");
            }
        }
    }
}

#[test]
fn text_from_outside_is_no_markup_and_mentions_no_one() {
    let marks =
        ["<!channel>", "<@U1|x>", "@everyone @here", "[click](https://evil.example.com)", "*x* _y_ ~z~ `q`", "&lt;"];
    for mark in HOSTILE.into_iter().chain(marks) {
        let item = AlertItem {
            name: mark.to_owned(),
            base: Some(mark.to_owned()),
            line: Some(mark.to_owned()),
            repository: mark.to_owned(),
            ..messages::stale("orders")
        };
        let mut message = one(item);
        message.owner = Some(mark.to_owned());
        mark.clone_into(&mut message.subscription_reason);
        message.report = Some(mark.to_owned());
        let slack = body(WebhookPreset::Slack, &message);
        for (key, text) in texts("", &slack) {
            // The title is plain text, which Slack does not interpret.
            let is_title = slack["blocks"][0]["text"]["text"] == text;
            assert!(!text.contains(['<', '>']) || is_title, "{key}: {text}");
        }
        let discord = body(WebhookPreset::Discord, &message);
        assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
        for line in discord["embeds"][0]["description"].as_str().unwrap().lines() {
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            let prose: String = line.split('`').step_by(2).collect();
            let prose = prose.strip_prefix("**").and_then(|rest| rest.strip_suffix("**")).unwrap_or(&prose);
            assert!(!prose.contains(['*', '~', '@', '[', ']', '|', '<', '>', '\\']), "{line}");
        }
        // A text run is not Markdown.
        let teams = body(WebhookPreset::Teams, &message);
        for block in teams["attachments"][0]["content"]["body"].as_array().unwrap() {
            assert_eq!(block["type"], "RichTextBlock");
        }
    }
}

#[test]
fn an_incident_is_triggered_updated_and_resolved_by_one_key() {
    let item = |event| AlertItem {
        event,
        ended: Some("now built on the current release".to_owned()),
        ..messages::stale("orders")
    };
    let event = |kind| body(WebhookPreset::PagerDuty, &one(item(kind)));
    let triggered = event(EventKind::Triggered);
    assert_eq!((&triggered["event_action"], &triggered["payload"]["severity"]), (&json!("trigger"), &json!("error")));
    for (kind, action) in
        [(EventKind::Escalated, "trigger"), (EventKind::Reminded, "trigger"), (EventKind::Resolved, "resolve")]
    {
        let later = event(kind);
        assert_eq!((&later["event_action"], &later["dedup_key"]), (&json!(action), &triggered["dedup_key"]));
    }
    assert_ne!(body(WebhookPreset::PagerDuty, &one(messages::stale("cart")))["dedup_key"], triggered["dedup_key"]);
    let run = |event| body(WebhookPreset::PagerDuty, &messages::watch(event, RunHealth::Failed, 1, &[]));
    let (failed, recovered) = (run(EventKind::Triggered), run(EventKind::Resolved));
    assert_eq!((&failed["dedup_key"], &recovered["event_action"]), (&recovered["dedup_key"], &json!("resolve")));
}

#[tokio::test]
async fn pagerduty_gets_the_key_in_the_event_and_nothing_shows_it() {
    let accepted = json!({ "status": "success", "message": "Event processed", "dedup_key": "basewatch alert 1" });
    let server = Toxic::start(move |_| Reply::new(202, accepted.to_string()));
    let receipt = sent(WebhookPreset::PagerDuty, &server.endpoint(), &messages::small()).await.unwrap();
    assert_eq!(receipt.message_id.as_deref(), Some("basewatch alert 1"));
    let request = &server.log()[0];
    let event: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!((event["routing_key"].as_str(), request.header("webhook-signature")), (Some(KEY), None));
    // The service repeats the event in its error.
    let echoing = Toxic::start(|request| Reply::new(400, request.body.clone()));
    let error = sent(WebhookPreset::PagerDuty, &echoing.endpoint(), &messages::small()).await.unwrap_err();
    assert!(error.is_about_entry && error.why.contains("answered 400"), "{error:?}");
    assert!(!error.why.contains(KEY), "{error:?}");
    let preview = notifier(WebhookPreset::PagerDuty, &server.endpoint()).preview(&messages::small()).body;
    assert!(!preview.contains(KEY), "{preview}");
}

#[tokio::test]
async fn a_failure_in_spite_of_200_is_retried() {
    let teams =
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
    let slack = json!({ "ok": false, "error": "invalid_workflow_input" }).to_string();
    for (preset, answer, why) in [
        (WebhookPreset::Teams, teams, "answered 200 and did not deliver the message (error 429)"),
        (WebhookPreset::Slack, slack.as_str(), "answered 200 and did not accept the message: invalid_workflow_input"),
    ] {
        let answer = answer.to_owned();
        let server = Toxic::start(move |_| Reply::new(200, answer.clone()));
        let error = sent(preset, &server.endpoint(), &messages::small()).await.unwrap_err();
        assert!(error.why.contains(why) && !error.is_about_entry, "{error:?}");
    }
    for (preset, answer) in [(WebhookPreset::Teams, ""), (WebhookPreset::Teams, "1"), (WebhookPreset::Slack, "ok")] {
        let server = Toxic::start(move |_| Reply::new(200, answer));
        assert!(sent(preset, &server.endpoint(), &messages::small()).await.is_ok(), "{answer:?}");
    }
}

#[tokio::test]
async fn discord_says_in_the_body_how_long_to_wait_and_returns_an_id_if_asked() {
    let limited = json!({ "message": "You are being rate limited.", "retry_after": 64.57, "global": false });
    let server = Toxic::start(move |_| Reply::new(429, limited.to_string()));
    let error = sent(WebhookPreset::Discord, &server.endpoint(), &messages::small()).await.unwrap_err();
    assert_eq!(error.retry_after.map(|wait| wait.as_secs()), Some(64));
    let server = Toxic::start(|_| Reply::json(&json!({ "id": "1187" })));
    for (path, asked) in [
        ("/in/1", "/in/1?wait=true"),
        ("/in/1?thread_id=2", "/in/1?thread_id=2&wait=true"),
        ("/in/1?wait=false", "/in/1?wait=false"),
    ] {
        let url = format!("{}{path}", server.endpoint());
        let receipt = sent(WebhookPreset::Discord, &url, &messages::small()).await.unwrap();
        assert_eq!(receipt.message_id.as_deref(), Some("1187"));
        assert_eq!(server.log().last().unwrap().path, asked);
    }
}

#[tokio::test]
async fn an_invalid_payload_concerns_one_message_and_a_missing_channel_all() {
    for (status, answer, is_about_entry) in [(400, "invalid_payload", true), (404, "channel_not_found", false)] {
        let server = Toxic::start(move |_| Reply::new(status, answer));
        let error = sent(WebhookPreset::Slack, &server.endpoint(), &messages::small()).await.unwrap_err();
        assert!(error.why.contains(answer) && error.is_about_entry == is_about_entry, "{error:?}");
    }
}
