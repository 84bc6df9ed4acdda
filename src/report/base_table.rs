//! Renders the output of `basewatch base` for a terminal.

use chrono::NaiveDate;

use super::{
    BaseReport, HoldFields, PlatformBase, RenderOptions, RuntimeFields, format,
    grid::{Grid, GridCell, GridColumn},
    style::{TextPage, TextStyle},
};
use crate::{image::DigestKind, judge::Severity};

/// The indentation of values, small enough for a digest to fit into 80 columns.
const INDENT: usize = 9;

/// Renders a base. Digests are not shortened, so that they can be copied.
#[must_use]
pub fn render(base: &BaseReport, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    page.evidence(TextStyle::Bold, 0, format!("{}, as of {}", base.reference, format::instant(base.generated_at)));
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
        page.line(TextStyle::Bold, platform.platform.to_string());
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
    let age = format::age(platform.age_days, Some(source));
    let age = if age == format::NOTHING { age } else { format!("{age} old") };
    format!("{name}, {} {} ({}), {age}", format::dated(source), format::instant(at), source.as_str())
}

fn history(page: &mut TextPage, base: &BaseReport) {
    const COLUMNS: &[GridColumn] = &[
        GridColumn { title: "RELEASE", least: Some(20) },
        GridColumn { title: "PUBLISHED (UTC)", least: None },
        GridColumn { title: "ARCHITECTURES", least: Some(13) },
        GridColumn { title: "DIGEST", least: None },
        GridColumn { title: "", least: None },
    ];
    let Some(history) = &base.history else { return };
    page.end();
    let rows: Vec<_> = history
        .iter()
        .map(|release| {
            let architectures = release.architectures.join(", ");
            let architectures = if architectures.is_empty() { format::NOTHING.to_owned() } else { architectures };
            let digest = release.digest.as_ref().map_or_else(|| format::NOTHING.to_owned(), format::short_digest);
            vec![
                GridCell::new(TextStyle::Plain, release.release.as_str()),
                GridCell::new(TextStyle::Plain, release.published_at.format("%Y-%m-%d %H:%M").to_string()),
                GridCell::new(TextStyle::Plain, architectures),
                GridCell::new(TextStyle::Plain, digest),
                match (&release.hold, release.current) {
                    (Some(_), _) => GridCell::new(TextStyle::Severity(Severity::Medium), "held"),
                    (None, true) => GridCell::new(TextStyle::Severity(Severity::None), "current"),
                    (None, false) => GridCell::new(TextStyle::Plain, ""),
                },
            ]
        })
        .collect();
    if rows.is_empty() {
        page.line(TextStyle::Plain, "no dated releases found");
    } else {
        let grid = Grid::fit(COLUMNS, &rows, page);
        grid.titles(page);
        for (release, row) in history.iter().zip(&rows) {
            grid.row(page, row);
            if let Some(HoldFields { until, .. }) = &release.hold {
                page.evidence(TextStyle::Dim, grid.offset(1), format!("held until {until}"));
            }
        }
    }
    if base.history_complete == Some(false) {
        page.evidence(TextStyle::Dim, 0, "incomplete: the tag list was too long or could not be read completely");
    }
}
