//! Renders a Dockerfile check for a terminal: one row per `FROM`, followed by its problems.

use super::{BuildsOn, DockerfileReport, FromFields, LabelRecord, PinnedBase};
use crate::{
    judge::{Severity, Verdict},
    report::{
        RenderOptions, format,
        grid::{Grid, GridCell, GridColumn},
        style::{TextPage, TextStyle},
    },
};

const COLUMNS: &[GridColumn] = &[
    GridColumn { title: "LINE", least: None },
    GridColumn { title: "BASE", least: Some(24) },
    GridColumn { title: "PINNED", least: None },
    GridColumn { title: "LABEL", least: None },
    GridColumn { title: "VERDICT", least: None },
    GridColumn { title: "AGE", least: None },
];

/// Renders the report.
#[must_use]
pub fn render(report: &DockerfileReport, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    for file in &report.files {
        let fixed = if file.fixed { " (fixed)" } else { "" };
        page.evidence(TextStyle::Bold, 0, format!("{}{fixed}", file.path));
        let rows: Vec<_> = file.froms.iter().map(row).collect();
        let grid = Grid::fit_indented(2, COLUMNS, &rows, &page);
        if !rows.is_empty() {
            grid.titles(&mut page);
        }
        for (from, row) in file.froms.iter().zip(&rows) {
            grid.row(&mut page, row);
            for reason in &from.reasons {
                page.evidence(TextStyle::Dim, grid.offset(1), format!("{}: {}", reason.code, reason.message));
            }
            if let Some(fix) = &from.fix {
                let text = match &fix.refused {
                    None => format!("pin to {}", fix.reference),
                    Some(why) => format!("pin to {} manually: {why}", fix.reference),
                };
                page.evidence(TextStyle::Plain, grid.offset(1), text);
            }
        }
        page.end();
    }
    for error in &report.errors {
        page.evidence(TextStyle::Severity(Severity::High), 0, format!("{}: {}", error.scope, error.message));
    }
    if !report.errors.is_empty() {
        page.end();
    }
    page.evidence(TextStyle::Plain, 0, summary(report));
    page.into_text()
}

fn row(from: &FromFields) -> Vec<GridCell> {
    let name = from.reference.as_deref().map_or(from.written.as_str(), format::short_name);
    let paint = if from.counts() { TextStyle::Plain } else { TextStyle::Dim };
    let nothing = || GridCell::new(TextStyle::Dim, format::NOTHING);
    let pinned = match from.pinned {
        Some(true) => GridCell::new(TextStyle::Plain, "yes"),
        Some(false) => GridCell::new(attention(from), "no"),
        None => nothing(),
    };
    let label = match from.label {
        Some(LabelRecord::Recorded) => GridCell::new(TextStyle::Plain, "yes"),
        Some(LabelRecord::Missing) => GridCell::new(attention(from), "no"),
        Some(LabelRecord::Differs) => GridCell::new(attention(from), "differs"),
        Some(LabelRecord::Unresolved) => GridCell::new(TextStyle::Dim, "set at build"),
        None => nothing(),
    };
    let age = from.base.as_ref().map_or_else(|| format::NOTHING.to_owned(), age);
    vec![
        GridCell::new(paint, from.line.to_string()),
        GridCell::new(paint, name),
        pinned,
        label,
        verdict(from),
        GridCell::new(TextStyle::Dim, age),
    ]
}

fn age(base: &PinnedBase) -> String {
    format::age(base.age_days, base.published_source)
}

/// Highlights problems of final bases only.
fn attention(from: &FromFields) -> TextStyle {
    if from.counts() { TextStyle::Severity(Severity::Medium) } else { TextStyle::Dim }
}

fn verdict(from: &FromFields) -> GridCell {
    match (from.verdict, from.builds_on) {
        (Some(verdict), _) => {
            let severity = from.severity.unwrap_or(Severity::None);
            GridCell::new(if from.counts() { TextStyle::Severity(severity) } else { TextStyle::Dim }, verdict.as_str())
        }
        (None, BuildsOn::Stage) => GridCell::new(TextStyle::Dim, "stage"),
        (None, BuildsOn::Scratch) => GridCell::new(TextStyle::Dim, "no base"),
        (None, BuildsOn::Image) if !from.tracked => GridCell::new(TextStyle::Dim, "not configured"),
        (None, BuildsOn::Image | BuildsOn::Unresolved) => GridCell::new(TextStyle::Dim, format::NOTHING),
    }
}

fn summary(report: &DockerfileReport) -> String {
    let summary = &report.summary;
    let mut parts = vec![format::count(summary.files, "file"), format::count(summary.bases, "base")];
    let verdicts = format::tally(summary.by_verdict.iter().map(|(verdict, number)| (*verdict, *number)));
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
