//! Renders a report as GitHub Flavored Markdown, for job summaries and pull request comments.
//!
//! The output fits into a comment; omitted parts are counted.

mod advice;
mod text;

use super::{
    Finding, Report,
    format::{self, count},
    group::{DeploymentNames, FindingGroup, groups},
};
use crate::judge::{Action, Verdict};
use text::{TextPosition, code, prose};

/// A GitHub comment is limited to 65,536 characters, including a heading that a workflow may add. The limit of a job
/// summary is 1 MiB (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).
const MOST_BYTES: usize = 60_000;

/// Maximum number of rows; the others are counted.
const MOST_ROWS: usize = 100;

/// Maximum number of items of each list below the table, and its maximum size in bytes.
const MOST_ITEMS: usize = 20;
const MOST_LIST_BYTES: usize = 8_000;

/// Maximum width of a name and of a message, in columns.
const NAME: usize = 100;
const MESSAGE: usize = 300;

/// Renders the report.
#[must_use]
pub fn render(report: &Report) -> String {
    let head = head(report);
    let tail = [advice::render(report), errors(report), notes(report), foot(report)].concat();
    let table = table(report, MOST_BYTES.saturating_sub(head.len() + tail.len()));
    [head, table, tail].concat()
}

fn head(report: &Report) -> String {
    let summary = &report.summary;
    let bad = summary.by_verdict.iter().filter(|(verdict, _)| **verdict != Verdict::Fresh);
    let bad = format::tally(bad.map(|(verdict, number)| (*verdict, *number)));
    let to_do = report.findings.iter().filter(|finding| !finding.needs_no_action()).count() as u64;
    let most_unknown = report.most_unknown();
    let what = match (summary.deployments, bad.as_str()) {
        _ if most_unknown.is_some() => format!("most of the fleet is unknown ({bad})"),
        (0, _) => "no deployments to audit".to_owned(),
        (_, "") if to_do > 0 => format!("{} with required actions", count(to_do, "deployment")),
        (_, "") if report.complete => "all deployments are fresh".to_owned(),
        (_, "") => "no outdated bases found".to_owned(),
        (_, bad) => bad.to_owned(),
    };
    let (title, lack) = if report.complete {
        ("", "")
    } else {
        (" (incomplete)", "**Incomplete:** parts of the inventory could not be audited.\n\n")
    };
    let audited = format!(
        "{} of {} on {}, as of {}.",
        count(summary.deployments, "deployment"),
        count(summary.images, "image"),
        count(summary.bases, "base"),
        format::instant(report.generated_at),
    );
    let exempted = match summary.exempted {
        0 => String::new(),
        number => format!(" {} exempted.", if number == 1 { "1 is".to_owned() } else { format!("{number} are") }),
    };
    let unknown = most_unknown.map_or_else(String::new, |note| {
        let message = prose(&note.message, TextPosition::Line, 2 * MESSAGE);
        format!("**{}:** {message}\n\n", format::MOST_UNKNOWN)
    });
    format!("## basewatch: {what}{title}\n\n{unknown}{audited}{exempted}\n\n{lack}")
}

/// Renders the findings that require attention, in at most `room` bytes.
fn table(report: &Report, room: usize) -> String {
    let noteworthy = report.findings.iter().filter(|finding| !finding.needs_no_action());
    // Exempted findings come last.
    let (exempted, open): (Vec<_>, Vec<_>) = noteworthy.partition(|finding| finding.exemption.is_some());
    let groups = groups(open.into_iter().chain(exempted));
    if groups.is_empty() {
        return String::new();
    }
    let columns = MarkdownColumns {
        names: DeploymentNames::new(&report.findings),
        has_owners: !report.summary.by_owner.is_empty(),
    };
    let mut text = columns.titles();
    // Reserve space for the line that counts omitted rows.
    let room = room.saturating_sub(text.len() + 200);
    let (rows, shown) = within(groups.iter().map(|group| columns.row(group)), MOST_ROWS, room);
    text.push_str(&rows);
    text.push('\n');
    let hidden = groups.get(shown..).unwrap_or_default();
    if !hidden.is_empty() {
        let rest = format::tally(hidden.iter().map(|group| (group.first.verdict, group.count())));
        let rows = count(hidden.len() as u64, "row");
        text += "**And ";
        text += &rows;
        text += " more, for ";
        text += &rest;
        text += "**; see the json or csv format for all.\n\n";
    }
    text
}

/// The first `lines` that fit into `most` lines and `room` bytes, and their number.
fn within(lines: impl Iterator<Item = String>, most: usize, room: usize) -> (String, usize) {
    let mut text = String::new();
    let mut shown = 0;
    for line in lines.take(most) {
        if text.len() + line.len() > room {
            break;
        }
        text.push_str(&line);
        shown += 1;
    }
    (text, shown)
}

