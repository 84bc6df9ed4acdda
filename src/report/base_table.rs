//! How does a person read what a base is now? The answer of `basewatch base` for a terminal.

use super::{
    BaseReport, Style,
    grid::{Cell, Column, Grid},
    style::{Page, Paint},
    words,
};
use crate::{image::DigestKind, judge::Severity};

/// The base for a terminal. Digests are whole: this is what they are copied from.
#[must_use]
pub fn render(base: &BaseReport, style: &Style) -> String {
    let mut page = Page::new(style);
    let title = format!("{}, as of {}", base.reference, words::instant(base.generated_at));
    page.paragraph(Paint::Bold, 0, title, usize::MAX);
    page.end();
    let kind = match base.digest_kind {
        DigestKind::Index => "an index of all platforms",
        DigestKind::Manifest => "the manifest of one platform",
    };
    page.entry("digest", format!("{}, {kind}", base.digest));
    page.entry(
        "line",
        match (&base.line, &base.line_source) {
            (Some(line), Some(source)) => format!("{line} ({source})"),
            (Some(line), None) => line.clone(),
            (None, _) => "unknown".to_owned(),
        },
    );
    if let Some(runtime) = &base.runtime {
        let day = |what: &str, day: Option<chrono::NaiveDate>| {
            day.map(|day| format!(", {what} {}", day.format("%Y-%m-%d"))).unwrap_or_default()
        };
        let deprecated = day("deprecated from", runtime.deprecation_date);
        let blocked = day("updates blocked from", runtime.block_update_date);
        page.entry("runtime", format!("{}: {}{deprecated}{blocked}", runtime.name, runtime.status));
    }
    platforms(&mut page, base);
    history(&mut page, base);
    page.into_text()
}

fn platforms(page: &mut Page, base: &BaseReport) {
    for platform in &base.platforms {
        page.end();
        page.line(Paint::Bold, platform.platform.to_string());
        page.entry("digest", platform.digest.as_str());
        page.entry("release", platform.release.as_deref().unwrap_or("not known"));
        let age = words::age(platform.age_days, platform.published_at, platform.published_source);
        let published = match (platform.published_at, platform.published_source) {
            (Some(at), Some(source)) => format!("{} ({}), age {age}", words::instant(at), source.as_str()),
            (Some(at), None) => format!("{}, age {age}", words::instant(at)),
            (None, _) => "not known".to_owned(),
        };
        page.entry("published", published);
    }
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
                Cell::new(Paint::Severity(Severity::None), if release.current { "current" } else { "" }),
            ]
        })
        .collect();
    if rows.is_empty() {
        page.line(Paint::Plain, "no dated release is known");
    } else {
        let grid = Grid::fit(COLUMNS, &rows, page.width());
        grid.titles(page);
        for row in &rows {
            grid.row(page, row);
        }
    }
    if base.history_complete == Some(false) {
        page.line(Paint::Dim, "not all: the tag list was too long, or could not be read to its end");
    }
}
