//! `basewatch convert`: a saved report in another format.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

use crate::{
    app::{
        Console, ExitStatus,
        output::{self, ReportSink},
        read_input, report_named,
    },
    aws::Aws,
    cli::ConvertArgs,
    http::RequestCounter,
    report::{Report, SCHEMA},
    store::{self, StoreLocation},
};

/// The largest report that is read, in bytes, after decompression. A finding has about 3 KiB.
const MOST_BYTES: u64 = 1 << 30;
/// The folder of reports in a store.
const REPORTS: &str = "/reports/";

/// Reads a report and writes it in other formats.
///
/// # Errors
///
/// When it cannot be read, is no report of this version, or cannot be written.
pub async fn run(args: &ConvertArgs, console: Console) -> Result<ExitStatus> {
    let sinks = ReportSink::open(&args.output, args.format)?;
    let report = read(&args.report).await?;
    output::write(sinks, &console.style(), &report)?;
    Ok(ExitStatus::Clean)
}

async fn read(named: &str) -> Result<Report> {
    if let Some(rest) = named.strip_prefix("s3://") {
        let (location, name) = rest.rsplit_once(REPORTS).with_context(|| {
            format!("{named:?} is no report of a store: write s3://BUCKET/PREFIX/reports/latest.json or a dated one")
        })?;
        let location = format!("s3://{location}").parse()?;
        return read_stored(&location, &format!("reports/{name}")).await;
    }
    let shown = if named == "-" { "standard input" } else { named };
    let bytes = read_input(named, MOST_BYTES).await.with_context(|| format!("cannot read {shown}"))?;
    let report = parse(&bytes).with_context(|| shown.to_owned())?;
    match report.parts.first() {
        None => Ok(report),
        Some(part) => {
            let (location, name) = stored_at(Path::new(named), part)
                .with_context(|| format!("{shown} lists its findings in parts: convert it in its store"))?;
            read_stored(&location, &name).await
        }
    }
}

/// A report in a store, with the findings in its parts.
async fn read_stored(location: &StoreLocation, name: &str) -> Result<Report> {
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    let store = store::open(location, aws);
    let report = report_named(&*store, name).await?;
    report.with_context(|| format!("{} has no {name}", store.location()))
}

/// The store that `file` is in, and the name of `file` there: the one that has `part`.
fn stored_at(file: &Path, part: &str) -> Option<(StoreLocation, String)> {
    let file = file.canonicalize().ok()?;
    let root = file.ancestors().skip(1).find(|folder| folder.join(part).is_file())?;
    let name = file.strip_prefix(root).ok()?.to_str()?.to_owned();
    Some((StoreLocation::Folder(root.to_owned()), name))
}

/// What every document of basewatch has.
#[derive(Deserialize)]
struct DocumentHead {
    schema: Option<String>,
}

/// The report in `bytes`.
fn parse(bytes: &[u8]) -> Result<Report> {
    let head: DocumentHead = serde_json::from_slice(bytes).map_err(|error| anyhow!("not a JSON report: {error}"))?;
    match head.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => bail!("the document has the schema {other:?}; convert reads {SCHEMA:?}"),
        None => bail!("the document has no schema; convert reads {SCHEMA:?}, as `--format json` writes it"),
    }
    serde_json::from_slice(bytes).map_err(|error| anyhow!("not a valid {SCHEMA}: {error}"))
}
