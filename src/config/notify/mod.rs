//! `[notify]`: notification channels, and what each of them receives.

mod channel;
mod email;
mod security_hub;
mod sns;
mod webhook;

use std::time::Duration;

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use self::{email::RawEmail, security_hub::RawSecurityHub, sns::RawSns, webhook::RawWebhook};
use super::{check::ConfigValidator, policy::RawSeverity, tree::KeyPath, values::DurationText};
use crate::{
    judge::Severity,
    notify::{MessageFormat, NotificationChannel, NotifySettings, QuietHours},
    webhook::SignatureScheme,
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
    /// Mail over SMTP.
    email: Option<Vec<RawEmail>>,
    /// AWS Security Hub.
    security_hub: Option<Vec<RawSecurityHub>>,
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
        let at = at.key("sns").index(index);
        add(&mut channels, sns::validate(raw, zone, &at, check), &at, check);
    }
    for (index, raw) in raw.webhook.iter().flatten().enumerate() {
        let at = at.key("webhook").index(index);
        add(&mut channels, webhook::validate(raw, zone, &at, check), &at, check);
    }
    for (index, raw) in raw.email.iter().flatten().enumerate() {
        let at = at.key("email").index(index);
        add(&mut channels, email::validate(raw, zone, &at, check), &at, check);
    }
    for (index, raw) in raw.security_hub.iter().flatten().enumerate() {
        let at = at.key("security_hub").index(index);
        add(&mut channels, security_hub::validate(raw, zone, &at, check), &at, check);
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
