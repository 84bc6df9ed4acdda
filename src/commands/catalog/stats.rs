//! `catalog stats`: statistics of a release catalog.

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    app::{
        Console, ExitStatus, catalogs,
        output::print,
        releases::{read_signed, stored_catalog, stored_key},
    },
    cli::{CatalogStatsArgs, OutputFormat},
    config::Settings,
    release_catalog::{LineSummary, ReleaseCatalog},
    report::{
        RenderOptions,
        grid::{Grid, GridCell, GridColumn},
        json,
        style::{TextPage, TextStyle},
    },
    store::Catalog,
};

/// The value of `schema` in the JSON output.
const SCHEMA: &str = "basewatch.release-stats/v1";

const COLUMNS: [GridColumn; 4] = [
    GridColumn { title: "LINE", least: Some(16) },
    GridColumn { title: "PLATFORM RELEASES", least: None },
    GridColumn { title: "FIRST", least: None },
    GridColumn { title: "LAST", least: None },
];

/// Statistics of a release catalog.
#[derive(Debug, Serialize)]
struct CatalogStats {
    /// Always `basewatch.release-stats/v1`.
    schema: &'static str,
    /// When the file was built; absent for the local catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    built_at: Option<DateTime<Utc>>,
    /// The file size.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    /// The number of releases, counting each platform.
    platform_releases: usize,
    /// The number of releases with known `diff_ids`.
    with_diff_ids: usize,
    lines: Vec<LineSummary>,
}

/// Prints the statistics of a file or of the local catalog.
///
/// # Errors
///
/// When the file cannot be read.
pub(super) fn run(settings: &Settings, args: &CatalogStatsArgs, console: Console) -> Result<ExitStatus> {
    let (catalog, bytes) = match &args.file {
        Some(file) => {
            let bytes = read_signed(file)?.bytes;
            let catalog = ReleaseCatalog::decode(&bytes).with_context(|| format!("cannot read {}", file.display()))?;
            (catalog, Some(bytes.len()))
        }
        None => (known(&catalogs(settings), Utc::now()), None),
    };
    print(&render(&catalog, bytes, args.format, &console.style()))?;
    Ok(ExitStatus::Clean)
}

/// All releases in `catalogs`: those that audits and runs have read, and those of the loaded release catalog.
pub(super) fn known(catalogs: &[Catalog], now: DateTime<Utc>) -> ReleaseCatalog {
    let mut known = ReleaseCatalog::new(now);
    for catalog in catalogs {
        if let Some(accepted) = stored_key(catalog).and_then(|key| stored_catalog(catalog, &key)) {
            known.merge(accepted.catalog);
        }
        for repository in catalog.repositories() {
            for release in catalog
                .read_repository(&repository, |open_store| open_store.releases.values().cloned().collect::<Vec<_>>())
            {
                known.insert(&repository, (*release).clone());
            }
        }
    }
    known
}

/// Renders the statistics of `catalog`; `bytes` is its file size.
pub(super) fn render(
    catalog: &ReleaseCatalog,
    bytes: Option<usize>,
    format: OutputFormat,
    style: &RenderOptions,
) -> String {
    let stats = CatalogStats {
        schema: SCHEMA,
        built_at: bytes.map(|_| catalog.built_at()),
        bytes,
        platform_releases: catalog.release_count(),
        with_diff_ids: catalog.iter().filter(|(_, release)| release.diff_ids.is_some()).count(),
        lines: catalog.lines(),
    };
    match format {
        OutputFormat::Json => json::render(&stats),
        OutputFormat::Table => table(&stats, style),
    }
}

fn table(stats: &CatalogStats, style: &RenderOptions) -> String {
    let mut page = TextPage::new(style);
    let day = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d").to_string());
    let row = |line: &LineSummary| {
        let cells = [line.line.clone(), line.platform_releases.to_string(), day(line.first_at), day(line.last_at)];
        cells.map(|text| GridCell::new(TextStyle::Plain, text)).to_vec()
    };
    let rows: Vec<_> = stats.lines.iter().map(row).collect();
    let grid = Grid::fit(&COLUMNS, &rows, &page);
    grid.titles(&mut page);
    for row in &rows {
        grid.row(&mut page, row);
    }
    page.end();
    let built_at = stats.built_at.map_or_else(String::new, |at| format!(", built {}", at.format("%Y-%m-%d %H:%M UTC")));
    let bytes = stats.bytes.map_or_else(String::new, |bytes| format!(", {} KiB", bytes.div_ceil(1024)));
    let lines = stats.lines.len();
    page.evidence(
        TextStyle::Plain,
        0,
        format!("{} platform releases of {lines} lines{bytes}{built_at}", stats.platform_releases),
    );
    page.into_text()
}
