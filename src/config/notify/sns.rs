//! `[[notify.sns]]`: Amazon SNS topics.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{check::ConfigValidator, policy::RawSeverity, tree::KeyPath},
    RawMessageFormat,
    channel::{ChannelKeys, RawSummary},
};
use crate::{
    image::{Arn, ArnParts},
    notify::{ChannelKind, MessageFormat, NotificationChannel, SnsSettings},
};

/// An Amazon SNS topic as a notification channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSns {
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
    /// Send one message about all owners: `true` for one after each run, or a cron expression such as `"0 8 * * mon"` for
    /// one after the first run that is due by it. Changes wait until then.
    #[schemars(extend("default" = false))]
    summary: Option<RawSummary>,
}

pub(super) fn validate(
    raw: &RawSns,
    zone: Tz,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Option<NotificationChannel> {
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
    let topic_arn = topic_arn?;
    let settings = SnsSettings { topic_arn, format: raw.format.map(MessageFormat::from).unwrap_or_default(), formats };
    let RawSns { name, owners, threshold, resolved, summary, .. } = raw;
    let keys = ChannelKeys { name, owners, threshold: *threshold, resolved: *resolved, summary: summary.as_ref() };
    keys.channel(Some(settings.topic_arn.to_string()), ChannelKind::Sns(settings), zone, at, check)
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
