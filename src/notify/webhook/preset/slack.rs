//! Incoming webhooks of Slack: Block Kit
//! (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use serde_json::{Value, json};

use super::{
    super::super::{
        Message,
        card::{CardMarkup, MessageCard},
        chatbot,
        fitting::fitting_if,
        phrases,
    },
    text_chars,
};
use crate::webhook::WebhookResponse;

/// Maximum number of blocks in a message (<https://docs.slack.dev/reference/block-kit/blocks>).
const MAX_BLOCKS: usize = 50;
/// Maximum length of the text of a section, in characters
/// (<https://docs.slack.dev/reference/block-kit/blocks/section-block>).
const SECTION_CHARS: usize = 3000;
/// Maximum length of all texts, in characters. The documented limit is 40,000, but from about 13,000 on Slack answers
/// `msg_blocks_too_long` (<https://github.com/slackapi/bolt-js/issues/2509>).
const MESSAGE_CHARS: usize = 12_000;

/// Slack interprets `&`, `<` and `>` even in code; mentions and links need `<`.
const MARKUP: CardMarkup = CardMarkup { prose: chatbot::plain, code: chatbot::code };

/// `message` as blocks, with a text for notifications.
pub(super) fn body(message: &Message) -> Value {
    let is_small = |body: &Value| {
        let count = body["blocks"].as_array().map_or(0, Vec::len);
        count <= MAX_BLOCKS && text_chars(body) <= MESSAGE_CHARS
    };
    fitting_if(message, blocks, is_small).unwrap_or_else(|| json!({ "text": escaped(&phrases::headline(message)) }))
}

fn blocks(message: &Message) -> Value {
    let card = MessageCard::new(message, MARKUP);
    let title = json!({ "type": "plain_text", "text": card.title, "emoji": false });
    let mut blocks = vec![json!({ "type": "header", "text": title }), section(&card.lead.join("\n"))];
    for part in &card.sections {
        blocks.push(section(&format!("*{}*", part.heading)));
        for paragraph in &part.paragraphs {
            let action = paragraph.action.as_ref().map(|action| format!("\n_Next:_ {action}")).unwrap_or_default();
            blocks.push(section(&format!("{}{action}", paragraph.text)));
        }
    }
    blocks.extend(card.more.as_deref().map(section));
    let closing = json!({ "type": "mrkdwn", "text": card.closing.join("\n"), "verbatim": true });
    blocks.push(json!({ "type": "context", "elements": [closing] }));
    json!({ "text": escaped(&card.title), "blocks": blocks })
}

fn section(text: &str) -> Value {
    let text = chatbot::cut(text.to_owned(), SECTION_CHARS);
    // Without `verbatim`, Slack turns addresses and names into links and mentions.
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

/// `text` for the field of notifications, which is Slack's markup as well.
fn escaped(text: &str) -> String {
    chatbot::plain(text)
}

/// A workflow answers 200 and reports the error in the body; an incoming webhook answers 4xx.
pub(super) fn refusal(response: &WebhookResponse) -> Option<String> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    (body["ok"] == false).then(|| {
        let is_code = |code: &&str| code.len() <= 50 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let code = body["error"].as_str().filter(is_code).unwrap_or("no reason");
        format!("answered {} and did not accept the message: {code}", response.status)
    })
}
