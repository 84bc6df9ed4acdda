//! Which body has a message, in which format?

use super::{Message, MessageFormat, chatbot, json, text};

/// The most bytes that any body has: what SNS takes, and room for its attributes
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
pub(super) const MOST_BYTES: usize = 240 * 1024;

/// `message` in `format`, in at most so many bytes.
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

/// What `render` makes of `message` with as many of its items, from the front, as go into so many bytes; the others are
/// counted as left out. `None` if it is too much without any.
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
