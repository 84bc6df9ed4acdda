//! How do spreadsheets and queries read a report? As CSV: a header, then one row for each finding.
//!
//! RFC 4180 in UTF-8, with CR LF after each row. The columns are a contract as the JSON is: documented in
//! `docs/formats.md`, and new ones are added at the end.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use csv::{Terminator, WriterBuilder};

use super::{Finding, Report, harmless};
use crate::resolve::PublishedSource;

/// What a row is made of.
#[derive(Clone, Copy)]
struct Row<'a> {
    report: &'a Report,
    finding: &'a Finding,
}

/// A column: its title, and what it shows of a finding.
type Column = (&'static str, for<'a> fn(Row<'a>) -> Cell<'a>);

/// What stands in a cell.
enum Cell<'a> {
    /// Nothing is known, or there is nothing.
    Empty,
    /// Text that may be from outside.
    Text(Cow<'a, str>),
    /// A word, a number or a date of our own making.
    Own(Cow<'a, str>),
}

/// The columns, in order.
const COLUMNS: &[Column] = &[
    ("id", |row| text(&row.finding.id)),
    ("verdict", |row| own(row.finding.verdict.as_str())),
    ("severity", |row| own(row.finding.severity.as_str())),
    ("action", |row| own(row.finding.action.as_str())),
    ("owner", |row| maybe(row.finding.deployment.owner.as_deref())),
    ("kind", |row| own(row.finding.deployment.kind.as_str())),
    ("name", |row| text(&row.finding.deployment.name)),
    ("qualifier", |row| maybe(row.finding.deployment.qualifier.as_deref())),
    ("version", |row| maybe(row.finding.deployment.version.as_deref())),
    ("account", |row| maybe(row.finding.deployment.account.as_deref())),
    ("region", |row| maybe(row.finding.deployment.region.as_deref())),
    ("arn", |row| maybe(row.finding.deployment.arn.as_deref())),
    ("state", |row| maybe(row.finding.deployment.state.as_deref())),
    ("image", |row| text(&row.finding.image.reference)),
    ("image_digest", |row| shown(row.finding.image.digest.as_ref())),
    ("platform", |row| shown(row.finding.image.platform.as_ref())),
    ("image_created_at", |row| instant(row.finding.image.created_at)),
    ("image_pushed_at", |row| instant(row.finding.image.pushed_at)),
    ("image_holding", |row| maybe(row.finding.image.holding.as_deref())),
    ("base", |row| row.base(|base| text(&base.reference))),
    ("base_digest", |row| row.base(|base| shown(base.digest.as_ref()))),
    ("base_line", |row| row.base(|base| maybe(base.line.as_deref()))),
    ("base_release", |row| row.base(|base| maybe(base.release.as_deref()))),
    ("base_published_at", |row| row.base(|base| instant(base.published_at))),
    ("base_published_source", |row| row.base(|base| word(base.published_source.map(PublishedSource::as_str)))),
    ("base_age_days", |row| row.base(|base| number(base.age_days))),
    ("base_identified_by", |row| row.base(|base| text(&base.identified_by))),
    ("base_evidence", |row| row.base(|base| text(&base.evidence))),
    ("current_release", |row| row.current(|current| maybe(current.release.as_deref()))),
    ("current_digest", |row| row.current(|current| own(current.digest.to_string()))),
    ("current_published_at", |row| row.current(|current| instant(current.published_at))),
    ("behind_since", |row| row.behind(|behind| instant(behind.since))),
    ("behind_days", |row| row.behind(|behind| number(behind.days))),
    ("behind_releases", |row| row.behind(|behind| number(behind.releases))),
    ("behind_exact", |row| row.behind(|behind| yes_or_no(behind.exact))),
    ("runtime", |row| row.runtime(|runtime| text(&runtime.name))),
    ("runtime_status", |row| row.runtime(|runtime| text(&runtime.status))),
    ("runtime_deprecation_date", |row| row.runtime(|runtime| number(runtime.deprecation_date))),
    ("runtime_block_update_date", |row| row.runtime(|runtime| number(runtime.block_update_date))),
    ("replacement", |row| row.finding.replacement.as_ref().map_or(Cell::Empty, |image| text(&image.reference))),
    ("stale", |row| yes_or_no(row.finding.stale)),
    ("out_of_date", |row| yes_or_no(row.finding.out_of_date)),
    ("deprecated", |row| yes_or_no(row.finding.deprecated)),
    ("reason_codes", |row| row.reasons(" ", |reason| &reason.code)),
    ("reasons", |row| row.reasons("; ", |reason| &reason.message)),
    ("policy_rule", |row| maybe(row.finding.policy_rule.as_deref())),
    ("exempted_until", |row| row.exemption(|exemption| number(Some(exemption.until)))),
    ("exempted_by", |row| row.exemption(|exemption| text(&exemption.owner))),
    ("exemption_reason", |row| row.exemption(|exemption| text(&exemption.reason))),
    ("generated_at", |row| instant(Some(row.report.generated_at))),
    ("run_id", |row| text(&row.report.run_id)),
    ("report_complete", |row| yes_or_no(row.report.complete)),
    ("state_reason_code", |row| maybe(row.finding.deployment.state_reason_code.as_deref())),
    ("last_update_status", |row| maybe(row.finding.deployment.last_update_status.as_deref())),
    ("last_update_status_reason_code", |row| maybe(row.finding.deployment.last_update_status_reason_code.as_deref())),
    ("base_confidence", |row| row.base(|base| maybe(base.confidence.as_deref()))),
    ("base_equal_releases", |row| row.base(|base| joined(base.equal_releases.iter().map(String::as_str)))),
    ("base_chain", |row| row.base(|base| joined(base.chain.iter().map(|link| link.base.reference.as_str())))),
    ("base_chain_verdicts", |row| row.base(|base| joined(base.chain.iter().map(|link| link.verdict.as_str())))),
];

/// The report as CSV.
#[must_use]
pub fn render(report: &Report) -> String {
    of(report, &report.findings)
}

/// Some of the findings of `report` as CSV, in the order in which they come.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "nothing that is written to memory fails")]
pub fn of<'a>(report: &'a Report, findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(titles()).expect("memory takes everything");
    for finding in findings {
        let row = Row { report, finding };
        for (_, cell) in COLUMNS {
            writer.write_field(cell(row).shown().as_bytes()).expect("memory takes everything");
        }
        writer.write_record(None::<&[u8]>).expect("every row has as many cells as there are columns");
    }
    let bytes = writer.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("all cells are UTF-8")
}

/// The titles of the columns, in order.
pub fn titles() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(title, _)| *title)
}

