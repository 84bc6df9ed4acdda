//! `[notify]`: who is told what, and when.

use std::{collections::BTreeMap, time::Duration};

use chrono::{NaiveTime, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    policy::RawSeverity,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::{DurationText, webhook_url},
};
use crate::{
    glob::Glob,
    judge::Severity,
    notify::{
        Channel, MessageFormat, QuietHours, Receiver, Settings, SnsSettings, WebhookBody, WebhookSettings,
        select::sample_message,
    },
    webhook::{Signature, check_header, template},
};

/// Who is told what, and when.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNotify {
    /// The least severity that is told.
    #[schemars(extend("default" = "medium"))]
    threshold: Option<RawSeverity>,
    /// How long a finding has to last before it is told.
    #[schemars(extend("default" = "0d"))]
    grace: Option<DurationText>,
    /// How long after it was last told a finding that lasts is told again; `0d` is never.
    #[schemars(extend("default" = "7d"))]
    remind_every: Option<DurationText>,
    /// Hours in which nothing is sent that can wait. It is told by the first run after them.
    quiet_hours: Option<RawQuietHours>,
    /// A receiver that is told for the first time gets one summary if more findings than this are open.
    #[schemars(range(min = 0, max = 100_000), extend("default" = 20))]
    backlog: Option<i64>,
    /// How many findings one message lists; how many more there are is said in it.
    #[schemars(range(min = 1, max = 500), extend("default" = 20))]
    max_items: Option<i64>,
    /// How many messages one receiver gets in one run; the owners for whom there is none share the last.
    #[schemars(range(min = 1, max = 1000), extend("default" = 50))]
    max_messages: Option<i64>,
    /// How long a message that is not accepted is tried again; after that its findings are told anew.
    #[schemars(extend("default" = "14d"))]
    keep_trying: Option<DurationText>,
    /// SNS topics that are told.
    sns: Option<Vec<RawSns>>,
    /// Webhooks that are told.
    webhook: Option<Vec<RawWebhook>>,
}

/// Hours in which people sleep, and days on which they do not work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawQuietHours {
    /// When they begin, by the clock on the wall.
    #[schemars(required, example = &"18:00")]
    from: Option<String>,
    /// When they end; if that is before `from`, on the next day.
    #[schemars(required, example = &"08:00")]
    to: Option<String>,
    /// Where that clock hangs, as the tz database has it.
    #[schemars(extend("default" = "UTC"), example = &"Europe/Berlin")]
    time_zone: Option<String>,
    /// Days that are quiet from midnight to midnight.
    #[schemars(extend("default" = []), example = ["sat", "sun"])]
    days: Option<Vec<String>>,
    /// What is told all the same: this severity and worse.
    #[schemars(extend("default" = "critical"))]
    except: Option<RawSeverity>,
}

/// An SNS topic that is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawSns {
    /// What the ledger calls it; without it, by its ARN.
    #[schemars(example = &"payments by mail")]
    name: Option<String>,
    /// The topic; a FIFO topic if that ends in `.fifo`.
    #[schemars(required, example = &"arn:aws:sns:eu-west-1:123456789012:basewatch")]
    topic_arn: Option<String>,
    /// What messages look like: `text` for people, `json` for machines, `chatbot` for Amazon Q Developer in chat
    /// applications.
    #[schemars(extend("default" = "text"))]
    format: Option<RawFormat>,
    /// Other formats by the protocol of a subscription (`email`, `https`, `sqs`, `lambda`, …).
    #[schemars(example = BTreeMap::from([("sqs", "json")]))]
    formats: Option<BTreeMap<String, RawFormat>>,
    /// Patterns of the owners whose findings it is told; without it all, those of nobody too.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// The least severity that it is told, where that is more than `notify.threshold`.
    threshold: Option<RawSeverity>,
    /// Whether it is told that findings have ended.
    #[schemars(extend("default" = true))]
    resolved: Option<bool>,
}

