//! The JSON format, for machines: `schema/alert.schema.json`.

use super::{Message, SelfMonitorFields, fitting::fitting};
use crate::report::json;

/// `message` as JSON of at most so many bytes; items that do not fit are counted as left out.
pub(super) fn render(message: &Message, most_bytes: usize) -> String {
    fitting(message, most_bytes, json::compact).unwrap_or_else(|| json::compact(&bare(message)))
}

/// The message without items and names, if even these do not fit.
fn bare(message: &Message) -> Message {
    let shortened = |text: &String| text.chars().take(200).collect();
    Message {
        owner: message.owner.as_ref().map(shortened),
        subscription_reason: shortened(&message.subscription_reason),
        report: message.report.as_ref().map(shortened),
        owners: [].into(),
        accounts: [].into(),
        regions: [].into(),
        repositories: [].into(),
        items: Vec::new(),
        left_out: message.count(),
        watch: message.watch.clone().map(|watch| SelfMonitorFields { errors: Vec::new(), ..watch }),
        ..message.clone()
    }
}
