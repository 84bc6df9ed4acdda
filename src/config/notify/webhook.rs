//! `[[notify.webhook]]`: webhooks.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{
        check::ConfigValidator,
        policy::RawSeverity,
        secret::{RawSecretSource, RawUrl, SecretUrl, source, url},
        tree::KeyPath,
    },
    RawMessageFormat, RawSignature,
    channel::{ChannelKeys, RawSummary},
};
use crate::{
    notify::{
        ChannelKind, MessageFormat, NotificationChannel, WebhookBody, WebhookPreset, WebhookSettings,
        select::sample_message,
    },
    secret::{Secret, SecretSource},
    webhook::{SignatureScheme, check_header, template},
};

/// The Events API v2 of PagerDuty in the US service region
/// (<https://developer.pagerduty.com/docs/send-alert-event>).
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// A webhook as a notification channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebhook {
    /// Name of the channel. Defaults to the host.
    #[schemars(example = &"chat of payments")]
    name: Option<String>,
    /// URL for `POST` requests, or a reference to a secret that holds it. Never logged. Required, except for `pagerduty`.
    #[schemars(example = &"https://hooks.example.com/basewatch")]
    url: Option<RawUrl>,
    /// Secret that authenticates the messages; for `pagerduty`, the integration key.
    secret: Option<RawSecretSource>,
    /// How the secret authenticates them.
    #[schemars(extend("default" = "standard-webhooks"))]
    signature: Option<RawSignature>,
    /// Service that receives the messages in its own format. Excludes `format` and `template`.
    preset: Option<RawWebhookPreset>,
    /// Message format.
    #[schemars(extend("default" = "json"))]
    format: Option<RawMessageFormat>,
    /// Custom body: JSON in which `{{ … }}` inserts a field of the message as JSON.
    #[schemars(example = &"{ \"text\": {{ subscription_reason }} }")]
    template: Option<String>,
    /// Additional HTTP headers.
    headers: Option<BTreeMap<String, String>>,
    /// As for `[[notify.sns]]`.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// As for `[[notify.sns]]`.
    threshold: Option<RawSeverity>,
    /// As for `[[notify.sns]]`.
    #[schemars(extend("default" = true))]
    resolved: Option<bool>,
    /// As for `[[notify.sns]]`. Not for `pagerduty`.
    #[schemars(extend("default" = false))]
    summary: Option<RawSummary>,
}

/// A service with a format of its own.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a preset such as \"slack\"")]
enum RawWebhookPreset {
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Microsoft Teams with a webhook trigger.
    Teams,
    /// A webhook of a Discord channel.
    Discord,
    /// An integration with the Events API v2 of PagerDuty. Each alert is an incident.
    Pagerduty,
}

pub(super) fn validate(
    raw: &RawWebhook,
    zone: Tz,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Option<NotificationChannel> {
    let url = destination(raw, at, check);
    let secret = raw.secret.as_ref().and_then(|raw| source(raw, &at.key("secret"), check));
    if raw.signature.is_some() && raw.secret.is_none() {
        check.refuse(&at.key("signature"), "has no effect without a secret: set secret as well");
    }
    let body = body(raw, at, check);
    check_preset(raw, at, check);
    let headers = raw.headers.clone().unwrap_or_default();
    for (name, value) in &headers {
        check.accept(&at.key("headers").key(name), check_header(name, value));
    }
    let SecretUrl { host, url } = url?;
    let settings = WebhookSettings {
        url,
        body: body?,
        secret,
        signature: raw.signature.map(SignatureScheme::from).unwrap_or_default(),
        headers,
    };
    let RawWebhook { name, owners, threshold, resolved, summary, .. } = raw;
    let keys = ChannelKeys { name, owners, threshold: *threshold, resolved: *resolved, summary: summary.as_ref() };
    keys.channel(host, ChannelKind::Webhook(settings), zone, at, check)
}

/// The URL, and its host if that is known.
fn destination(raw: &RawWebhook, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<SecretUrl> {
    match (&raw.url, raw.preset) {
        (Some(raw), _) => url(raw, &at.key("url"), check),
        (None, Some(RawWebhookPreset::Pagerduty)) => Some(SecretUrl {
            host: Some("pagerduty".to_owned()),
            url: SecretSource::Here(Secret::new(PAGERDUTY.to_owned())),
        }),
        (None, _) => {
            check.refuse(&at.key("url"), "missing: write url = \"https://hooks.example.com/basewatch\"");
            None
        }
    }
}

fn body(raw: &RawWebhook, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<WebhookBody> {
    match (raw.preset, &raw.template, raw.format) {
        (Some(_), Some(_), _) => {
            check.accept(&at.key("template"), Err("cannot be combined with preset: set one of them"))
        }
        (Some(_), None, Some(_)) => {
            check.accept(&at.key("format"), Err("cannot be combined with preset: set one of them"))
        }
        (Some(preset), None, None) => Some(WebhookBody::Preset(preset.into())),
        (None, Some(_), Some(_)) => {
            check.accept(&at.key("format"), Err("cannot be combined with template: set one of them"))
        }
        (None, Some(text), None) => {
            let tried = template::json(text, &sample_message().fields());
            let invalid = |why| format!("is not a valid template: {why}");
            check.accept(&at.key("template"), tried.map_err(invalid)).map(|_| WebhookBody::Template(text.clone()))
        }
        (None, None, format) => Some(WebhookBody::Format(format.map_or(MessageFormat::Json, MessageFormat::from))),
    }
}

/// Refuses keys that a preset has no use for, and requires the integration key of PagerDuty.
fn check_preset(raw: &RawWebhook, at: &KeyPath, check: &mut ConfigValidator<'_>) {
    if !matches!(raw.preset, Some(RawWebhookPreset::Pagerduty)) {
        return;
    }
    if raw.secret.is_none() {
        check.refuse(&at.key("secret"), "missing: write the integration key as secret = { env = \"NAME\" }");
    }
    if raw.signature.is_some() {
        check.refuse(&at.key("signature"), "has no effect: PagerDuty expects the secret in the message");
    }
    if raw.summary.is_some() {
        check.refuse(&at.key("summary"), "is not possible: each alert is an incident of its own in PagerDuty");
    }
}

impl From<RawWebhookPreset> for WebhookPreset {
    fn from(raw: RawWebhookPreset) -> Self {
        match raw {
            RawWebhookPreset::Slack => Self::Slack,
            RawWebhookPreset::Teams => Self::Teams,
            RawWebhookPreset::Discord => Self::Discord,
            RawWebhookPreset::Pagerduty => Self::PagerDuty,
        }
    }
}
