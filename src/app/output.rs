//! Output of reports to standard output and files.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::Console;
use crate::{
    cli::{ReportFormat, ReportOutput},
    dashboard,
    report::{RenderOptions, Report, csv, json, markdown, sarif, table},
};

/// A destination of the report. Opened before the audit, so that an invalid path fails early.
pub(crate) enum ReportSink {
    /// Standard output.
    Stdout(ReportFormat),
    /// A file, written to a temporary file next to it and renamed.
    File { path: PathBuf, beside: PathBuf, format: ReportFormat },
}

impl ReportSink {
    /// Opens `outputs`, or standard output in `format` if there are none.
    pub(crate) fn open(outputs: &[ReportOutput], format: ReportFormat) -> Result<Vec<Self>> {
        if outputs.is_empty() {
            return Ok(vec![Self::Stdout(format)]);
        }
        outputs
            .iter()
            .map(|output| match output {
                ReportOutput::Stdout => Ok(Self::Stdout(format)),
                ReportOutput::File { path, format } => {
                    let beside = beside(path);
                    if path.is_dir() {
                        bail!("cannot write {}: is a folder", path.display());
                    }
                    File::create(&beside).with_context(|| format!("cannot write {}", path.display()))?;
                    Ok(Self::File { path: path.clone(), beside, format: *format })
                }
            })
            .collect()
    }
}

impl ReportSink {
    /// Whether this is standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }
}

/// Removes the temporary file of an unwritten sink.
impl Drop for ReportSink {
    fn drop(&mut self) {
        if let Self::File { beside, .. } = self {
            let _ = fs::remove_file(beside);
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

impl Console {
    /// The rendering options of this console.
    pub(crate) fn style(self) -> RenderOptions {
        RenderOptions { width: self.width, color: self.is_colored, show_all: self.show_all, hide_next: false }
    }
}

/// Writes `report` to every sink, as [`write_rendered`] does.
pub(crate) fn write(sinks: Vec<ReportSink>, style: &RenderOptions, report: &Report) -> Result<()> {
    write_rendered(sinks, style, |format, style| render(report, format, style))
}

/// Writes what `render` makes of each format to every sink. Files are replaced atomically; a failure does not affect
/// other sinks.
pub(crate) fn write_rendered(
    sinks: Vec<ReportSink>,
    style: &RenderOptions,
    render: impl Fn(ReportFormat, &RenderOptions) -> String,
) -> Result<()> {
    let mut outcome = Ok(());
    for sink in sinks {
        let written = match &sink {
            ReportSink::Stdout(format) => print(&render(*format, style)),
            ReportSink::File { path, beside, format } => {
                let text = render(*format, &RenderOptions { show_all: true, ..RenderOptions::default() });
                save(&text, beside, path).with_context(|| format!("cannot write {}", path.display()))
            }
        };
        outcome = outcome.and(written);
    }
    outcome
}

fn save(text: &str, beside: &Path, path: &Path) -> io::Result<()> {
    let mut file = File::create(beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}

fn render(report: &Report, format: ReportFormat, style: &RenderOptions) -> String {
    match format {
        ReportFormat::Table => table::render(report, style),
        ReportFormat::Json => json::render(report),
        ReportFormat::Markdown => markdown::render(report),
        ReportFormat::Html => dashboard::render(report),
        ReportFormat::Csv => csv::render(report),
        ReportFormat::Sarif => sarif::render(report),
    }
}

/// Writes `text` to standard output. A closed pipe, as with `head`, is not an error.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Writes a line to standard error, and ignores a closed standard error.
pub(crate) fn print_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
