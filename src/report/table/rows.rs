//! The rows of the table: groups of equal findings, worst first, each with a line that says why.

use std::collections::{BTreeSet, HashMap};

use crate::{
    judge::{Action, ReasonCode, Severity, Verdict},
    report::{
        Finding, RenderOptions, Report, Sanitized,
        format::{self, count},
        grid::{Grid, GridCell, GridColumn},
        group::{DeploymentNames, FindingGroup, groups},
        style::{TextPage, TextStyle},
    },
};

/// The minimum width for separate severity and base columns. Below it, they are in the line under each row.
const WIDE: usize = 124;

/// The additional width for the owner column.
const OWNER: usize = 8;

/// Maximum number of rows without `--verbose`. Of more, only the worst are shown.
const MOST_ROWS: usize = 100;

/// The number of rows of each verdict that are shown if there are too many; the others are counted.
const WORST_ROWS: usize = 10;

/// The rows of the table, before they are rendered.
pub(super) struct TableRows<'a> {
    report: &'a Report,
    style: &'a RenderOptions,
    /// The findings to show, grouped; exempted ones come last.
    groups: Vec<FindingGroup<'a>>,
}

/// A row to render.
struct TableRow<'a> {
    finding: &'a Finding,
    /// The number of other findings that it stands for.
    others: usize,
    /// The number of findings with the same verdict that are left out after it.
    omitted: usize,
}

impl<'a> TableRows<'a> {
    pub(super) fn new(report: &'a Report, style: &'a RenderOptions) -> Self {
        let is_row = |finding: &&Finding| style.show_all || !finding.needs_no_action();
        let (exempted, open): (Vec<_>, Vec<_>) =
            report.findings.iter().filter(is_row).partition(|finding| finding.exemption.is_some());
        Self { report, style, groups: groups(open.into_iter().chain(exempted)) }
    }

    /// The number of rows that require attention.
    pub(super) fn open_count(&self) -> usize {
        self.groups.iter().filter(|group| !group.first.needs_no_action()).count()
    }

    pub(super) fn render(&self, page: &mut TextPage) {
        let rows = self.shown();
        if !rows.is_empty() {
            self.table(page, &rows);
        }
        let omitted: usize = rows.iter().map(|row| row.omitted).sum();
        if omitted > 0 {
            let are = if omitted == 1 { "is" } else { "are" };
            let omitted = count(omitted as u64, "deployment");
            let text = format!("{omitted} {are} not shown; use --verbose or --format json for all");
            page.paragraph(TextStyle::Bold, 0, text, usize::MAX);
            page.end();
        }
        if !self.style.show_all {
            self.fresh(page);
        }
    }