/// `text` as the cell of a row: visible, and nothing that a spreadsheet would compute.
///
/// A formula begins with `=`, `+`, `-` or `@`, behind blanks too, and in East Asian widths as well; a tab or a line
/// break before it cannot come, as control characters are written as escapes. Where the list separator is a semicolon,
/// spreadsheets split at others than commas, and look for formulas behind these too. An apostrophe in front makes it
/// text (<https://owasp.org/www-community/attacks/CSV_Injection>).
#[must_use]
pub fn cell(text: &str) -> String {
    let visible = harmless(text);
    let mut shown = String::with_capacity(visible.len());
    let mut is_start = true;
    for character in visible.chars() {
        if is_start && is_formula(character) {
            shown.push('\'');
        }
        is_start = match character {
            ',' | ';' | '|' => true,
            // What a spreadsheet may take away before it looks.
            ' ' | '"' => is_start,
            _ => false,
        };
        shown.push(character);
    }
    shown
}

fn is_formula(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '﹦' | '﹢' | '﹣' | '﹫' | '−')
}

impl Cell<'_> {
    fn shown(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => cell(&text),
            Self::Own(text) => text.into_owned(),
        }
    }
}

impl<'a> Row<'a> {
    fn base(self, cell: impl FnOnce(&'a super::BaseInUse) -> Cell<'a>) -> Cell<'a> {
        self.finding.base.as_ref().map_or(Cell::Empty, cell)
    }

