//! A message as titled sections of short texts, for mail in HTML and the presets of chat services.

use super::{
    AlertItem, EventKind, Message, MessageKind, TextFormatter,
    cause::{by_cause, left_out},
    chatbot::{cut, overview},
    phrases, run_health_texts,
};

/// Maximum length of one line, in characters, so that one line cannot displace all others.
pub(super) const LINE_CHARS: usize = 700;

/// Maximum length of a title, in characters: that of a header in Slack, the shortest.
const TITLE_CHARS: usize = 150;

/// How a medium formats text from outside.
#[derive(Clone, Copy)]
pub(super) struct CardMarkup {
    /// Prose.
    pub(super) prose: TextFormatter,
    /// Text to be copied.
    pub(super) code: TextFormatter,
}

/// The parts of a message. Every text is at most [`LINE_CHARS`] long.
pub(super) struct MessageCard {
    pub(super) title: String,
    /// The instant and the counts, or the state of basewatch itself.
    pub(super) lead: Vec<String>,
    /// The alerts by event.
    pub(super) sections: Vec<CardSection>,
    /// The number of alerts that are not listed, and where they are.
    pub(super) more: Option<String>,
    /// The report, how to snooze, and why the message was sent.
    pub(super) closing: Vec<String>,
}

/// The alerts of one event.
pub(super) struct CardSection {
    pub(super) heading: &'static str,
    pub(super) paragraphs: Vec<CardParagraph>,
}

/// The alerts with one cause.
pub(super) struct CardParagraph {
    /// What is affected, and its state.
    pub(super) text: String,
    /// What to do.
    pub(super) action: Option<String>,
}

impl MessageCard {
    /// `message` with all its items.
    pub(super) fn new(message: &Message, markup: CardMarkup) -> Self {
        let CardMarkup { prose, code } = markup;
        let line = |text: String| cut(text, LINE_CHARS);
        let whose = message.owner.as_deref().map(|owner| format!("{}: ", phrases::clean(owner))).unwrap_or_default();
        let title = format!("{}{}", cut(whose, TITLE_CHARS / 2), phrases::headline(message));
        let mut lead = vec![prose(&phrases::as_of(message))];
        if let Some(watch) = &message.watch {
            let entries = run_health_texts::entries(watch, prose, code).into_iter();
            lead.extend(entries.map(|(title, text)| format!("{title}: {text}")));
        }
        lead.extend(overview(message, prose));
        let mut closing = Vec::new();
        closing.extend(message.report.as_ref().map(|report| format!("Report: {}", code(report))));
        let snooze = phrases::snooze(message, code);
        closing.extend(snooze.map(|command| format!("To snooze an alert for a week, unless it escalates: {command}")));
        closing.push(format!("You receive this because {}.", prose(&message.subscription_reason)));
        let left_out = left_out(message, &message.items);
        let more = (left_out > 0).then(|| format!("… and {left_out} more: {}", phrases::whole_list(message, code)));
        Self {
            title: cut(title, TITLE_CHARS),
            lead: lead.into_iter().map(line).collect(),
            sections: sections(message, markup),
            more: more.map(line),
            closing: closing.into_iter().map(line).collect(),
        }
    }
}

fn sections(message: &Message, markup: CardMarkup) -> Vec<CardSection> {
    let events = [EventKind::Triggered, EventKind::Escalated, EventKind::Reminded, EventKind::Resolved];
    let section = |event: EventKind| {
        let groups = by_cause(message.items.iter().filter(|item| item.event == event));
        let paragraphs: Vec<_> = groups.iter().map(|group| paragraph(message, group, markup)).collect();
        CardSection { heading: phrases::title(message.kind, event), paragraphs }
    };
    events.into_iter().map(section).filter(|section| !section.paragraphs.is_empty()).collect()
}

fn paragraph(message: &Message, group: &[&AlertItem], markup: CardMarkup) -> CardParagraph {
    let CardMarkup { prose, code } = markup;
    let item = group[0];
    let line = |text: String| cut(text, LINE_CHARS);
    if let Some(rebuild) = &item.rebuild {
        return CardParagraph { text: line(prose(rebuild)), action: None };
    }
    let names = phrases::locations(group, code);
    if let Some(ended) = &item.ended {
        return CardParagraph { text: line(format!("{names}: {}", prose(ended))), action: None };
    }
    let base = phrases::base(item, code).map(|base| format!(". Base: {base}")).unwrap_or_default();
    let alert = if group.len() == 1 { format!(". Alert {}", code(&item.alert)) } else { String::new() };
    let text = line(format!("{names}: {}{base}{alert}", prose(&phrases::verdict(item))));
    let is_to_do = message.kind != MessageKind::Rebuilds && item.event != EventKind::Resolved;
    CardParagraph { text, action: is_to_do.then(|| line(phrases::advice(group, message.at, code))) }
}
