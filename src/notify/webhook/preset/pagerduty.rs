//! `PagerDuty`: events of the Events API v2. Each alert is an incident, which its last event resolves
//! (<https://developer.pagerduty.com/docs/send-alert-event>).

use serde_json::{Value, json};

use super::super::super::{
    AlertItem, EventKind, Message, card::LINE_CHARS, chatbot::cut, phrases, run_health_texts, text,
};
use crate::judge::Severity;

/// Maximum length of a dedup key, in characters.
const KEY_CHARS: usize = 255;

/// The event for `message`, which is about one alert, about basewatch itself, or a test.
pub(super) fn body(message: &Message, channel: &str, key: Option<&str>) -> Value {
    let item = message.items.first();
    let is_over = match (item, &message.watch) {
        (Some(item), _) => item.event == EventKind::Resolved,
        (None, Some(watch)) => watch.event == EventKind::Resolved,
        (None, None) => false,
    };
    let mut event = json!({
        "routing_key": key.unwrap_or("(not shown)"),
        "event_action": if is_over { "resolve" } else { "trigger" },
        "dedup_key": dedup_key(message, channel),
    });
    if is_over {
        return event;
    }
    event["client"] = json!("basewatch");
    event["payload"] = json!({
        "summary": text::subject(message),
        "source": item.map_or("basewatch".to_owned(), source),
        "severity": severity(message.severity),
        "timestamp": message.at,
        "component": item.map(|item| line(&item.name)),
        "group": message.owner.as_deref().map(line),
        "class": item.map(|item| item.verdict.as_str()),
        "custom_details": details(message, item),
    });
    event
}

/// The same for all events about one alert. For one about basewatch itself, it contains the channel.
fn dedup_key(message: &Message, channel: &str) -> String {
    let key = match (message.items.first(), &message.watch) {
        (Some(item), _) => format!("basewatch alert {}", phrases::clean(&item.alert)),
        (None, Some(_)) => format!("basewatch runs {}", phrases::clean(channel)),
        (None, None) => format!("basewatch {}", message.dedup_key),
    };
    cut(key, KEY_CHARS)
}

fn source(item: &AlertItem) -> String {
    line(item.arn.as_deref().unwrap_or(&item.finding))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info | Severity::None => "info",
    }
}

fn details(message: &Message, item: Option<&AlertItem>) -> Value {
    if let Some(watch) = &message.watch {
        let entries = run_health_texts::entries(watch, phrases::clean, phrases::clean).into_iter();
        return json!(entries.map(|(title, text)| line(&format!("{title}: {text}"))).collect::<Vec<_>>());
    }
    let Some(item) = item else { return json!({ "test": phrases::as_of(message) }) };
    let reasons = item.reasons.iter().take(5).map(|reason| line(&reason.message)).collect::<Vec<_>>();
    json!({
        "where": line(&phrases::locations(&[item], phrases::clean)),
        "status": phrases::verdict(item),
        "base": phrases::base(item, phrases::clean).as_deref().map(line),
        "action": line(&phrases::advice(&[item], message.at, phrases::clean)),
        "image": line(&item.image),
        "reasons": reasons,
        "alert": line(&item.alert),
        "report": message.report.as_deref().map(line),
    })
}

fn line(text: &str) -> String {
    cut(phrases::clean(text), LINE_CHARS)
}
