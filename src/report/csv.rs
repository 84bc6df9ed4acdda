//! Renders a report as CSV (RFC 4180, UTF-8): a header, then one row per finding.
//!
//! The columns are a contract, documented in `docs/formats.md`. New columns are added at the end.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use csv::{Terminator, WriterBuilder};

use super::{Finding, Report, sanitize};
use crate::resolve::PublishDateSource;

/// The data of a row.
#[derive(Clone, Copy)]
struct CsvRow<'a> {
    report: &'a Report,
    finding: &'a Finding,
}

/// A column: its title and the value for a row.
type CsvColumn = (&'static str, for<'a> fn(CsvRow<'a>) -> CsvCell<'a>);

/// The value of a cell.
enum CsvCell<'a> {
    /// No value.
    Empty,
    /// Untrusted text, which is sanitized.
    Text(Cow<'a, str>),
    /// Trusted text: keywords, numbers and dates.
    Trusted(Cow<'a, str>),
}

/// The columns, in order.
const COLUMNS: &[CsvColumn] = &[
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
    ("base_published_source", |row| row.base(|base| word(base.published_source.map(PublishDateSource::as_str)))),
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
    ("replacement", |row| row.finding.replacement.as_ref().map_or(CsvCell::Empty, |image| text(&image.reference))),
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

/// Renders all findings of a report.
#[must_use]
pub fn render(report: &Report) -> String {
    render_findings(report, &report.findings)
}

/// Renders `findings` of `report`, in the given order.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "writing to memory cannot fail")]
pub fn render_findings<'a>(report: &'a Report, findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(titles()).expect("writing to memory cannot fail");
    for finding in findings {
        let row = CsvRow { report, finding };
        for (_, cell) in COLUMNS {
            writer.write_field(cell(row).shown().as_bytes()).expect("writing to memory cannot fail");
        }
        writer.write_record(None::<&[u8]>).expect("every row has all columns");
    }
    let bytes = writer.into_inner().expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("all cells are UTF-8")
}

/// The column titles, in order.
pub fn titles() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(title, _)| *title)
}

/// Sanitizes `text` and neutralizes formulas.
///
/// A formula starts with `=`, `+`, `-` or `@`, also after blanks and in full-width forms. Depending on the locale,
/// spreadsheets also split at semicolons, so that a formula may follow any separator. A leading apostrophe makes it
/// text (<https://owasp.org/www-community/attacks/CSV_Injection>).
#[must_use]
pub fn cell(text: &str) -> String {
    let visible = sanitize(text);
    let mut shown = String::with_capacity(visible.len());
    let mut is_start = true;
    for character in visible.chars() {
        if is_start && is_formula(character) {
            shown.push('\'');
        }
        is_start = match character {
            ',' | ';' | '|' => true,
            // Spreadsheets may ignore these before a formula.
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

impl CsvCell<'_> {
    fn shown(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => cell(&text),
            Self::Trusted(text) => text.into_owned(),
        }
    }
}

impl<'a> CsvRow<'a> {
    fn base(self, cell: impl FnOnce(&'a super::BaseInUse) -> CsvCell<'a>) -> CsvCell<'a> {
        self.finding.base.as_ref().map_or(CsvCell::Empty, cell)
    }

    fn current(self, cell: impl FnOnce(&'a super::CurrentRelease) -> CsvCell<'a>) -> CsvCell<'a> {
        self.finding.current.as_ref().map_or(CsvCell::Empty, cell)
    }

    fn behind(self, cell: impl FnOnce(&'a super::Behind) -> CsvCell<'a>) -> CsvCell<'a> {
        self.finding.behind.as_ref().map_or(CsvCell::Empty, cell)
    }

    fn runtime(self, cell: impl FnOnce(&'a super::RuntimeFields) -> CsvCell<'a>) -> CsvCell<'a> {
        self.finding.runtime.as_ref().map_or(CsvCell::Empty, cell)
    }

    fn exemption(self, cell: impl FnOnce(&'a super::ExemptionFields) -> CsvCell<'a>) -> CsvCell<'a> {
        self.finding.exemption.as_ref().map_or(CsvCell::Empty, cell)
    }

    fn reasons(self, separator: &str, part: impl Fn(&super::ReasonFields) -> &String) -> CsvCell<'a> {
        // Each part is truncated separately.
        let parts: Vec<_> = self.finding.reasons.iter().map(|reason| cell(part(reason))).collect();
        CsvCell::Trusted(parts.join(separator).into())
    }
}

fn own<'a>(text: impl Into<Cow<'a, str>>) -> CsvCell<'a> {
    CsvCell::Trusted(text.into())
}

fn text(text: &str) -> CsvCell<'_> {
    CsvCell::Text(text.into())
}

fn maybe(value: Option<&str>) -> CsvCell<'_> {
    value.map_or(CsvCell::Empty, text)
}

/// Joins values without blanks by blanks.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> CsvCell<'static> {
    let texts = texts.collect::<Vec<_>>().join(" ");
    if texts.is_empty() { CsvCell::Empty } else { CsvCell::Text(texts.into()) }
}

fn word(value: Option<&'static str>) -> CsvCell<'static> {
    value.map_or(CsvCell::Empty, own)
}

/// A parsed value. Sanitized anyway, because its grammar may change.
fn shown<'a>(value: Option<&impl ToString>) -> CsvCell<'a> {
    value.map_or(CsvCell::Empty, |value| CsvCell::Text(value.to_string().into()))
}

fn number<'a>(value: Option<impl ToString>) -> CsvCell<'a> {
    value.map_or(CsvCell::Empty, |value| own(value.to_string()))
}

fn yes_or_no<'a>(value: bool) -> CsvCell<'a> {
    own(if value { "true" } else { "false" })
}

/// Formats a time as RFC 3339.
fn instant<'a>(at: Option<DateTime<Utc>>) -> CsvCell<'a> {
    at.map_or(CsvCell::Empty, |at| own(at.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_never_formulas() {
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
            assert_eq!(cell(expected), expected, "sanitizing is idempotent");
        }
    }

    #[test]
    fn titles_are_unique_snake_case() {
        let mut seen = std::collections::BTreeSet::new();
        for title in titles() {
            assert!(title.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{title}");
            assert!(seen.insert(title), "{title}");
        }
    }
}
