//! The totals below the table, and the suggested command.

use super::owners;
use crate::report::{Finding, RenderOptions, Report, format, style::TextPage};

/// The indentation of values.
const INDENT: usize = 12;

/// Renders the totals.
pub(super) fn render(page: &mut TextPage, report: &Report, style: &RenderOptions) {
    let by_verdict = format::tally(report.summary.by_verdict.iter().map(|(verdict, number)| (*verdict, *number)));
    if !by_verdict.is_empty() {
        page.entry(INDENT, "verdicts", by_verdict);
    }
    let exempted = report.findings.iter().filter(|finding| finding.exemption.is_some());
    let exempted = format::tally(exempted.map(|finding| (finding.verdict, 1)));
    if !exempted.is_empty() {
        page.entry(INDENT, "exempted", format!("{} of these: {exempted}", report.summary.exempted));
    }
    if let Some(ages) = report.summary.base_age_days {
        page.entry(INDENT, "base age", ages.to_string());
    }
    if report.findings.iter().any(|finding| !finding.needs_no_action()) {
        let policy = &report.policy;
        let text = format!("stale over {} d, out-of-date after {} d behind", policy.max_age_days, policy.grace_days);
        page.entry(INDENT, "policy", text);
    }
    if let Some(owners) = owners::line(report) {
        page.entry(INDENT, "owners", owners);
    }
    // Unused exemptions and holds do not affect the findings.
    for note in report.other_notes().filter(|note| style.show_all || !note.is_about_unused()) {
        page.entry(INDENT, "note", note.message.as_str());
    }
    if !report.complete {
        page.entry(INDENT, "incomplete", "parts of the inventory could not be audited");
    }
    if let Some(search) = report.search.filter(|search| style.show_all || search.unfinished_images > 0) {
        page.entry(INDENT, "search", search.to_string());
    }
    page.entry(INDENT, "requests", requests(report));
    if let Some(next) = next(report).filter(|_| !style.hide_next) {
        page.entry(INDENT, "next", next);
    }
}

fn requests(report: &Report) -> String {
    let parts: Vec<_> = report
        .requests
        .iter()
        .enumerate()
        .map(|(index, (host, number))| {
            let noun = match (index, number) {
                (0, 1) => " request",
                (0, _) => " requests",
                _ => "",
            };
            let login = report.authentication.get(host).filter(|login| *login != host);
            let login = login.map(|login| format!(" ({login})")).unwrap_or_default();
            format!("{number}{noun} to {host}{login}")
        })
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// The suggested command.
fn next(report: &Report) -> Option<String> {
    let is_open = |finding: &&Finding| !finding.needs_no_action() && finding.exemption.is_none();
    let Some(worst) = report.findings.iter().find(is_open) else {
        let is_nothing_there = report.findings.is_empty() && report.errors.is_empty();
        return is_nothing_there.then(|| "basewatch audit IMAGE".to_owned());
    };
    // Only characters without a special meaning in shells.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/:@-".contains(c);
    let reference = &worst.image.reference;
    let image = if reference.chars().all(is_plain) && !reference.starts_with('-') { reference } else { "IMAGE" };
    Some(format!("basewatch explain {image}"))
}
