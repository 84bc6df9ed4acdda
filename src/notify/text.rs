//! The plain text format, for mail: what is outdated, by how much, what to do, and why the reader receives it.

use std::borrow::Cow;

use textwrap::{Options, WordSeparator, WordSplitter::NoHyphenation};

use super::{
    AlertItem, EventKind, Message, MessageKind,
    cause::{by_cause, left_out},
    fitting::fitting,
    phrases::{self, clean},
    run_health_texts,
};

/// SNS takes subjects of fewer than 100 ASCII characters without line breaks
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const SUBJECT_CHARS: usize = 99;
/// Line width of prose, in columns.
const WIDTH: usize = 76;
/// Maximum number of items listed in a backlog.
const MAX_BACKLOG_ITEMS: usize = 10;
/// Maximum number of owners listed.
const MAX_OWNERS: usize = 25;
/// Maximum length of an owner in a list or a subject, in characters.
const OWNER_CHARS: usize = 40;
/// The column in which the text of an entry begins.
const INDENT: &str = "            ";

impl Message {
    /// The message in a few words, as the subject of a mail: at most 99 printable ASCII characters.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(self)
    }
}

/// The subject of `message`: at most 99 printable ASCII characters, the first of them a letter or digit.
pub(super) fn subject(message: &Message) -> String {
    let whose = message.owner.as_deref().unwrap_or_default();
    let whose = if whose.is_empty() { String::new() } else { format!("{}: ", shortened(whose)) };
    let subject = capitalized(&format!("{whose}{}", phrases::headline(message)));
    let ascii: String = subject.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    let ascii = ascii.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let subject: String = ascii.chars().take(SUBJECT_CHARS).collect();
    subject.trim_end().to_owned()
}

/// `message` as plain text of at most `most_bytes`.
pub(super) fn render(message: &Message, most_bytes: usize) -> String {
    fitting(message, most_bytes, page).unwrap_or_else(|| {
        let mut text: String = subject(message);
        text.truncate(most_bytes);
        text
    })
}

fn page(message: &Message) -> String {
    let mut lines = Vec::new();
    let whose = message.owner.as_deref().map(|owner| format!("{}: ", clean(owner))).unwrap_or_default();
    lines.extend(wrapped(&capitalized(&format!("{whose}{}.", phrases::summary(message))), "", ""));
    lines.extend(wrapped(&phrases::as_of(message), "", ""));
    self_monitoring(message, &mut lines);
    let mut listed = Vec::new();
    if message.kind == MessageKind::Backlog {
        overview(message, &mut lines);
    }
    for event in [EventKind::Triggered, EventKind::Escalated, EventKind::Reminded, EventKind::Resolved] {
        listed.extend(section(message, event, &mut lines));
    }
    let left_out = left_out(message, listed);
    if left_out > 0 {
        lines.push(String::new());
        let more = format!("… and {left_out} more: {}", phrases::whole_list(message, clean));
        lines.extend(wrapped(&more, "", ""));
    }
    if message.kind != MessageKind::Backlog {
        owners(message, &mut lines);
    }
    closing(message, &mut lines);
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// The entries of a self-monitoring alert.
fn self_monitoring(message: &Message, lines: &mut Vec<String>) {
    let Some(watch) = &message.watch else { return };
    lines.push(String::new());
    for (title, text) in run_health_texts::entries(watch, clean, clean) {
        lines.extend(wrapped(&text, &format!("    {title:<8}"), INDENT));
    }
}

/// A backlog by verdict and owner.
fn overview(message: &Message, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.extend(wrapped(&format!("By verdict: {}.", phrases::verdicts(message)), "", ""));
    owners(message, lines);
}

fn owners(message: &Message, lines: &mut Vec<String>) {
    if message.owners.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push("BY OWNER".to_owned());
    let (listed, more) = phrases::owners(&message.owners, MAX_OWNERS);
    for (owner, count) in listed {
        let owner = if owner.is_empty() { "(no owner)".to_owned() } else { shortened(owner) };
        lines.push(format!("  {count:>6}  {owner}"));
    }
    if more > 0 {
        lines.push(format!("          … and {more} more owners"));
    }
}

fn closing(message: &Message, lines: &mut Vec<String>) {
    lines.push(String::new());
    // The signature delimiter of mail programs.
    lines.push("-- ".to_owned());
    if let Some(report) = &message.report {
        lines.extend(wrapped(&clean(report), "Report:   ", "          "));
    }
    if let Some(page) = &message.page {
        lines.extend(wrapped(&clean(page), "Page:     ", "          "));
    }
    if let Some(command) = phrases::snooze(message, clean) {
        lines.push("To snooze an alert for a week, unless it escalates:".to_owned());
        lines.push(format!("  {command}"));
    }
    lines.extend(wrapped(&format!("You receive this because {}.", clean(&message.subscription_reason)), "", ""));
}

/// Adds the items of `event`. Returns those that fit.
fn section<'a>(message: &'a Message, event: EventKind, lines: &mut Vec<String>) -> Vec<&'a AlertItem> {
    let most = if message.kind == MessageKind::Backlog { MAX_BACKLOG_ITEMS } else { message.items.len() };
    let shown: Vec<_> = message.items.iter().filter(|item| item.event == event).take(most).collect();
    if shown.is_empty() {
        return shown;
    }
    lines.push(String::new());
    lines.push(phrases::title(message.kind, event).to_uppercase());
    for group in &by_cause(shown.iter().copied()) {
        if event != EventKind::Resolved {
            lines.push(String::new());
        }
        paragraph(message, group, lines);
    }
    shown
}

