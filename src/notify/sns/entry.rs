//! One SNS message within the limits of SNS.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::{
    super::{MessageFormat, body, text},
    Message, SnsSettings, attributes,
};
use crate::{image::Digest, report::json};

/// Maximum size of one message, attributes included. The subject is counted too, although it has its own limit (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const MESSAGE_BYTES: usize = 256 * 1024;

/// One message to publish.
#[derive(Clone, Debug)]
pub(super) struct PublishEntry {
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) structure: Option<String>,
    /// The message group, for FIFO topics.
    pub(super) group: Option<String>,
    pub(super) dedup_key: String,
    pub(super) attributes: HashMap<String, MessageAttributeValue>,
}

impl PublishEntry {
    /// `message` for the topic of `settings`.
    pub(super) fn from_message(message: &Message, settings: &SnsSettings) -> Self {
        let attributes = attributes::message_attributes(message);
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

    /// Size that SNS counts, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.subject.len() + self.body.len() + attributes::bytes(&self.attributes)
    }

    /// The batch entry, with its number as id.
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

/// The body, or the JSON object of bodies by protocol, of at most `room` bytes.
fn bodies(message: &Message, settings: &SnsSettings, room: usize) -> String {
    if settings.formats.is_empty() {
        return body::render_within(message, settings.format, room);
    }
    let formats = || settings.formats.iter().map(|(protocol, format)| (protocol.as_str(), *format));
    let mut share = room / (formats().count() + 1);
    // Escaping can grow an embedded body up to six times.
    for _ in 0..20 {
        // Each format is rendered once.
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

/// The message group: messages of one owner arrive in order. At most 128 characters of a restricted set:
/// <https://docs.aws.amazon.com/sns/latest/dg/fifo-message-grouping.html>.
fn group(message: &Message) -> String {
    let owner = message.owner.as_deref().unwrap_or_default();
    let is_plain = |owner: &str| !owner.is_empty() && owner.len() <= 100 && owner.bytes().all(|b| b.is_ascii_graphic());
    if is_plain(owner) {
        return format!("owner-{owner}");
    }
    match owner {
        "" => "no-owner".to_owned(),
        odd => format!("owner-{}", Digest::sha256(odd.as_bytes()).short()),
    }
}