/// A list with a heading, which counts omitted items; empty without items.
fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let (lines, shown) = within(items.iter().map(|item| format!("- {item}\n")), MOST_ITEMS, MOST_LIST_BYTES);
    let more = match items.len() - shown {
        0 => String::new(),
        more => format!("- and {more} more\n"),
    };
    format!("### {title}\n\n{lines}{more}\n")
}

/// The columns of the table.
struct MarkdownColumns<'a> {
    names: DeploymentNames<'a>,
    has_owners: bool,
}

impl MarkdownColumns<'_> {
    fn titles(&self) -> String {
        let owner = if self.has_owners { ("| owner ", "|---") } else { ("", "") };
        format!(
            "| verdict | severity | deployment {}| base | age | behind | action | why |\n\
             |---|---|---{}|---|--:|---|---|---|\n",
            owner.0, owner.1,
        )
    }

    fn row(&self, group: &FindingGroup<'_>) -> String {
        let finding = group.first;
        let verdict = match finding.exemption {
            Some(_) => finding.verdict.as_str().to_owned(),
            None => format!("**{}**", finding.verdict),
        };
        let mut cells = vec![verdict, finding.severity.as_str().to_owned(), self.deployment(group)];
        if self.has_owners {
            cells.push(maybe(finding.deployment.owner.as_deref()));
        }
        let action = match finding.action {
            Action::None => format::NOTHING,
            action => action.as_str(),
        };
        cells.extend([
            maybe(finding.base.as_ref().map(format::base_in_use).as_deref()),
            prose(&format::base_age(finding), TextPosition::Cell, NAME),
            prose(&format::distance(finding.behind.as_ref()), TextPosition::Cell, NAME),
            action.to_owned(),
            why(finding),
        ]);
        format!("| {} |\n", cells.join(" | "))
    }

    fn deployment(&self, group: &FindingGroup<'_>) -> String {
        let name = code(&format::deployment_name(&group.first.deployment), TextPosition::Cell, NAME);
        let lacking = prose(&self.names.qualifier(group.first), TextPosition::Cell, NAME);
        let others = if group.count() > 1 { format!("and {} more", group.count() - 1) } else { String::new() };
        let parts = [name, lacking, others].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" ")
    }
}

fn maybe(text: Option<&str>) -> String {
    code(text.unwrap_or_default(), TextPosition::Cell, NAME)
}

/// The first reason with its message, the codes of the others, the base chain, the policy rule and the exemption.
fn why(finding: &Finding) -> String {
    let mut reasons = finding.reasons.iter();
    let first = reasons.next().map(|reason| {
        let message = prose(&reason.message, TextPosition::Cell, MESSAGE);
        format!("{}: {message}", code(&reason.code, TextPosition::Cell, NAME))
    });
    let others: Vec<_> = reasons.take(MOST_ITEMS).map(|reason| code(&reason.code, TextPosition::Cell, NAME)).collect();
    let others = (!others.is_empty()).then(|| format!("also {}", others.join(", ")));
    let chain = finding.base.as_ref().and_then(format::chain);
    let chain = chain.map(|chain| format!("the base is built on {}", code(&chain, TextPosition::Cell, MESSAGE)));
    let rule = finding.policy_rule.as_deref().map(|rule| format!("policy {}", code(rule, TextPosition::Cell, NAME)));
    let exempted =
        finding.exemption.as_ref().map(|exemption| prose(&format::exempted(exemption), TextPosition::Cell, MESSAGE));
    [first, others, chain, rule, exempted].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn errors(report: &Report) -> String {
    let item = |error: &super::ErrorEntry| {
        let scope = prose(&error.scope, TextPosition::Line, NAME);
        let code = code(&error.code, TextPosition::Line, NAME);
        format!("{scope}, {code}: {}", prose(&error.message, TextPosition::Line, MESSAGE))
    };
    let items: Vec<_> = report.errors.iter().map(item).collect();
    list("Errors", &items)
}

fn notes(report: &Report) -> String {
    // Unused exemptions and holds do not affect the findings.
    let notes = report.other_notes().filter(|note| !note.is_about_unused());
    let items: Vec<_> = notes.map(|note| prose(&note.message, TextPosition::Line, MESSAGE)).collect();
    list("Notes", &items)
}

fn foot(report: &Report) -> String {
    let policy = &report.policy;
    let ages = report.summary.base_age_days;
    let ages = ages.map_or_else(String::new, |ages| format!("Base age: {ages}. "));
    let run = code(&report.run_id, TextPosition::Line, NAME);
    format!(
        "{ages}Bases over {} d old are stale; deployments over {} d behind are out-of-date. Run {run}.\n",
        policy.max_age_days, policy.grace_days,
    )
}
