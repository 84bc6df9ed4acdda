//! One message as SNS takes it, within its limits whatever is in it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::{
    super::{MessageFormat, body, text},
    Message, SnsSettings, attributes,
};
use crate::{image::Digest, report::json};

/// The most bytes of one message, attributes included; the subject has a limit of its own, and is counted all the
/// same (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const MESSAGE_BYTES: usize = 256 * 1024;

/// One message as SNS takes it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) structure: Option<String>,
    /// The group of a FIFO topic.
    pub(super) group: Option<String>,
    pub(super) dedup_key: String,
    pub(super) attributes: HashMap<String, MessageAttributeValue>,
}

impl Entry {
    /// `message` as the topic of `settings` is told.
    pub(super) fn of(message: &Message, settings: &SnsSettings) -> Self {
        let attributes = attributes::of(message);
        let subject = text::subject(message);
        let room = MESSAGE_BYTES - attributes::bytes(&attributes) - subject.len();
        Self {
            body: bodies(message, settings, room),
            structure: (!settings.formats.is_empty()).then(|| "json".to_owned()),
            group: settings.is_fifo().then(|| group(message)),
            dedup_key: message.dedup_key.clone(),
            attributes,
            subject,
        }
    }

    /// How many bytes count.
    pub(super) fn bytes(&self) -> usize {
        self.subject.len() + self.body.len() + attributes::bytes(&self.attributes)
    }

    /// The entry of a batch, called by its number.
    pub(super) fn into_request(self, number: usize) -> Result<PublishBatchRequestEntry, String> {
        PublishBatchRequestEntry::builder()
            .id(number.to_string())
            .subject(self.subject)
            .message(self.body)
            .set_message_structure(self.structure)
            .set_message_deduplication_id(self.group.is_some().then_some(self.dedup_key))
            .set_message_group_id(self.group)
            .set_message_attributes(Some(self.attributes))
            .build()
            .map_err(|error| error.to_string())
    }
}

/// The body, or with formats by protocol an object of bodies, in at most `room` bytes.
fn bodies(message: &Message, settings: &SnsSettings, room: usize) -> String {
    if settings.formats.is_empty() {
        return body::render_within(message, settings.format, room);
    }
    let formats = || settings.formats.iter().map(|(protocol, format)| (protocol.as_str(), *format));
    let mut share = room / (formats().count() + 1);
    // A body within a body is escaped, and takes up to six times the bytes.
    for _ in 0..20 {
        // Protocols outnumber formats: each format is rendered once.
        let mut known: Vec<(MessageFormat, String)> = Vec::new();
        let mut rendered: BTreeMap<&str, String> = BTreeMap::new();
        for (protocol, format) in formats().chain([("default", settings.format)]) {
            if let Some((_, body)) = known.iter().find(|(other, _)| *other == format) {
                rendered.insert(protocol, body.clone());
                continue;
            }
            let body = body::render_within(message, format, share);
            rendered.insert(protocol, body.clone());
            known.push((format, body));
        }
        let body = json::compact(&rendered);
        if body.len() <= room {
            return body;
        }
        share /= 2;
    }
    json::compact(&BTreeMap::from([("default", body::render_within(message, MessageFormat::Text, 1000))]))
}

/// Messages of one owner arrive in the order they were sent in. A group may have 128 characters, of a few kinds only:
/// <https://docs.aws.amazon.com/sns/latest/dg/fifo-message-grouping.html>.
fn group(message: &Message) -> String {
    let owner = message.owner.as_deref().unwrap_or_default();
    let is_plain = |owner: &str| !owner.is_empty() && owner.len() <= 100 && owner.bytes().all(|b| b.is_ascii_graphic());
    if is_plain(owner) {
        return format!("owner-{owner}");
    }
    match owner {
        "" => "nobody".to_owned(),
        odd => format!("owner-{}", Digest::of(odd.as_bytes()).short()),
    }
}
