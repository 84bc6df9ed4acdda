//! The result of a run as text.

use super::{MessageOutcome, RebuildOutcome, RunReport};
use crate::{
    judge::{Severity, Verdict},
    notify::{MessageKind, shown},
    report::NoteCode,
    report::{
        RenderOptions, format,
        style::{TextPage, TextStyle},
    },
};

const INDENT: usize = 14;

/// The result for a terminal or a log.
pub(super) fn render(outcome: &RunReport, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    let what = if outcome.dry_run { "Dry run" } else { "Run" };
    page.evidence(TextStyle::Bold, 0, format!("{what} {}, as of {}", outcome.run_id, format::instant(outcome.at)));
    page.end();
    if let Some(note) = outcome.notes.iter().find(|note| note.has_code(NoteCode::MostUnknown)) {
        let text = format!("{}: {}", format::MOST_UNKNOWN, note.message);
        page.paragraph(TextStyle::Severity(Severity::High), 0, text, usize::MAX);
        page.end();
    }
    page.entry(INDENT, "found", found(outcome));
    for error in &outcome.errors {
        page.entry(INDENT, "error", format!("{}: {}", error.scope, error.message));
    }
    if !outcome.dry_run {
        page.entry(INDENT, "store", outcome.store.as_str());
    }
    for message in &outcome.messages {
        page.entry(INDENT, title(outcome.dry_run, message.sent), message_line(message, outcome.dry_run));
    }
    if outcome.messages.is_empty() && outcome.problems.is_empty() {
        page.entry(INDENT, "notified", "no one (no changes)");
    }
    if outcome.findings_waiting > 0 {
        let what = format::count(outcome.findings_waiting, "change");
        page.entry(INDENT, "waiting", format!("{what}, until the quiet hours end or the next summary"));
    }
    if outcome.waiting > 0 {
        page.entry(INDENT, "waiting", format!("{}, for a later run", format::count(outcome.waiting, "message")));
    }
    if outcome.given_up > 0 {
        let what = format::count(outcome.given_up, "message");
        page.entry(INDENT, "expired", format!("{what}; their findings trigger again"));
    }
    for rebuild in &outcome.rebuilds {
        page.entry(INDENT, rebuild_title(outcome.dry_run, rebuild), rebuild_line(rebuild));
    }
    if outcome.rebuilds_waiting > 0 {
        let what = format::count(outcome.rebuilds_waiting, "rebuild");
        page.entry(INDENT, "waiting", format!("{what}, for the next run"));
    }
    for problem in &outcome.problems {
        page.entry(INDENT, "problem", problem.as_str());
    }
    previews(&mut page, outcome);
    page.into_text()
}

fn found(outcome: &RunReport) -> String {
    let summary = &outcome.summary;
    let counts = summary.by_verdict.iter().rev().filter(|(verdict, count)| **verdict != Verdict::Fresh && **count > 0);
    let counts: Vec<_> = counts.map(|(verdict, count)| format!("{count} {}", verdict.as_str())).collect();
    let rest = if counts.is_empty() { "all fresh".to_owned() } else { counts.join(", ") };
    let complete = if outcome.complete { "" } else { "; incomplete" };
    format!("{}: {rest}{complete}", format::count(summary.deployments, "deployment"))
}

fn title(is_dry: bool, is_sent: bool) -> &'static str {
    match (is_dry, is_sent) {
        (true, _) => "would notify",
        (false, true) => "notified",
        (false, false) => "not notified",
    }
}

fn message_line(message: &MessageOutcome, is_dry: bool) -> String {
    if is_dry {
        let noun = if message.kind == MessageKind::Rebuilds { "rebuild" } else { "alert" };
        let count = format::count(message.events.values().sum(), noun);
        return format!("{}: {}; {count}", message.channel, message.subject);
    }
    let events: Vec<_> = message.events.iter().map(|(event, count)| format!("{count} {}", event.as_str())).collect();
    let owner = message.owner.as_ref().map(|owner| format!(" for {owner}")).unwrap_or_default();
    let why = message.error.as_ref().map(|why| format!("; {why}; will be retried")).unwrap_or_default();
    let id = message.message_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    format!("{}: {} {}{owner}{id}{why}", message.channel, message.kind.as_str(), events.join(", "))
}

fn rebuild_title(is_dry: bool, rebuild: &RebuildOutcome) -> &'static str {
    match (is_dry, rebuild.sent) {
        (true, _) => "would request",
        (false, true) => "requested",
        (false, false) => "not requested",
    }
}

fn rebuild_line(rebuild: &RebuildOutcome) -> String {
    let base = rebuild.base_release.as_deref().unwrap_or(&rebuild.base);
    let why = rebuild.error.as_ref().map(|why| format!("; {why}; will be retried")).unwrap_or_default();
    let deployments = format::count(rebuild.deployments, "deployment");
    format!("rebuild of {} on {base} by {}, for {deployments}{why}", rebuild.repository, rebuild.rule)
}

/// The messages of a dry run, as their readers will see them.
fn previews(page: &mut TextPage, outcome: &RunReport) {
    for preview in outcome.messages.iter().filter_map(|message| message.preview.as_ref()) {
        page.end();
        page.line(TextStyle::Bold, format!("To {}", preview.to));
        if let Some(subject) = &preview.subject {
            page.line(TextStyle::Bold, format!("Subject: {subject}"));
        }
        for line in shown(&preview.body).lines() {
            page.line(TextStyle::Plain, line);
        }
    }
}
