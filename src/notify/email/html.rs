//! The HTML part of a mail: the same as its plain text, set for reading.

use askama::Template;

use super::super::{
    Message,
    card::{CardMarkup, CardSection, MessageCard},
    phrases,
};
use crate::judge::Severity;

/// The template escapes every text.
const MARKUP: CardMarkup = CardMarkup { prose: phrases::clean, code: phrases::clean };

/// The page. Loads nothing.
#[derive(Template)]
#[template(path = "email/mail.html")]
struct MailPage {
    color: &'static str,
    title: String,
    lead: Vec<String>,
    sections: Vec<CardSection>,
    more: Option<String>,
    closing: Vec<String>,
}

/// `message` as HTML.
pub(super) fn render(message: &Message) -> Result<String, String> {
    let MessageCard { title, lead, sections, more, closing } = MessageCard::new(message, MARKUP);
    let page = MailPage { color: color(message.severity), title, lead, sections, more, closing };
    page.render().map_err(|error| error.to_string())
}

fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#b31412",
        Severity::High => "#d9480f",
        Severity::Medium => "#b58100",
        _ => "#6b7785",
    }
}
