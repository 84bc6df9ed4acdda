//! Renders a Dockerfile check for a terminal: one row per `FROM`, followed by its problems.

use super::{BuildsOn, DockerfileReport, FromFields, LabelRecord, PinnedBase};
use crate::{
    judge::{Severity, Verdict},
    report::{
        Style,
        grid::{Cell, Column, Grid},
        style::{Page, Paint},
        words,
    },
};

const COLUMNS: &[Column] = &[
    Column { title: "LINE", least: None },
    Column { title: "BASE", least: Some(24) },
    Column { title: "PINNED", least: None },
    Column { title: "LABEL", least: None },
    Column { title: "VERDICT", least: None },
    Column { title: "AGE", least: None },
];

/// Renders the report.
#[must_use]
pub fn render(report: &DockerfileReport, style: &Style) -> String {
    let mut page = Page::new(style);
    for file in &report.files {
        let fixed = if file.fixed { " (fixed)" } else { "" };
        page.line(Paint::Bold, format!("{}{fixed}", file.path));
        let rows: Vec<_> = file.froms.iter().map(row).collect();
        let grid = Grid::fit(COLUMNS, &rows, page.width().map(|width| width.saturating_sub(2)));
        if !rows.is_empty() {
            page.skip(2);
            grid.titles(&mut page);
        }
        for (from, row) in file.froms.iter().zip(&rows) {
            page.skip(2);
            grid.row(&mut page, row);
            for reason in &from.reasons {
                page.evidence(Paint::Dim, 2 + grid.offset(1), format!("{}: {}", reason.code, reason.message));
            }
            if let Some(fix) = &from.fix {
                let text = match &fix.refused {
                    None => format!("pin to {}", fix.reference),
                    Some(why) => format!("pin to {} manually: {why}", fix.reference),
                };
                page.evidence(Paint::Plain, 2 + grid.offset(1), text);
            }
        }
        page.end();
    }
    for error in &report.errors {
        page.evidence(Paint::Severity(Severity::High), 0, format!("{}: {}", error.scope, error.message));
    }
    if !report.errors.is_empty() {
        page.end();
    }
    page.line(Paint::Plain, summary(report));
    page.into_text()
}

fn row(from: &FromFields) -> Vec<Cell> {
    let name = from.reference.as_deref().map_or(from.written.as_str(), words::short_name);
    let paint = if from.counts() { Paint::Plain } else { Paint::Dim };
    let nothing = || Cell::new(Paint::Dim, words::NOTHING);
    let pinned = match from.pinned {
        Some(true) => Cell::new(Paint::Plain, "yes"),
        Some(false) => Cell::new(attention(from), "no"),
        None => nothing(),
    };
    let label = match from.label {
        Some(LabelRecord::Recorded) => Cell::new(Paint::Plain, "yes"),
        Some(LabelRecord::Missing) => Cell::new(attention(from), "no"),
        Some(LabelRecord::Differs) => Cell::new(attention(from), "differs"),
        Some(LabelRecord::Unresolved) => Cell::new(Paint::Dim, "set at build"),
        None => nothing(),
    };
    let age = from.base.as_ref().map_or_else(|| words::NOTHING.to_owned(), age);
    vec![
        Cell::new(paint, from.line.to_string()),
        Cell::new(paint, name),
        pinned,
        label,
        verdict(from),
        Cell::new(Paint::Dim, age),
    ]
}

fn age(base: &PinnedBase) -> String {
    words::age(base.age_days, base.published_source)
}

/// Highlights problems of final bases only.
fn attention(from: &FromFields) -> Paint {
    if from.counts() { Paint::Severity(Severity::Medium) } else { Paint::Dim }
}

fn verdict(from: &FromFields) -> Cell {
    match (from.verdict, from.builds_on) {
        (Some(verdict), _) => {
            let severity = from.severity.unwrap_or(Severity::None);
            Cell::new(if from.counts() { Paint::Severity(severity) } else { Paint::Dim }, verdict.as_str())
        }
        (None, BuildsOn::Stage) => Cell::new(Paint::Dim, "stage"),
        (None, BuildsOn::Scratch) => Cell::new(Paint::Dim, "no base"),
        (None, BuildsOn::Image) if !from.tracked => Cell::new(Paint::Dim, "not configured"),
        (None, BuildsOn::Image | BuildsOn::Unresolved) => Cell::new(Paint::Dim, words::NOTHING),
    }
}

fn summary(report: &DockerfileReport) -> String {
    let summary = &report.summary;
    let mut parts = vec![words::count(summary.files, "file"), words::count(summary.bases, "base")];
    let verdicts = words::tally(summary.by_verdict.iter().map(|(verdict, number)| (*verdict, *number)));
    parts.extend(Some(verdicts).filter(|verdicts| !verdicts.is_empty()));
    for (number, what) in [(summary.unpinned, "not pinned"), (summary.unrecorded, "not recorded")] {
        parts.extend((number > 0).then(|| format!("{number} {what}")));
    }
    let is_well = summary.bases > 0
        && summary.unpinned + summary.unrecorded == 0
        && summary.by_verdict.keys().all(|verdict| *verdict == Verdict::Fresh);
    let end = if is_well && report.complete { ": all pinned, recorded and current" } else { "" };
    format!("{}{end}", parts.join(", "))
}
