//! Message bodies in each format, within size limits.

use super::{Message, MessageFormat, chatbot, json, text};

/// Maximum size of a body: the SNS limit minus room for attributes
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
pub(super) const MOST_BYTES: usize = 240 * 1024;

/// `message` in `format`, of at most `most_bytes`.
pub(super) fn render_within(message: &Message, format: MessageFormat, most_bytes: usize) -> String {
    match format {
        MessageFormat::Text => text::render(message, most_bytes),
        MessageFormat::Json => json::render(message, most_bytes),
        MessageFormat::Chatbot => chatbot::render(message, most_bytes),
    }
}

/// `message` in `format`.
pub(super) fn render(message: &Message, format: MessageFormat) -> String {
    render_within(message, format, MOST_BYTES)
}

/// The media type of a body in `format`.
pub(super) fn content_type(format: MessageFormat) -> &'static str {
    match format {
        MessageFormat::Text => "text/plain; charset=utf-8",
        MessageFormat::Json | MessageFormat::Chatbot => "application/json",
    }
}
