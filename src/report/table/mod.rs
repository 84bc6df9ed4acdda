//! Renders a report as a table for a terminal: what to do, then the worst findings.

mod owners;
mod rows;
mod steps;
mod totals;

use super::{
    RenderOptions, Report,
    format::{self, count},
    style::{TextPage, TextStyle},
};
use crate::judge::Severity;

/// Maximum number of errors without `--verbose`; the others are counted.
const MOST_ERRORS: usize = 20;

/// Renders the report.
#[must_use]
pub fn render(report: &Report, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    headline(&mut page, report);
    let rows = rows::TableRows::new(report, style);
    if rows.open_count() > steps::LONG_TABLE {
        steps::render(&mut page, report);
    }
    rows.render(&mut page);
    errors(&mut page, report, style);
    owners::render(&mut page, report, style);
    totals::render(&mut page, report, style);
    page.into_text()
}

fn headline(page: &mut TextPage, report: &Report) {
    if let Some(note) = report.most_unknown() {
        let text = format!("{}: {}", format::MOST_UNKNOWN, note.message);
        page.paragraph(TextStyle::Severity(Severity::High), 0, text, usize::MAX);
        page.end();
    }
    let summary = &report.summary;
    let what = match summary.deployments {
        0 => "basewatch found no deployments to audit".to_owned(),
        number => format!(
            "basewatch audited {} of {} on {}",
            count(number, "deployment"),
            count(summary.images, "image"),
            count(summary.bases, "base"),
        ),
    };
    let as_of = format!("as of {}", format::instant(report.generated_at));
    let is_one_line = what.len() + ", ".len() + as_of.len() <= page.room(0);
    for line in if is_one_line { vec![format!("{what}, {as_of}")] } else { vec![what, as_of] } {
        page.paragraph(TextStyle::Bold, 0, line, usize::MAX);
    }
    page.end();
}

fn errors(page: &mut TextPage, report: &Report, style: &RenderOptions) {
    if report.errors.is_empty() {
        return;
    }
    let title = format!("{}: parts of the inventory could not be audited", count(report.errors.len() as u64, "error"));
    page.paragraph(TextStyle::Bold, 0, title, usize::MAX);
    let most = if style.show_all { usize::MAX } else { MOST_ERRORS };
    let most_lines = page.most_lines(3);
    for error in report.errors.iter().take(most) {
        let text = format!("{}: {}: {}", error.scope, error.code, error.message);
        page.paragraph(TextStyle::Plain, 2, text, most_lines);
    }
    if let Some(more @ 1..) = report.errors.len().checked_sub(most) {
        page.line(TextStyle::Plain, format!("  and {more} more"));
    }
    page.end();
}
