//! Renders a report as a table for a terminal, worst findings first.

use std::collections::BTreeSet;

use super::{
    Finding, RenderOptions, Report, Sanitized,
    format::{self, count},
    grid::{Grid, GridCell, GridColumn},
    group::{DeploymentNames, FindingGroup, groups},
    style::{TextPage, TextStyle},
};
use crate::judge::{Action, Severity, Verdict};

/// The minimum width for separate severity and base columns. Below it, they are in the line under each row.
const WIDE: usize = 124;

/// The additional width for the owner column.
const OWNER: usize = 8;

/// Maximum number of rows without `--verbose`; the others are counted.
const MOST_ROWS: usize = 100;

/// Maximum number of errors without `--verbose`; the others are counted.
const MOST_ERRORS: usize = 20;

/// Maximum number of owners; the others are counted.
const MOST_OWNERS: usize = 8;

/// The indentation of values in the totals.
const INDENT: usize = 12;

/// Renders the report.
#[must_use]
pub fn render(report: &Report, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    headline(&mut page, report);
    findings(&mut page, report, style);
    errors(&mut page, report, style);
    totals(&mut page, report, style);
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
        page.line(TextStyle::Bold, line);
    }
    page.end();
}

fn findings(page: &mut TextPage, report: &Report, style: &RenderOptions) {
    if report.findings.is_empty() {
        return;
    }
    let is_row = |finding: &&Finding| style.show_all || !finding.needs_no_action();
    // Exempted findings come last.
    let (exempted, open): (Vec<_>, Vec<_>) =
        report.findings.iter().filter(is_row).partition(|finding| finding.exemption.is_some());
    let mut shown = groups(open.into_iter().chain(exempted));
    let hidden = if style.show_all { Vec::new() } else { shown.split_off(shown.len().min(MOST_ROWS)) };
    let has_owners = !report.summary.by_owner.is_empty();
    let layout = TableLayout::new(page.width(), has_owners, DeploymentNames::new(&report.findings));
    if !shown.is_empty() {
        let rows: Vec<_> = shown.iter().map(|group| layout.row(group)).collect();
        let grid = Grid::fit(layout.columns, &rows, page.width());
        grid.titles(page);
        for (number, (group, row)) in shown.iter().zip(&rows).enumerate() {
            grid.row(page, row);
            let next = shown.get(number + 1).map(|next| layout.why(next.first, style));
            let why = layout.why(group.first, style);
            // Consecutive rows share an equal explanation.
            if next.as_ref() != Some(&why) {
                for line in why {
                    page.paragraph(TextStyle::Dim, grid.offset(1), line, 3);
                }
            }
        }
        page.end();
    }
    if !hidden.is_empty() {
        let rest = format::tally(hidden.iter().map(|group| (group.first.verdict, group.count)));
        let rows = count(hidden.len() as u64, "row");
        page.paragraph(
            TextStyle::Bold,
            0,
            format!("and {rows} more, for {rest}; use --verbose or --format json for all"),
            usize::MAX,
        );
        page.end();
    }
    if !style.show_all {
        fresh(page, report);
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

    fn row(&self, group: &FindingGroup<'_>) -> Vec<GridCell> {
        let finding = group.first;
        let is_exempted = finding.exemption.is_some();
        let paint = if is_exempted { TextStyle::Dim } else { TextStyle::Severity(finding.severity) };
        let base = finding.base.as_ref().map_or_else(|| format::NOTHING.to_owned(), format::base_in_use);
        let mut cells = vec![GridCell::new(paint, finding.verdict.as_str())];
        if self.is_wide {
            cells.push(GridCell::new(paint, finding.severity.as_str()));
        }
        cells.push(self.deployment(group));
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

    fn deployment(&self, group: &FindingGroup<'_>) -> GridCell {
        let others = if group.count > 1 { format!(" and {} more", group.count - 1) } else { String::new() };
        let suffix = self.names.qualifier(group.first) + &others;
        GridCell::new(TextStyle::Plain, format::deployment_name(&group.first.deployment)).with_suffix(suffix)
    }

    /// The lines under a row: values without a column, and the reasons of the verdict.
    fn why(&self, finding: &Finding, style: &RenderOptions) -> Vec<Sanitized> {
        let owner = finding.deployment.owner.as_deref().map(|owner| format!("{owner}, ")).unwrap_or_default();
        let lead = if self.is_wide { String::new() } else { format!("{}, {owner}", finding.severity) };
        let most = if style.show_all { usize::MAX } else { 1 };
        let base = finding.base.as_ref().map(format::base_in_use).filter(|_| !self.is_wide);
        let chain = finding.base.as_ref().and_then(format::chain).map(|chain| format!("built on {chain}"));
        let reasons = finding.reasons.iter().take(most).enumerate().map(|(number, reason)| {
            let lead = if number == 0 { lead.as_str() } else { "" };
            format!("{lead}{}: {}", reason.code, reason.message)
        });
        let rule = finding.policy_rule.as_ref().map(|rule| format!("policy {rule}"));
        let exempted = finding.exemption.as_ref().map(format::exempted);
        base.into_iter().chain(chain).chain(reasons).chain(rule).chain(exempted).map(Sanitized::from).collect()
    }
}

/// One line for all fresh deployments.
fn fresh(page: &mut TextPage, report: &Report) {
    let fresh: Vec<_> = report.findings.iter().filter(|finding| finding.needs_no_action()).collect();
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
    page.put(TextStyle::Severity(Severity::None), Verdict::Fresh.as_str());
    page.skip("out-of-date  ".len() - "fresh".len());
    page.line(TextStyle::Plain, Sanitized::from(text).shortened(page.room("out-of-date  ".len())));
    page.end();
}

fn errors(page: &mut TextPage, report: &Report, style: &RenderOptions) {
    if report.errors.is_empty() {
        return;
    }
    let title = format!("{}: parts of the inventory could not be audited", count(report.errors.len() as u64, "error"));
    page.line(TextStyle::Bold, title);
    let most = if style.show_all { usize::MAX } else { MOST_ERRORS };
    for error in report.errors.iter().take(most) {
        page.paragraph(TextStyle::Plain, 2, format!("{}: {}: {}", error.scope, error.code, error.message), 3);
    }
    if let Some(more @ 1..) = report.errors.len().checked_sub(most) {
        page.line(TextStyle::Plain, format!("  and {more} more"));
    }
    page.end();
}

fn totals(page: &mut TextPage, report: &Report, style: &RenderOptions) {
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
        page.entry(
            INDENT,
            "base age",
            format!("median {} d, 90th percentile {} d, maximum {} d", ages.p50, ages.p90, ages.max),
        );
    }
    if report.findings.iter().any(|finding| !finding.needs_no_action()) {
        let policy = &report.policy;
        let text = format!("stale over {} d, out-of-date after {} d behind", policy.max_age_days, policy.grace_days);
        page.entry(INDENT, "policy", text);
    }
    if let Some(owners) = owners(report) {
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

/// The owners with the most findings: `payments 3 stale, 1 out-of-date; platform 1 stale`.
fn owners(report: &Report) -> Option<String> {
    let bad = |(verdict, _): &(&Verdict, &u64)| **verdict != Verdict::Fresh;
    let mut owners: Vec<_> = report
        .summary
        .by_owner
        .iter()
        .map(|(owner, counts)| (owner, counts.iter().filter(bad).map(|(verdict, number)| (*verdict, *number))))
        .map(|(owner, counts)| (owner, counts.clone().map(|(_, number)| number).sum::<u64>(), format::tally(counts)))
        .filter(|(_, number, _)| *number > 0)
        .collect();
    owners.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let rest = owners.split_off(owners.len().min(MOST_OWNERS));
    let mut parts: Vec<_> = owners.into_iter().map(|(owner, _, tally)| format!("{owner} {tally}")).collect();
    if !rest.is_empty() {
        parts.push(format!("and {} more", rest.len()));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
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