    /// The rows to show: all groups, or the worst of each verdict if they are too many. With `--verbose`, all findings.
    fn shown(&self) -> Vec<TableRow<'a>> {
        if self.style.show_all {
            let findings = self.groups.iter().flat_map(|group| &group.findings);
            return findings.map(|finding| TableRow { finding, others: 0, omitted: 0 }).collect();
        }
        let most = if self.groups.len() > MOST_ROWS { WORST_ROWS } else { MOST_ROWS };
        let mut rows: Vec<TableRow<'a>> = Vec::new();
        // The number of rows of each verdict, and the position of the last one.
        let mut shown: HashMap<_, (usize, usize)> = HashMap::new();
        for group in &self.groups {
            let finding = group.first;
            let (number, last) = shown.entry((finding.verdict, finding.exemption.is_some())).or_default();
            if *number < most {
                (*number, *last) = (*number + 1, rows.len());
                rows.push(TableRow { finding, others: group.findings.len() - 1, omitted: 0 });
            } else if let Some(row) = rows.get_mut(*last) {
                row.omitted += group.findings.len();
            }
        }
        rows
    }

    fn table(&self, page: &mut TextPage, rows: &[TableRow<'_>]) {
        let has_owners = !self.report.summary.by_owner.is_empty();
        let layout = TableLayout::new(page.width(), has_owners, DeploymentNames::new(&self.report.findings));
        let cells: Vec<_> = rows.iter().map(|row| layout.row(row)).collect();
        let grid = Grid::fit(layout.columns, &cells, page);
        grid.titles(page);
        let most_lines = page.most_lines(3);
        let mut explanations = rows.iter().map(|row| layout.why(row.finding, self.style)).peekable();
        for (row, cells) in rows.iter().zip(&cells) {
            grid.row(page, cells);
            let why = explanations.next().unwrap_or_default();
            // Consecutive rows share an equal explanation.
            if row.omitted > 0 || grid.is_stacked() || explanations.peek() != Some(&why) {
                for line in why {
                    page.paragraph(TextStyle::Dim, grid.offset(1), line, most_lines);
                }
            }
            if row.omitted > 0 {
                let exempted = if row.finding.exemption.is_some() { ", exempted" } else { "" };
                let text = format!("and {} more {}{exempted}", row.omitted, row.finding.verdict);
                page.paragraph(TextStyle::Bold, 0, text, usize::MAX);
            }
        }
        page.end();
    }

    /// One line for all fresh deployments.
    fn fresh(&self, page: &mut TextPage) {
        let fresh: Vec<_> = self.report.findings.iter().filter(|finding| finding.needs_no_action()).collect();
        if fresh.is_empty() {
            return;
        }
        let lines: BTreeSet<_> = fresh
            .iter()
            .filter_map(|finding| finding.base.as_ref())
            .map(|base| format::short_name(base.line.as_deref().unwrap_or(&base.reference)))
            .collect();
        let named: Vec<_> = lines.iter().take(3).copied().collect();
        let more = if lines.len() > 3 { format!(" and {} more", lines.len() - 3) } else { String::new() };
        let on = if named.is_empty() { String::new() } else { format!(" on {}{more}", named.join(", ")) };
        let text = format!("{}{on}", count(fresh.len() as u64, "deployment"));
        page.item(TextStyle::Severity(Severity::None), "out-of-date  ".len(), Verdict::Fresh.as_str(), text);
        page.end();
    }
}

/// The columns that fit the width.
struct TableLayout<'a> {
    columns: &'static [GridColumn],
    is_wide: bool,
    has_owners: bool,
    names: DeploymentNames<'a>,
}

impl<'a> TableLayout<'a> {
    fn new(width: Option<usize>, has_owners: bool, names: DeploymentNames<'a>) -> Self {
        const OWNED_COLUMNS: &[GridColumn] = &[
            GridColumn { title: "VERDICT", least: None },
            GridColumn { title: "SEVERITY", least: None },
            GridColumn { title: "DEPLOYMENT", least: Some(22) },
            GridColumn { title: "OWNER", least: Some(8) },
            GridColumn { title: "BASE", least: Some(26) },
            GridColumn { title: "AGE", least: None },
            GridColumn { title: "BEHIND", least: None },
            GridColumn { title: "ACTION", least: None },
        ];
        const WIDE_COLUMNS: &[GridColumn] = &[
            GridColumn { title: "VERDICT", least: None },
            GridColumn { title: "SEVERITY", least: None },
            GridColumn { title: "DEPLOYMENT", least: Some(22) },
            GridColumn { title: "BASE", least: Some(34) },
            GridColumn { title: "AGE", least: None },
            GridColumn { title: "BEHIND", least: None },
            GridColumn { title: "ACTION", least: None },
        ];
        const NARROW_COLUMNS: &[GridColumn] = &[
            GridColumn { title: "VERDICT", least: None },
            GridColumn { title: "DEPLOYMENT", least: Some(10) },
            GridColumn { title: "AGE", least: None },
            GridColumn { title: "BEHIND", least: Some(12) },
            GridColumn { title: "ACTION", least: None },
        ];
        let wide = if has_owners { WIDE + OWNER } else { WIDE };
        let is_wide = width.is_none_or(|width| width >= wide);
        let columns = match (is_wide, has_owners) {
            (true, true) => OWNED_COLUMNS,
            (true, false) => WIDE_COLUMNS,
            (false, _) => NARROW_COLUMNS,
        };
        Self { columns, is_wide, has_owners, names }
    }

