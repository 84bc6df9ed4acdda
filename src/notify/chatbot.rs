//! The chat format: custom notifications of Amazon Q Developer in chat applications, formerly AWS Chatbot:
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>. Messages of any other
//! shape are dropped silently.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    AlertItem, EventKind, Message, MessageKind, TextFormatter,
    cause::{by_cause, left_out},
    fitting::fitting,
    phrases, run_health_texts,
};
use crate::{
    image::{Arn, Digest},
    judge::Action,
    report::{json as compact, sanitize},
};

/// Maximum length of the title, in characters.
const TITLE_CHARS: usize = 250;
/// Maximum length of the description, in characters.
const DESCRIPTION_CHARS: usize = 8000;
/// Maximum length of a description line and of a next step, in characters, so that one line cannot displace all others.
const LINE_CHARS: usize = 700;
/// Maximum number of paragraphs in the description, and of next steps.
const MAX_PARAGRAPHS: usize = 10;
/// Maximum number of owners listed.
const MAX_OWNERS: usize = 10;

/// `message` as a notification of at most `most_bytes`.
pub(super) fn render(message: &Message, most_bytes: usize) -> String {
    let render = |message: &Message| compact::compact(&card(message));
    fitting(message, most_bytes, render).unwrap_or_else(|| compact::compact(&bare(message)))
}

fn card(message: &Message) -> Value {
    let mut content = json!({
        "textType": "client-markdown",
        "title": title(message),
        "description": description(message),
        "keywords": keywords(message),
    });
    let steps = steps(message);
    if !steps.is_empty() {
        content["nextSteps"] = json!(steps);
    }
    let mut metadata = json!({
        "threadId": thread(message),
        "summary": cut(plain(&phrases::summary(message)), TITLE_CHARS),
        "eventType": format!("basewatch-{}", message.kind.as_str()),
        "additionalContext": {
            "severity": message.severity.as_str(),
            "run": cut(plain(&message.run_id), LINE_CHARS),
            "dedup_key": message.dedup_key,
        },
    });
    let mut known = BTreeSet::new();
    let arns = message.items.iter().filter_map(|item| item.arn.as_deref());
    let arns: Vec<_> = arns.filter(|arn| is_arn(arn) && known.insert(*arn)).take(MAX_PARAGRAPHS).collect();
    if !arns.is_empty() {
        metadata["relatedResources"] = json!(arns);
    }
    json!({ "version": "1.0", "source": "custom", "id": message.dedup_key, "content": content, "metadata": metadata })
}

/// The message without items and names, if even these do not fit.
fn bare(message: &Message) -> Value {
    json!({
        "version": "1.0", "source": "custom", "id": message.dedup_key,
        "content": { "textType": "client-markdown", "description": title(message) },
    })
}

/// Whether `text` is an ARN without markup.
fn is_arn(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:$+=,".contains(c);
    text.parse::<Arn>().is_ok() && text.chars().all(is_plain)
}

fn title(message: &Message) -> String {
    let whose = message.owner.as_deref().map(|owner| format!("{}: ", cut(plain(owner), TITLE_CHARS / 2)));
    cut(format!("{}{}", whose.unwrap_or_default(), plain(&phrases::headline(message))), TITLE_CHARS)
}

/// Messages of one owner go into one thread.
pub(super) fn thread(message: &Message) -> String {
    let topic = match message.kind {
        MessageKind::Test => "test",
        MessageKind::Watch => "watch",
        MessageKind::Findings | MessageKind::Backlog | MessageKind::Rebuilds => "findings",
    };
    let owner = message.owner.as_deref().unwrap_or_default();
    format!("basewatch-{topic}-{}", Digest::sha256(owner.as_bytes()).short())
}

/// As many paragraphs as fit, the most urgent first, between the opening and closing lines.
fn description(message: &Message) -> String {
    let mut first = vec![plain(&phrases::as_of(message))];
    first.extend(self_monitoring(message));
    first.extend(overview(message, plain));
    let mut last = Vec::new();
    if let Some(command) = phrases::snooze(message, code) {
        last.push(format!("To snooze an alert for a week, unless it escalates: {command}"));
    }
    last.push(cut(format!("You receive this because {}.", plain(&message.subscription_reason)), LINE_CHARS));
    // Room for the number of omitted items, the report and the page, below.
    let mut room = DESCRIPTION_CHARS - 3 * LINE_CHARS;
    room = room.saturating_sub(first.iter().chain(&last).map(|line| line.chars().count() + 1).sum());
    let (mut lines, mut shown, mut count) = (first, Vec::new(), 0);
    for event in [EventKind::Triggered, EventKind::Escalated, EventKind::Reminded, EventKind::Resolved] {
        let mut heading = Some(format!("\n*{}*", phrases::title(message.kind, event)));
        for group in by_cause(message.items.iter().filter(|item| item.event == event)) {
            let paragraph = cut(format!("• {}", paragraph(&group)), LINE_CHARS);
            let needed = paragraph.chars().count() + 20;
            if count == MAX_PARAGRAPHS || needed > room {
                break;
            }
            room -= needed;
            count += 1;
            shown.extend(group);
            lines.extend(heading.take());
            lines.push(paragraph);
        }
    }
    let left_out = left_out(message, shown);
    if left_out > 0 {
        lines.push(cut(format!("… and {left_out} more: {}", phrases::whole_list(message, code)), LINE_CHARS));
    }
    if let Some(report) = &message.report {
        lines.push(cut(format!("\nReport: {}", code(report)), LINE_CHARS));
    }
    if let Some(page) = message.page.as_deref().filter(|page| page.chars().count() <= LINE_CHARS) {
        // Not as code, so that it can be clicked. It is percent-encoded.
        lines.push(format!("Page: {page}"));
    }
    lines.extend(last);
    cut(lines.join("\n"), DESCRIPTION_CHARS)
}

