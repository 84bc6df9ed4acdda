//! Microsoft Teams: a workflow with the trigger "When a Teams webhook request is received", and an Adaptive Card
//! (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).

use serde_json::{Value, json};

use super::super::super::{
    Message,
    card::{CardMarkup, MessageCard},
    fitting::fitting_if,
    phrases,
};
use crate::{judge::Severity, report::json as compact, webhook::WebhookResponse};

/// Maximum size of a message, in bytes, with room for what Teams adds
/// (<https://learn.microsoft.com/microsoftteams/limits-specifications-teams>).
const MESSAGE_BYTES: usize = 27 * 1024;

/// Text runs are not Markdown, so that text from outside is shown as it is.
const MARKUP: CardMarkup = CardMarkup { prose: phrases::clean, code: phrases::clean };

/// `message` as an Adaptive Card.
pub(super) fn body(message: &Message) -> Value {
    let is_small = |body: &Value| compact::compact(body).len() <= MESSAGE_BYTES;
    let bare = || envelope(&[text(&phrases::headline(message), true)]);
    fitting_if(message, card, is_small).unwrap_or_else(bare)
}

fn card(message: &Message) -> Value {
    let card = MessageCard::new(message, MARKUP);
    let color = match message.severity {
        Severity::Critical | Severity::High => "Attention",
        Severity::Medium => "Warning",
        _ => "Default",
    };
    let title = json!({ "type": "TextRun", "text": card.title, "weight": "Bolder", "size": "Large", "color": color });
    let mut body = vec![json!({ "type": "RichTextBlock", "inlines": [title] })];
    body.extend(card.lead.iter().map(|line| text(line, false)));
    for section in &card.sections {
        let heading = json!({ "type": "TextRun", "text": section.heading, "weight": "Bolder" });
        body.push(json!({ "type": "RichTextBlock", "inlines": [heading], "separator": true, "spacing": "Medium" }));
        for paragraph in &section.paragraphs {
            body.push(text(&paragraph.text, false));
            body.extend(paragraph.action.as_ref().map(|action| text(&format!("Next: {action}"), true)));
        }
    }
    body.extend(card.more.as_deref().map(|more| text(more, false)));
    body.extend(card.closing.iter().map(|line| text(line, true)));
    envelope(&body)
}

fn text(text: &str, is_subtle: bool) -> Value {
    json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text, "isSubtle": is_subtle }] })
}

fn envelope(body: &[Value]) -> Value {
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
    });
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": content });
    json!({ "type": "message", "attachments": [attachment] })
}

/// Connectors answer 200 and report the error in the body
/// (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
pub(super) fn refusal(response: &WebhookResponse) -> Option<String> {
    let body = String::from_utf8_lossy(&response.body);
    let (_, error) = body.split_once("delivery failed")?;
    let code = error.split_once("HTTP error ").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
    let code = code.map(|code| format!(" (error {})", code.collect::<String>())).unwrap_or_default();
    Some(format!("answered {} and did not deliver the message{code}", response.status))
}
