//! Presets: the bodies that chat and incident services expect, and their responses. One file per service. Sends nothing.

mod discord;
mod pagerduty;
mod slack;
mod teams;

use serde_json::Value;

use super::super::{Message, WebhookPreset};
use crate::{report::json, secret::Secret, webhook::WebhookResponse};

/// The media type of all bodies. Without the character set, Teams converts a body to UTF-16, which counts twice
/// (<https://stackoverflow.com/questions/78034694>).
pub(super) const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// The body of `message` for the service, within its limits. `channel` is the id of the channel, `key` the integration key
/// of `PagerDuty`.
pub(super) fn body(preset: WebhookPreset, message: &Message, channel: &str, key: Option<&str>) -> String {
    json::compact(&match preset {
        WebhookPreset::Slack => slack::body(message),
        WebhookPreset::Teams => teams::body(message),
        WebhookPreset::Discord => discord::body(message),
        WebhookPreset::PagerDuty => pagerduty::body(message, channel, key),
    })
}

/// The URL of the call.
pub(super) fn address(preset: WebhookPreset, url: Secret) -> Secret {
    match preset {
        WebhookPreset::Discord => discord::address(url),
        WebhookPreset::Slack | WebhookPreset::Teams | WebhookPreset::PagerDuty => url,
    }
}

/// Whether the secret is part of the body and does not sign the call.
pub(super) fn is_key_in_body(preset: WebhookPreset) -> bool {
    preset == WebhookPreset::PagerDuty
}

/// Why the service did not accept the message, in spite of the status 2xx. Quotes nothing: the response is untrusted.
pub(super) fn refusal(preset: WebhookPreset, response: &WebhookResponse) -> Option<String> {
    match preset {
        WebhookPreset::Slack => slack::refusal(response),
        WebhookPreset::Teams => teams::refusal(response),
        WebhookPreset::Discord | WebhookPreset::PagerDuty => None,
    }
}

/// Number of characters in all texts of `value`.
fn text_chars(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(list) => list.iter().map(text_chars).sum(),
        Value::Object(map) => map.values().map(text_chars).sum(),
        _ => 0,
    }
}
