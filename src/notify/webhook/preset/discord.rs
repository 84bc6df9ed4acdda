//! Webhooks of Discord: one embed (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).

use serde_json::{Value, json};

use super::{
    super::super::{
        Message,
        card::{CardMarkup, MessageCard},
        chatbot::{cut, is_markup},
        fitting::fitting_if,
        phrases,
    },
    text_chars,
};
use crate::{judge::Severity, secret::Secret};

/// Maximum length of the description of an embed, in characters
/// (<https://docs.discord.com/developers/resources/message#embed-object-embed-limits>).
const DESCRIPTION_CHARS: usize = 4096;
/// Maximum length of all texts of the embeds, in characters.
const EMBED_CHARS: usize = 6000;

const MARKUP: CardMarkup = CardMarkup { prose, code };

/// `message` as an embed. Nobody is mentioned.
pub(super) fn body(message: &Message) -> Value {
    let is_small = |body: &Value| {
        let embed = &body["embeds"][0];
        let is_short = embed["description"].as_str().is_some_and(|text| text.chars().count() <= DESCRIPTION_CHARS);
        is_short && text_chars(embed) <= EMBED_CHARS
    };
    let bare = || envelope(&json!({ "title": cut(phrases::headline(message), 250) }));
    fitting_if(message, embed, is_small).unwrap_or_else(bare)
}

fn embed(message: &Message) -> Value {
    let card = MessageCard::new(message, MARKUP);
    let mut lines = card.lead;
    for section in card.sections {
        lines.push(format!("\n**{}**", section.heading));
        for paragraph in section.paragraphs {
            lines.push(format!("• {}", paragraph.text));
            lines.extend(paragraph.action.map(|action| format!("Next: {action}")));
        }
    }
    lines.extend(card.more);
    lines.push(String::new());
    lines.extend(card.closing);
    envelope(&json!({
        "title": prose(&card.title),
        "description": lines.join("\n"),
        "color": color(message.severity),
        "timestamp": message.at,
    }))
}

fn envelope(embed: &Value) -> Value {
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn color(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 0x00b3_1412,
        Severity::High => 0x00d9_480f,
        Severity::Medium => 0x00e6_a700,
        _ => 0x006b_7785,
    }
}

/// Text from outside without markup: words that could be markup are code, which Discord does not interpret.
fn prose(text: &str) -> String {
    let text = phrases::clean(text);
    let words = text.split(' ').map(|word| if is_markup(word) { code(word) } else { word.to_owned() });
    words.collect::<Vec<_>>().join(" ")
}

/// Text from outside as code. Unlike Slack, Discord shows entities as they are written.
fn code(text: &str) -> String {
    // A backtick would end the code; no valid name contains one.
    format!("`{}`", phrases::clean(text).replace('`', "'"))
}

/// With `wait=true`, Discord answers with the message and its id, and reports errors.
pub(super) fn address(url: Secret) -> Secret {
    let text = url.reveal();
    let separator = match text.split_once('?') {
        Some((_, query)) if query.split('&').any(|pair| pair.starts_with("wait=")) => return url,
        Some(_) => '&',
        None => '?',
    };
    Secret::new(format!("{text}{separator}wait=true"))
}
