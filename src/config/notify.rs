//! `[notify]`: notification channels, and what each of them receives.

use std::{collections::BTreeMap, time::Duration};

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::ConfigValidator,
    policy::RawSeverity,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::{DurationText, webhook_url},
};
use crate::{
    glob::Glob,
    image::{Arn, ArnParts},
    judge::Severity,
    notify::{
        ChannelKind, MessageFormat, NotificationChannel, NotifySettings, QuietHours, SnsSettings, WebhookBody,
        WebhookSettings, select::sample_message,
    },
    webhook::{SignatureScheme, check_header, template},
};

/// When alerts are sent to notification channels.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotify {
    /// Minimum severity of findings that open an alert.
    #[schemars(extend("default" = "medium"))]
    threshold: Option<RawSeverity>,
    /// How often to remind of an open alert; `0d` for never.
    #[schemars(extend("default" = "7d"))]
    remind_every: Option<DurationText>,
    /// Hours in which alerts are held back. The first run after them sends them.
    quiet_hours: Option<RawQuietHours>,
    /// Amazon SNS topics.
    sns: Option<Vec<RawSns>>,
    /// Webhooks.
    webhook: Option<Vec<RawWebhook>>,
}

/// Hours and days in which alerts are held back. Critical ones are sent anyway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawQuietHours {
    /// Start time of day.
    #[schemars(required, example = &"18:00")]
    from: Option<String>,
    /// End time of day; on the next day if it is before `from`.
    #[schemars(required, example = &"08:00")]
    to: Option<String>,
    /// Days that are quiet all day.
    #[schemars(extend("default" = []), example = ["sat", "sun"])]
    days: Option<Vec<String>>,
}

/// An Amazon SNS topic as a notification channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawSns {
    /// Name of the channel. Defaults to the ARN.
    #[schemars(example = &"payments by mail")]
    name: Option<String>,
    /// ARN of the topic; of a FIFO topic, it ends in `.fifo`.
    #[schemars(required, example = &"arn:aws:sns:eu-west-1:123456789012:basewatch")]
    topic_arn: Option<String>,
    /// Message format: `text`, `json`, or `chatbot` for Amazon Q Developer in chat applications.
    #[schemars(extend("default" = "text"))]
    format: Option<RawMessageFormat>,
    /// Different formats by subscription protocol (`email`, `https`, `sqs`, `lambda`, …).
    #[schemars(example = BTreeMap::from([("sqs", "json")]))]
    formats: Option<BTreeMap<String, RawMessageFormat>>,
    /// Patterns of owners whose alerts to send. Without it, all alerts, including those without an owner.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Minimum severity for this channel, if higher than `notify.threshold`.
    threshold: Option<RawSeverity>,
    /// Whether to send a message when an alert is resolved.
    #[schemars(extend("default" = true))]
    resolved: Option<bool>,
}

/// A webhook as a notification channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    /// Name of the channel. Defaults to the host.
    #[schemars(example = &"chat of payments")]
    name: Option<String>,
    /// URL for `POST` requests. Treated as a secret and never logged.
    #[schemars(required, example = &"https://hooks.example.com/basewatch")]
    url: Option<String>,
    /// Secret that authenticates the messages.
    secret: Option<RawSecretSource>,
    /// How the secret authenticates them.
    #[schemars(extend("default" = "standard-webhooks"))]
    signature: Option<RawSignature>,
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
}

/// A message format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a format such as \"text\"")]
enum RawMessageFormat {
    /// Plain text.
    Text,
    /// JSON as described by `schema/alert.schema.json`.
    Json,
    /// A custom notification for Amazon Q Developer in chat applications.
    Chatbot,
}

/// How a request is authenticated.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a signature such as \"standard-webhooks\"")]
pub(super) enum RawSignature {
    /// Signed according to the Standard Webhooks specification.
    StandardWebhooks,
    /// Signed like GitHub webhooks, in `X-Hub-Signature-256`.
    Github,
    /// The secret as a bearer token.
    Bearer,
}

pub(super) fn validate(raw: &RawNotify, zone: Tz, at: &KeyPath, check: &mut ConfigValidator<'_>) -> NotifySettings {
    let standard = NotifySettings::default();
    let remind_every = check.duration(&at.key("remind_every"), raw.remind_every.as_ref(), Duration::ZERO);
    let quiet_hours = raw.quiet_hours.as_ref().and_then(|raw| quiet_hours(raw, zone, &at.key("quiet_hours"), check));
    let mut channels = Vec::new();
    for (index, raw) in raw.sns.iter().flatten().enumerate() {
        add(&mut channels, sns(raw, &at.key("sns").index(index), check), &at.key("sns").index(index), check);
    }
    for (index, raw) in raw.webhook.iter().flatten().enumerate() {
        add(
            &mut channels,
            webhook(raw, &at.key("webhook").index(index), check),
            &at.key("webhook").index(index),
            check,
        );
    }
    NotifySettings {
        threshold: raw.threshold.map_or(standard.threshold, Severity::from),
        remind_every: remind_every.or(standard.remind_every).filter(|every| !every.is_zero()),
        quiet_hours,
        channels,
        ..standard
    }
}

/// Adds a channel. The ledger identifies channels by name, so names must be unique.
fn add(
    channels: &mut Vec<NotificationChannel>,
    channel: Option<NotificationChannel>,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) {
    let Some(channel) = channel else { return };
    if channels.iter().any(|known| known.id == channel.id) {
        check.refuse(at, format!("has the same name as another channel, {:?}: set a unique name", channel.id));
        return;
    }
    channels.push(channel);
}

