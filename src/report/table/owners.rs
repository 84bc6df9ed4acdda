//! The owners with findings: one line for few, otherwise a table with their counts.

use crate::{
    judge::Verdict,
    report::{
        RenderOptions, Report, format,
        grid::{Grid, GridCell, GridColumn},
        style::{TextPage, TextStyle},
    },
};

/// Maximum number of owners on one line.
const ON_ONE_LINE: usize = 3;

/// Maximum number of owners without `--verbose`; the others are counted.
const MOST_OWNERS: usize = 10;

/// The verdicts that are counted, worst first, with the titles of their columns.
const COUNTED: [(Verdict, &str); 5] = [
    (Verdict::Deprecated, "DEPRECATED"),
    (Verdict::Stale, "STALE"),
    (Verdict::OutOfDate, "OUT-OF-DATE"),
    (Verdict::Superseded, "SUPERSEDED"),
    (Verdict::Unknown, "UNKNOWN"),
];

/// An owner, and the number of findings by verdict, those of [`COUNTED`].
struct OwnerRow<'a> {
    name: &'a str,
    counts: [u64; 5],
}

/// The owners with findings that are not fresh, those with the most first.
fn owner_rows(report: &Report) -> Vec<OwnerRow<'_>> {
    let by_owner = report.summary.by_owner.iter();
    let rows = by_owner.map(|(name, counts)| OwnerRow {
        name,
        counts: COUNTED.map(|(verdict, _)| counts.get(&verdict).copied().unwrap_or_default()),
    });
    let mut rows: Vec<_> = rows.filter(|row| row.total() > 0).collect();
    // Stable: equal ones stay in the order of their names.
    rows.sort_by_key(|row| std::cmp::Reverse((row.total(), row.counts)));
    rows
}

impl OwnerRow<'_> {
    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn cells(&self, is_used: &[bool]) -> Vec<GridCell> {
        let counts = self.counts.iter().zip(is_used).filter(|(_, is_used)| **is_used).map(|(count, _)| match count {
            0 => GridCell::new(TextStyle::Dim, format::NOTHING),
            count => GridCell::new(TextStyle::Plain, count.to_string()),
        });
        [GridCell::new(TextStyle::Plain, self.name)].into_iter().chain(counts).collect()
    }

    /// `payments 3 stale, 1 out-of-date`.
    fn text(&self) -> String {
        format!("{} {}", self.name, format::tally(COUNTED.map(|(verdict, _)| verdict).into_iter().zip(self.counts)))
    }
}

/// The owners on one line, if they are few: `payments 3 stale, 1 out-of-date; platform 1 stale`.
pub(super) fn line(report: &Report) -> Option<String> {
    let rows = owner_rows(report);
    let text = rows.iter().map(OwnerRow::text).collect::<Vec<_>>().join("; ");
    (1..=ON_ONE_LINE).contains(&rows.len()).then_some(text)
}

/// Renders the owners as a table, if they are many.
pub(super) fn render(page: &mut TextPage, report: &Report, style: &RenderOptions) {
    let rows = owner_rows(report);
    if rows.len() <= ON_ONE_LINE {
        return;
    }
    let (shown, rest) = rows.split_at(if style.show_all { rows.len() } else { rows.len().min(MOST_OWNERS) });
    // A verdict that no owner has needs no column.
    let is_used = COUNTED.iter().enumerate().map(|(index, _)| rows.iter().any(|row| row.counts[index] > 0));
    let is_used: Vec<_> = is_used.collect();
    let titles = COUNTED.iter().zip(&is_used).filter(|(_, is_used)| **is_used).map(|((_, title), _)| *title);
    let columns = titles.map(|title| GridColumn { title, least: None });
    let columns: Vec<_> = [GridColumn { title: "OWNER", least: Some(12) }].into_iter().chain(columns).collect();
    let cells: Vec<_> = shown.iter().map(|row| row.cells(&is_used)).collect();
    let grid = Grid::fit(&columns, &cells, page);
    if grid.is_stacked() {
        for row in shown {
            page.evidence(TextStyle::Plain, 0, row.text());
        }
    } else {
        grid.titles(page);
        for row in &cells {
            grid.row(page, row);
        }
    }
    if !rest.is_empty() {
        let findings = rest.iter().map(OwnerRow::total).sum();
        let text = format!(
            "and {} with {}; use --verbose for all",
            format::count(rest.len() as u64, "more owner"),
            format::count(findings, "finding")
        );
        page.evidence(TextStyle::Plain, 0, text);
    }
    page.end();
}