    fn row(&self, row: &TableRow<'_>) -> Vec<GridCell> {
        let finding = row.finding;
        let is_exempted = finding.exemption.is_some();
        let paint = if is_exempted { TextStyle::Dim } else { TextStyle::Severity(finding.severity) };
        let base = finding.base.as_ref().map_or_else(|| format::NOTHING.to_owned(), format::base_in_use);
        let mut cells = vec![GridCell::new(paint, finding.verdict.as_str())];
        if self.is_wide {
            cells.push(GridCell::new(paint, finding.severity.as_str()));
        }
        cells.push(self.deployment(row));
        if self.is_wide {
            if self.has_owners {
                let owner = finding.deployment.owner.as_deref().unwrap_or(format::NOTHING);
                cells.push(GridCell::new(TextStyle::Plain, owner));
            }
            cells.push(GridCell::new(TextStyle::Plain, base));
        }
        cells.push(GridCell::new(TextStyle::Plain, format::base_age(finding)));
        cells.push(GridCell::new(TextStyle::Plain, format::distance(finding.behind.as_ref())));
        let paint = if is_exempted || finding.action == Action::None { TextStyle::Dim } else { TextStyle::Bold };
        cells.push(GridCell::new(paint, finding.action.as_str()));
        cells
    }

    fn deployment(&self, row: &TableRow<'_>) -> GridCell {
        let others = if row.others > 0 { format!(" and {} more", row.others) } else { String::new() };
        let suffix = self.names.qualifier(row.finding) + &others;
        GridCell::new(TextStyle::Plain, format::deployment_name(&row.finding.deployment)).with_suffix(suffix)
    }

    /// The lines under a row: values without a column, and the reasons of the verdict.
    fn why(&self, finding: &Finding, style: &RenderOptions) -> Vec<Sanitized> {
        let owner = finding.deployment.owner.as_deref().map(|owner| format!("{owner}, ")).unwrap_or_default();
        let lead = if self.is_wide { String::new() } else { format!("{}, {owner}", finding.severity) };
        let base = finding.base.as_ref().map(format::base_in_use).filter(|_| !self.is_wide);
        let chain = finding.base.as_ref().and_then(format::chain).map(|chain| format!("built on {chain}"));
        let reasons = if style.show_all { all_reasons(finding) } else { main_reason(finding).into_iter().collect() };
        let reasons = reasons.into_iter().enumerate().map(|(number, reason)| {
            let lead = if number == 0 { lead.as_str() } else { "" };
            format!("{lead}{reason}")
        });
        let rule = finding.policy_rule.as_ref().map(|rule| format!("policy {rule}"));
        let exempted = finding.exemption.as_ref().map(format::exempted);
        base.into_iter().chain(chain).chain(reasons).chain(rule).chain(exempted).map(Sanitized::from).collect()
    }
}

fn all_reasons(finding: &Finding) -> Vec<String> {
    finding.reasons.iter().map(|reason| format!("{}: {}", reason.code, reason.message)).collect()
}

/// The first reason. If the columns show what its message says, only the current release is added.
fn main_reason(finding: &Finding) -> Option<String> {
    let reason = finding.reasons.first()?;
    if !is_in_columns(finding, &reason.code) {
        return Some(format!("{}: {}", reason.code, reason.message));
    }
    let Some(current) = finding.current.as_ref().filter(|_| finding.behind.is_some()) else {
        return Some(reason.code.clone());
    };
    let release = current.release.clone().unwrap_or_else(|| format::short_digest(&current.digest));
    Some(format!("{}: current release {release}", reason.code))
}

/// Whether the columns show age and distance as the message of `code` does. It may be about an inner base, and they are
/// not.
fn is_in_columns(finding: &Finding, code: &str) -> bool {
    let has_one_base = finding.base.as_ref().is_some_and(|base| base.chain.is_empty());
    let is_shown = match code.parse() {
        Ok(ReasonCode::BaseTooOld) => true,
        Ok(ReasonCode::BaseSuperseded) => finding.behind.as_ref().is_some_and(|behind| behind.days.is_some()),
        _ => false,
    };
    has_one_base && is_shown
}