fn sns(raw: &RawSns, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<NotificationChannel> {
    let topic_arn = raw.topic_arn.as_ref().and_then(|text| check.accept(&at.key("topic_arn"), topic(text)));
    let formats_at = at.key("formats");
    let mut formats = BTreeMap::new();
    for (protocol, format) in raw.formats.iter().flatten() {
        if PROTOCOLS.contains(&protocol.as_str()) {
            formats.insert(protocol.clone(), MessageFormat::from(*format));
        } else {
            let known = PROTOCOLS.join(", ");
            check.refuse(&formats_at.key(protocol), format!("is not an SNS protocol: write one of {known}"));
        }
    }
    let owners = check.each(&at.key("owners"), raw.owners.as_deref().unwrap_or_default(), str::parse::<Glob>);
    let name = raw.name.as_ref().and_then(|text| check.accept(&at.key("name"), name(text)));
    let topic_arn = topic_arn?;
    Some(NotificationChannel {
        id: name.unwrap_or_else(|| topic_arn.to_string()),
        owners,
        threshold: raw.threshold.map(Severity::from),
        resolved: raw.resolved.unwrap_or(true),
        kind: ChannelKind::Sns(SnsSettings {
            topic_arn,
            format: raw.format.map(MessageFormat::from).unwrap_or_default(),
            formats,
        }),
    })
}

/// The protocols that `MessageStructure=json` may name, `default` aside
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const PROTOCOLS: [&str; 9] =
    ["email", "email-json", "http", "https", "sqs", "lambda", "sms", "firehose", "application"];

fn topic(text: &str) -> Result<Arn, String> {
    let is_topic = |arn: &Arn| {
        let ArnParts { service, region, account, resource, .. } = arn.parts();
        service == "sns" && !region.is_empty() && !account.is_empty() && !resource.contains([':', '/'])
    };
    match text.parse::<Arn>() {
        Ok(arn) if is_topic(&arn) => Ok(arn),
        _ => Err(format!(
            "{text:?} is not an SNS topic ARN: write it as in \"arn:aws:sns:eu-west-1:123456789012:basewatch\""
        )),
    }
}

fn webhook(raw: &RawWebhook, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<NotificationChannel> {
    let url = raw.url.as_ref().and_then(|text| check.accept(&at.key("url"), webhook_url(text)));
    let secret = raw.secret.as_ref().and_then(|raw| source(raw, &at.key("secret"), check));
    if raw.signature.is_some() && raw.secret.is_none() {
        check.refuse(&at.key("signature"), "has no effect without a secret: set secret as well");
    }
    let body = match (&raw.template, raw.format) {
        (Some(_), Some(_)) => check.accept(&at.key("format"), Err("cannot be combined with template: set one of them")),
        (Some(text), None) => {
            let tried = template::json(text, &sample_message().fields());
            let invalid = |why| format!("is not a valid template: {why}");
            check.accept(&at.key("template"), tried.map_err(invalid)).map(|_| WebhookBody::Template(text.clone()))
        }
        (None, format) => Some(WebhookBody::Format(format.map_or(MessageFormat::Json, MessageFormat::from))),
    };
    let headers = raw.headers.clone().unwrap_or_default();
    for (name, value) in &headers {
        check.accept(&at.key("headers").key(name), check_header(name, value));
    }
    let owners = check.each(&at.key("owners"), raw.owners.as_deref().unwrap_or_default(), str::parse::<Glob>);
    let name = raw.name.as_ref().and_then(|text| check.accept(&at.key("name"), name(text)));
    let (host, url) = url?;
    Some(NotificationChannel {
        id: name.unwrap_or(host),
        owners,
        threshold: raw.threshold.map(Severity::from),
        resolved: raw.resolved.unwrap_or(true),
        kind: ChannelKind::Webhook(WebhookSettings {
            url,
            body: body?,
            secret,
            signature: raw.signature.map(SignatureScheme::from).unwrap_or_default(),
            headers,
        }),
    })
}

/// Parses the name of a channel or rebuild rule, which identifies it in the ledger.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(format!("{text:?} is not a name: write a few words, as in \"payments by mail\""));
    }
    Ok(text.trim().to_owned())
}

fn quiet_hours(raw: &RawQuietHours, zone: Tz, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<QuietHours> {
    let from = raw.from.as_ref().and_then(|text| check.accept(&at.key("from"), time(text)));
    let to = raw.to.as_ref().and_then(|text| check.accept(&at.key("to"), time(text)));
    let days = check.each(&at.key("days"), raw.days.as_deref().unwrap_or_default(), weekday);
    let (from, to) = (from?, to?);
    if from == to {
        check.refuse(&at.key("to"), "is the same as from: quiet hours must not last all day; use days for whole days");
    }
    // What is worth a call at night has its severity raised to this.
    Some(QuietHours { from, to, days, time_zone: zone, except: Severity::Critical })
}

fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M")
        .ok()
        .filter(|_| text.len() == 5)
        .ok_or_else(|| format!("{text:?} is not a time of day: write hours and minutes, as in \"18:00\""))
}

fn weekday(text: &str) -> Result<Weekday, String> {
    text.parse().map_err(|_| format!("{text:?} is not a day of the week: write one as in \"sat\""))
}

impl From<RawMessageFormat> for MessageFormat {
    fn from(raw: RawMessageFormat) -> Self {
        match raw {
            RawMessageFormat::Text => Self::Text,
            RawMessageFormat::Json => Self::Json,
            RawMessageFormat::Chatbot => Self::Chatbot,
        }
    }
}

impl From<RawSignature> for SignatureScheme {
    fn from(raw: RawSignature) -> Self {
        match raw {
            RawSignature::StandardWebhooks => Self::StandardWebhooks,
            RawSignature::Github => Self::GitHub,
            RawSignature::Bearer => Self::Bearer,
        }
    }
}
