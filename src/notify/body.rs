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

/// `render` applied to `message` with as many leading items as fit into `most_bytes`; the others are counted as left out.
/// `None` if it does not fit without items.
pub(super) fn fitting(message: &Message, most_bytes: usize, render: impl Fn(&Message) -> String) -> Option<String> {
    let bare = Message { items: Vec::new(), ..message.clone() };
    let with = |kept: usize| {
        let left_out = message.left_out.saturating_add((message.items.len() - kept) as u64);
        let items = message.items[..kept].to_vec();
        let body = render(&Message { items, left_out, ..bare.clone() });
        (body.len() <= most_bytes).then_some(body)
    };
    if let Some(whole) = with(message.items.len()) {
        return Some(whole);
    }
    let (mut fits, mut too_many) = (0, message.items.len());
    let mut best = with(0)?;
    while too_many - fits > 1 {
        let kept = fits + (too_many - fits) / 2;
        match with(kept) {
            Some(body) => (fits, best) = (kept, body),
            None => too_many = kept,
        }
    }
    Some(best)
}