    fn current(self, cell: impl FnOnce(&'a super::CurrentRelease) -> Cell<'a>) -> Cell<'a> {
        self.finding.current.as_ref().map_or(Cell::Empty, cell)
    }

    fn behind(self, cell: impl FnOnce(&'a super::Behind) -> Cell<'a>) -> Cell<'a> {
        self.finding.behind.as_ref().map_or(Cell::Empty, cell)
    }

    fn runtime(self, cell: impl FnOnce(&'a super::RuntimeFields) -> Cell<'a>) -> Cell<'a> {
        self.finding.runtime.as_ref().map_or(Cell::Empty, cell)
    }

    fn exemption(self, cell: impl FnOnce(&'a super::ExemptionFields) -> Cell<'a>) -> Cell<'a> {
        self.finding.exemption.as_ref().map_or(Cell::Empty, cell)
    }

    fn reasons(self, separator: &str, part: impl Fn(&super::ReasonFields) -> &String) -> Cell<'a> {
        // Cut one by one, so that a long one does not take the others away.
        let parts: Vec<_> = self.finding.reasons.iter().map(|reason| cell(part(reason))).collect();
        Cell::Own(parts.join(separator).into())
    }
}

fn own<'a>(text: impl Into<Cow<'a, str>>) -> Cell<'a> {
    Cell::Own(text.into())
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn maybe(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Empty, text)
}

/// What has no blanks in it, with blanks between.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Cell<'static> {
    let texts = texts.collect::<Vec<_>>().join(" ");
    if texts.is_empty() { Cell::Empty } else { Cell::Text(texts.into()) }
}

fn word(value: Option<&'static str>) -> Cell<'static> {
    value.map_or(Cell::Empty, own)
}

/// What has been parsed, and so holds nothing odd; and yet its grammar is not this module's business.
fn shown<'a>(value: Option<&impl ToString>) -> Cell<'a> {
    value.map_or(Cell::Empty, |value| Cell::Text(value.to_string().into()))
}

fn number<'a>(value: Option<impl ToString>) -> Cell<'a> {
    value.map_or(Cell::Empty, |value| own(value.to_string()))
}

fn yes_or_no<'a>(value: bool) -> Cell<'a> {
    own(if value { "true" } else { "false" })
}

/// In RFC 3339, by the second.
fn instant<'a>(at: Option<DateTime<Utc>>) -> Cell<'a> {
    at.map_or(Cell::Empty, |at| own(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let table = [
            ("orders:421", "orders:421"),
            ("a=1+1", "a=1+1"),
            ("lambda/java@sha256:ab", "lambda/java@sha256:ab"),
            ("2026-11-20", "2026-11-20"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "  '=1"),
            ("\"=1", "\"'=1"),
            ("'=1", "'=1"),
            ("\t=1", "\\u{9}=1"),
            ("\r\n=1", "\\u{d}\\u{a}=1"),
            ("\u{a0}=1", "\\u{a0}=1"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠1", "'＠1"),
            ("−1", "'−1"),
            ("a;=1", "a;'=1"),
            ("a, -1", "a, '-1"),
            ("a|\"@b", "a|\"'@b"),
            ("", ""),
            (" ", " "),
        ];
        for (text, expected) in table {
            assert_eq!(cell(text), expected, "{text:?}");
            assert_eq!(cell(expected), expected, "twice is once");
        }
    }

    #[test]
    fn titles_are_words_and_each_is_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for title in titles() {
            assert!(title.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{title}");
            assert!(seen.insert(title), "{title}");
        }
    }
}
