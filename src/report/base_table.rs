//! Renders the output of `basewatch base` for a terminal.

use chrono::NaiveDate;

use super::{
    BaseReport, HoldFields, PlatformBase, RuntimeFields, Style,
    grid::{Cell, Column, Grid},
    style::{Page, Paint},
    words,
};
use crate::{image::DigestKind, judge::Severity};

/// The indentation of values, small enough for a digest to fit into 80 columns.
const INDENT: usize = 9;

/// Renders a base. Digests are not shortened, so that they can be copied.
#[must_use]
pub fn render(base: &BaseReport, style: &Style) -> String {
    let mut page = Page::new(style);
    page.evidence(Paint::Bold, 0, format!("{}, as of {}", base.reference, words::instant(base.generated_at)));
    page.end();
    page.entry(INDENT, "digest", base.digest.as_str());
    page.entry(
        INDENT,
        "kind",
        match base.digest_kind {
            DigestKind::Index => "index of all platforms",
            DigestKind::Manifest => "manifest of one platform",
            DigestKind::Config => "image configuration of one platform",
        },
    );
    page.entry(
        INDENT,
        "line",
        match (&base.line, &base.line_source) {
            (Some(line), Some(source)) => format!("{line} ({source})"),
            (Some(line), None) => line.clone(),
            (None, _) => "unknown".to_owned(),
        },
    );
    if let Some(HoldFields { reason, until }) = &base.hold {
        page.entry(
            INDENT,
            "hold",
            format!("the release that {} points at is held until {until}: {reason}", base.reference),
        );
    }
    if let Some(runtime) = &base.runtime {
        page.entry(INDENT, "runtime", support(runtime));
    }
    for platform in &base.platforms {
        page.end();
        page.line(Paint::Bold, platform.platform.to_string());
        page.entry(INDENT, "digest", platform.digest.as_str());
        page.entry(INDENT, "release", release(platform));
    }
    history(&mut page, base);
    page.into_text()
}

fn support(runtime: &RuntimeFields) -> String {
    let day = |what: &str, day: Option<NaiveDate>| day.map(|day| format!(", {what} {day}")).unwrap_or_default();
    let deprecated = day("deprecated from", runtime.deprecation_date);
    let blocked = day("no updates from", runtime.block_update_date);
    format!("{}: {}{deprecated}{blocked}", runtime.name, runtime.status)
}

fn release(platform: &PlatformBase) -> String {
    let name = platform.release.as_deref().unwrap_or("no dated tag");
    let (Some(at), Some(source)) = (platform.published_at, platform.published_source) else {
        return format!("{name}, publish date unknown");
    };
    let age = words::age(platform.age_days, Some(source));
    let age = if age == words::NOTHING { age } else { format!("{age} old") };
    format!("{name}, {} {} ({}), {age}", words::dated(source), words::instant(at), source.as_str())
}

fn history(page: &mut Page, base: &BaseReport) {
    const COLUMNS: &[Column] = &[
        Column { title: "RELEASE", least: Some(20) },
        Column { title: "PUBLISHED", least: None },
        Column { title: "ARCHITECTURES", least: Some(13) },
        Column { title: "DIGEST", least: None },
        Column { title: "", least: None },
    ];
    let Some(history) = &base.history else { return };
    page.end();
    let rows: Vec<_> = history
        .iter()
        .map(|release| {
            let architectures = release.architectures.join(", ");
            let architectures = if architectures.is_empty() { words::NOTHING.to_owned() } else { architectures };
            let digest = release.digest.as_ref().map_or_else(|| words::NOTHING.to_owned(), words::short_digest);
            vec![
                Cell::new(Paint::Plain, release.release.as_str()),
                Cell::new(Paint::Plain, words::instant(release.published_at)),
                Cell::new(Paint::Plain, architectures),
                Cell::new(Paint::Plain, digest),
                match (&release.hold, release.current) {
                    (Some(HoldFields { until, .. }), _) => {
                        Cell::new(Paint::Severity(Severity::Medium), format!("held until {until}"))
                    }
                    (None, true) => Cell::new(Paint::Severity(Severity::None), "current"),
                    (None, false) => Cell::new(Paint::Plain, ""),
                },
            ]
        })
        .collect();
    if rows.is_empty() {
        page.line(Paint::Plain, "no dated releases found");
    } else {
        let grid = Grid::fit(COLUMNS, &rows, page.width());
        grid.titles(page);
        for row in &rows {
            grid.row(page, row);
        }
    }
    if base.history_complete == Some(false) {
        page.line(Paint::Dim, "incomplete: the tag list was too long or could not be read completely");
    }
}