/// The entries of a self-monitoring alert, except the action, which is a next step.
fn self_monitoring(message: &Message) -> Vec<String> {
    let Some(watch) = &message.watch else { return Vec::new() };
    let entries = run_health_texts::entries(watch, plain, code)
        .into_iter()
        .filter(|(title, _)| *title != run_health_texts::ACTION);
    entries.map(|(title, text)| cut(format!("• {title}: {text}"), LINE_CHARS)).collect()
}

/// A backlog by verdict, and the owners of a message that covers several.
pub(super) fn overview(message: &Message, prose: TextFormatter) -> Vec<String> {
    let mut lines = Vec::new();
    if message.kind == MessageKind::Backlog {
        lines.push(format!("By verdict: {}.", phrases::verdicts(message)));
    }
    let (owners, more) = phrases::owners(&message.owners, MAX_OWNERS);
    if owners.is_empty() {
        return lines;
    }
    let name = |owner: &str| if owner.is_empty() { "no owner".to_owned() } else { cut(prose(owner), 50) };
    let mut names: Vec<_> = owners.into_iter().map(|(owner, count)| format!("{} {count}", name(owner))).collect();
    if more > 0 {
        names.push(format!("and {more} more owners"));
    }
    lines.push(format!("By owner: {}.", names.join(", ")));
    lines
}

fn paragraph(group: &[&AlertItem]) -> String {
    let item = group[0];
    if let Some(rebuild) = &item.rebuild {
        return plain(rebuild);
    }
    let locations = phrases::locations(group, code);
    if let Some(ended) = &item.ended {
        return format!("{locations}: {}", plain(ended));
    }
    let base = phrases::base(item, code).map(|base| format!(". Base: {base}")).unwrap_or_default();
    let alerts = if item.group.is_some() { "Alerts" } else { "Alert" };
    format!("{locations}: {}{base}. {alerts}: {}", plain(&phrases::verdict(item)), code(item.command_id()))
}

/// The next steps without duplicates, in the order of the description.
fn steps(message: &Message) -> Vec<String> {
    if let Some(watch) = message.watch.as_ref().filter(|watch| watch.event != EventKind::Resolved) {
        return vec![run_health_texts::advice(watch, code)];
    }
    let is_to_do =
        |item: &&AlertItem| item.event != EventKind::Resolved && item.rebuild.is_none() && item.action != Action::None;
    let to_do = message.items.iter().filter(is_to_do);
    let mut steps: Vec<String> = Vec::new();
    for group in by_cause(to_do) {
        let step = cut(phrases::advice(&group, message.at, code), LINE_CHARS);
        if !steps.contains(&step) {
            steps.push(step);
        }
        if steps.len() == MAX_PARAGRAPHS {
            break;
        }
    }
    steps
}

fn keywords(message: &Message) -> Vec<String> {
    let mut tags = vec!["basewatch".to_owned(), message.severity.as_str().to_owned()];
    tags.extend(message.owner.as_deref().filter(|owner| !owner.is_empty()).map(|owner| cut(plain(owner), 50)));
    tags
}

/// Text from outside as prose without markup: no emphasis, link or mention. Words that could be markup are rendered as code,
/// which neither Slack nor Teams interprets.
pub(super) fn plain(text: &str) -> String {
    let text = sanitize(text);
    let words = text.split(' ').map(|word| if is_markup(word) { code(word) } else { word.to_owned() });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn is_markup(word: &str) -> bool {
    let is_inside = |(index, _): (usize, &str)| {
        let is_letter = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
        is_letter(word[..index].chars().next_back()) && is_letter(word[index + 1..].chars().next())
    };
    // Chat turns addresses into links, `:name:` into emoji, and `_text_` into italics unless the underscores are within a
    // word.
    word.contains(['*', '~', '`', '@', '#', '[', ']', '|', '<', '>', '&', '\\'])
        || word.contains("://")
        || word.starts_with(':')
        || !word.match_indices('_').all(is_inside)
}

/// Text from outside as code, which can be copied and is not interpreted. Slack requires `&`, `<` and `>` to be escaped even
/// there (<https://docs.slack.dev/messaging/formatting-message-text>).
pub(super) fn code(text: &str) -> String {
    let mut shown = String::from("`");
    for character in sanitize(text).chars() {
        match character {
            // A backtick would end the code; no valid name contains one.
            '`' => shown.push('\''),
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            _ => shown.push(character),
        }
    }
    shown.push('`');
    shown
}

/// At most `most` characters of `text`. Cut code is closed.
pub(super) fn cut(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    let mut kept: String = text.chars().take(most - 2).collect();
    // Do not cut an entity in half.
    if let Some(start) = kept.rfind('&').filter(|start| !kept[*start..].contains(';')) {
        kept.truncate(start);
    }
    let is_in_code = kept.matches('`').count() % 2 == 1;
    kept.push_str(if is_in_code { "…`" } else { "…" });
    kept
}
