//! SNS message attributes for subscription filter policies, within their limits
//! (<https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>).

use std::collections::HashMap;

use aws_sdk_sns::types::MessageAttributeValue;

use super::Message;
use crate::report::{json, sanitize};

/// Maximum size of a list, in bytes.
const LIST_BYTES: usize = 4096;
/// Maximum length of a text, in characters.
const TEXT_CHARS: usize = 200;

/// The attributes of `message`: at most ten, the limit of raw delivery to SQS
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>). Empty ones are omitted.
pub(super) fn message_attributes(message: &Message) -> HashMap<String, MessageAttributeValue> {
    let texts = [
        ("kind", Some(message.kind.as_str().to_owned())),
        ("severity", Some(message.severity.as_str().to_owned())),
        ("owner", message.owner.clone()),
        ("dedup_key", Some(message.dedup_key.clone())),
    ];
    let lists = [
        ("events", message.events.keys().map(|event| event.as_str().to_owned()).collect::<Vec<_>>()),
        ("severities", message.severities.keys().map(|severity| severity.as_str().to_owned()).collect()),
        ("verdicts", message.verdicts.keys().map(|verdict| verdict.as_str().to_owned()).collect()),
        ("accounts", message.accounts.iter().cloned().collect()),
        ("regions", message.regions.iter().cloned().collect()),
        ("repositories", message.repositories.iter().cloned().collect()),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, value("String", &short(&text?))?)));
    let lists = lists.into_iter().filter_map(|(name, list)| Some((name, value("String.Array", &array(&list))?)));
    texts.chain(lists).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Size of attributes, in bytes: names, types and values.
pub(super) fn bytes(attributes: &HashMap<String, MessageAttributeValue>) -> usize {
    let bytes = |(name, value): (&String, &MessageAttributeValue)| {
        name.len() + value.data_type().len() + value.string_value().map_or(0, str::len)
    };
    attributes.iter().map(bytes).sum()
}

fn value(data_type: &str, text: &str) -> Option<MessageAttributeValue> {
    let built = MessageAttributeValue::builder().data_type(data_type).string_value(text).build().ok()?;
    (!text.is_empty()).then_some(built)
}

/// A JSON list of as many of `values` as fit; the empty string if there are none.
fn array(values: &[String]) -> String {
    let mut kept: Vec<String> = values.iter().map(|value| short(value)).filter(|value| !value.is_empty()).collect();
    while json::compact(&kept).len() > LIST_BYTES {
        kept.truncate(kept.len() - kept.len().div_ceil(4));
    }
    if kept.is_empty() { String::new() } else { json::compact(&kept) }
}

fn short(text: &str) -> String {
    sanitize(text).chars().take(TEXT_CHARS).collect()
}
