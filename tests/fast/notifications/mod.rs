//! Message formats and SNS delivery: every sample in every format, invariants of any message, and SNS failures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so where it is")]

mod formats;
mod limits;
mod schema;
mod security_hub;
mod sns;

use std::{collections::BTreeMap, sync::Arc};

use basewatch::{
    aws::Aws,
    http::RequestCounter,
    notify::{Message, MessageFormat, Notifier as _, SnsNotifier, SnsSettings},
};

/// A topic.
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:basewatch";

/// Settings of a topic with `format`.
pub(crate) fn settings(topic_arn: &str, format: MessageFormat) -> SnsSettings {
    SnsSettings { topic_arn: topic_arn.parse().unwrap(), format, formats: BTreeMap::new() }
}

/// Subject and body of `message` for a topic with `settings`.
pub(crate) fn sent(message: &Message, settings: SnsSettings) -> (String, String) {
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    let preview = SnsNotifier::new(aws, settings).preview(message);
    (preview.subject.unwrap(), preview.body)
}

/// The same in one format.
pub(crate) fn sent_as(message: &Message, format: MessageFormat) -> (String, String) {
    sent(message, settings(TOPIC, format))
}