/// A webhook that is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    /// What the ledger calls it; without it, by its host.
    #[schemars(example = &"chat of payments")]
    name: Option<String>,
    /// Where messages go, by `POST`. It is never shown: many webhooks are known by nothing but their URL.
    #[schemars(required, example = &"https://hooks.example.com/basewatch")]
    url: Option<String>,
    /// What proves that messages are ours.
    secret: Option<RawSecretSource>,
    /// How the secret proves it.
    #[schemars(extend("default" = "standard-webhooks"))]
    signature: Option<RawSignature>,
    /// What messages look like.
    #[schemars(extend("default" = "json"))]
    format: Option<RawFormat>,
    /// A body of one's own: JSON with `{{ … }}` for what the message holds, each value as JSON.
    #[schemars(example = &"{ \"text\": {{ subscription_reason }} }")]
    template: Option<String>,
    /// Further headers.
    headers: Option<BTreeMap<String, String>>,
    /// As for a topic.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// As for a topic.
    threshold: Option<RawSeverity>,
    /// As for a topic.
    #[schemars(extend("default" = true))]
    resolved: Option<bool>,
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a format such as \"text\"")]
enum RawFormat {
    /// For people.
    Text,
    /// For machines: `schema/alert.schema.json`.
    Json,
    /// For Amazon Q Developer in chat applications.
    Chatbot,
}

/// How a call proves that it is ours.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a signature such as \"standard-webhooks\"")]
pub(super) enum RawSignature {
    /// As the Standard Webhooks specification has it.
    StandardWebhooks,
    /// As GitHub signs its webhooks.
    Github,
    /// The secret itself, as a bearer token.
    Bearer,
}

pub(super) fn validate(raw: &RawNotify, at: &KeyPath, check: &mut Check<'_>) -> Settings {
    let standard = Settings::default();
    let mut span = |key: &str, text: &Option<DurationText>, standard: Duration| {
        check.duration(&at.key(key), text.as_ref(), Duration::ZERO).unwrap_or(standard)
    };
    let grace = span("grace", &raw.grace, standard.grace);
    let remind_every = span("remind_every", &raw.remind_every, standard.remind_every.unwrap_or_default());
    let keep_trying = span("keep_trying", &raw.keep_trying, standard.keep_trying);
    let number = |number: Option<i64>, standard| number.and_then(|number| number.try_into().ok()).unwrap_or(standard);
    let quiet_hours = raw.quiet_hours.as_ref().and_then(|raw| quiet_hours(raw, &at.key("quiet_hours"), check));
    let mut receivers = Vec::new();
    for (index, raw) in raw.sns.iter().flatten().enumerate() {
        add(&mut receivers, sns(raw, &at.key("sns").index(index), check), &at.key("sns").index(index), check);
    }
    for (index, raw) in raw.webhook.iter().flatten().enumerate() {
        add(
            &mut receivers,
            webhook(raw, &at.key("webhook").index(index), check),
            &at.key("webhook").index(index),
            check,
        );
    }
    Settings {
        threshold: raw.threshold.map_or(standard.threshold, Severity::from),
        grace,
        remind_every: Some(remind_every).filter(|every| !every.is_zero()),
        quiet_hours,
        backlog: number(raw.backlog, standard.backlog),
        max_items: number(raw.max_items, standard.max_items),
        max_messages: number(raw.max_messages, standard.max_messages),
        keep_trying,
        channels: receivers,
    }
}

/// The ledger knows receivers by their ids: two of the same would be told as one.
fn add(receivers: &mut Vec<Receiver>, receiver: Option<Receiver>, at: &KeyPath, check: &mut Check<'_>) {
    let Some(receiver) = receiver else { return };
    if receivers.iter().any(|known| known.id == receiver.id) {
        check.refuse(at, format!("is called {:?} as another receiver is: give each a name of its own", receiver.id));
        return;
    }
    receivers.push(receiver);
}