fn paragraph(message: &Message, group: &[&AlertItem], lines: &mut Vec<String>) {
    let item = group[0];
    if let Some(rebuild) = &item.rebuild {
        lines.extend(wrapped(&clean(rebuild), "  ", "  "));
        return;
    }
    let names = phrases::locations(group, clean);
    if let Some(ended) = &item.ended {
        lines.extend(wrapped(&format!("{names}: {}", clean(ended)), "  ", "    "));
        return;
    }
    lines.extend(wrapped(&names, "  ", "  "));
    let mut entry = |title: &str, text: &str| lines.extend(wrapped(text, &format!("    {title:<8}"), INDENT));
    entry("status", &phrases::verdict(item));
    if let Some(base) = phrases::base(item, clean) {
        entry("base", &base);
    }
    for reason in item.reasons.iter().filter(|reason| phrases::adds_information(&reason.code)).take(2) {
        entry("reason", &clean(&reason.message));
    }
    entry("action", &phrases::advice(group, message.at, clean));
    if item.event != EventKind::Triggered
        && let Some(first) = item.first_notified_at
    {
        entry("since", &format!("{} (first notification)", first.format("%F")));
    }
    // Otherwise, the closing lines link to it.
    if let Some(page) = item.page.as_deref().filter(|_| group.len() == 1 && item.page != message.page) {
        entry("page", &clean(page));
    }
    entry(if item.group.is_some() { "alerts" } else { "alert" }, &clean(item.command_id()));
}

/// `text` wrapped into lines, the first prefixed with `first`, the others with `indent`. Words longer than a line are not
/// broken, so that they can be copied.
fn wrapped(text: &str, first: &str, indent: &str) -> Vec<String> {
    let options = Options::new(WIDTH).word_separator(WordSeparator::AsciiSpace).word_splitter(NoHyphenation);
    let options = options.break_words(false).initial_indent(first).subsequent_indent(indent);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    // Only this phrase: names keep their case.
    match characters.next().filter(|_| text.starts_with("backlog of ")) {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text.to_owned(),
    }
}

fn shortened(text: &str) -> String {
    let text = clean(text);
    if text.chars().count() <= OWNER_CHARS {
        return text;
    }
    text.chars().take(OWNER_CHARS - 1).collect::<String>() + "~"
}