fn sns(raw: &RawSns, at: &KeyPath, check: &mut Check<'_>) -> Option<Receiver> {
    let topic_arn = raw.topic_arn.as_ref().and_then(|text| check.accept(&at.key("topic_arn"), topic(text)));
    let formats_at = at.key("formats");
    let mut formats = BTreeMap::new();
    for (protocol, format) in raw.formats.iter().flatten() {
        if PROTOCOLS.contains(&protocol.as_str()) {
            formats.insert(protocol.clone(), MessageFormat::from(*format));
        } else {
            let known = PROTOCOLS.join(", ");
            check.refuse(&formats_at.key(protocol), format!("is no protocol of SNS: write one of {known}"));
        }
    }
    let owners = check.each(&at.key("owners"), raw.owners.as_deref().unwrap_or_default(), str::parse::<Glob>);
    let name = raw.name.as_ref().and_then(|text| check.accept(&at.key("name"), name(text)));
    let topic_arn = topic_arn?;
    Some(Receiver {
        id: name.unwrap_or_else(|| topic_arn.clone()),
        owners,
        threshold: raw.threshold.map(Severity::from),
        resolved: raw.resolved.unwrap_or(true),
        kind: Channel::Sns(SnsSettings {
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

fn topic(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name]
            if !partition.is_empty() && !region.is_empty() && account.len() == 12 && !name.is_empty() =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "{text:?} is no ARN of a topic: write it as in \"arn:aws:sns:eu-west-1:123456789012:basewatch\""
        )),
    }
}

fn webhook(raw: &RawWebhook, at: &KeyPath, check: &mut Check<'_>) -> Option<Receiver> {
    let url = raw.url.as_ref().and_then(|text| check.accept(&at.key("url"), webhook_url(text)));
    let secret = raw.secret.as_ref().and_then(|raw| source(raw, &at.key("secret"), check));
    if raw.signature.is_some() && raw.secret.is_none() {
        check.refuse(&at.key("signature"), "signs with nothing: set secret as well");
    }
    let body = match (&raw.template, raw.format) {
        (Some(_), Some(_)) => check.accept(&at.key("format"), Err("is moot beside template: set one of them")),
        (Some(text), None) => {
            let tried = template::json(text, &sample_message().fields());
            let said = |why| format!("is no template over an alert: {why}");
            check.accept(&at.key("template"), tried.map_err(said)).map(|_| WebhookBody::Template(text.clone()))
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
    Some(Receiver {
        id: name.unwrap_or(host),
        owners,
        threshold: raw.threshold.map(Severity::from),
        resolved: raw.resolved.unwrap_or(true),
        kind: Channel::Webhook(WebhookSettings {
            url,
            body: body?,
            secret,
            signature: raw.signature.map(Signature::from).unwrap_or_default(),
            headers,
        }),
    })
}

/// The name of a receiver or of a rule, as the ledger knows it.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(format!("{text:?} is no name: write a few words, as in \"payments by mail\""));
    }
    Ok(text.trim().to_owned())
}

fn quiet_hours(raw: &RawQuietHours, at: &KeyPath, check: &mut Check<'_>) -> Option<QuietHours> {
    let from = raw.from.as_ref().and_then(|text| check.accept(&at.key("from"), time(text)));
    let to = raw.to.as_ref().and_then(|text| check.accept(&at.key("to"), time(text)));
    let zone = raw.time_zone.as_deref().unwrap_or("UTC");
    let time_zone = check.accept(&at.key("time_zone"), time_zone(zone));
    let days = check.each(&at.key("days"), raw.days.as_deref().unwrap_or_default(), weekday);
    let except = raw.except.map_or(Severity::Critical, Severity::from);
    let (from, to) = (from?, to?);
    if from == to {
        check.refuse(&at.key("to"), "is the same as from: quiet hours have to end before they begin again");
    }
    Some(QuietHours { from, to, days, time_zone: time_zone?, except })
}

fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M")
        .ok()
        .filter(|_| text.len() == 5)
        .ok_or_else(|| format!("{text:?} is no time of day: write hours and minutes, as in \"18:00\""))
}

pub(super) fn time_zone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| format!("{text:?} is no time zone of the tz database: write one as in \"Europe/Berlin\""))
}

fn weekday(text: &str) -> Result<Weekday, String> {
    text.parse().map_err(|_| format!("{text:?} is no day of the week: write one as in \"sat\""))
}

impl From<RawFormat> for MessageFormat {
    fn from(raw: RawFormat) -> Self {
        match raw {
            RawFormat::Text => Self::Text,
            RawFormat::Json => Self::Json,
            RawFormat::Chatbot => Self::Chatbot,
        }
    }
}

impl From<RawSignature> for Signature {
    fn from(raw: RawSignature) -> Self {
        match raw {
            RawSignature::StandardWebhooks => Self::StandardWebhooks,
            RawSignature::Github => Self::GitHub,
            RawSignature::Bearer => Self::Bearer,
        }
    }
}
