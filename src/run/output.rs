//! Where a report goes: standard output, or files, each in its format.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::Console;
use crate::{
    cli::{Output, ReportFormat},
    report::{Report, Style, csv, html, json, markdown, sarif, table},
};

/// A place a report is written to, opened before the audit: a mistyped folder should not cost a run.
pub(super) enum Sink {
    /// Standard output.
    Stdout(ReportFormat),
    /// A file, written beside its name until it is whole.
    File { path: PathBuf, beside: PathBuf, format: ReportFormat },
}

impl Sink {
    /// Opens `outputs`; without any, standard output in `format`.
    pub(super) fn open(outputs: &[Output], format: ReportFormat) -> Result<Vec<Self>> {
        if outputs.is_empty() {
            return Ok(vec![Self::Stdout(format)]);
        }
        outputs
            .iter()
            .map(|output| match output {
                Output::Stdout => Ok(Self::Stdout(format)),
                Output::File { path, format } => {
                    let beside = beside(path);
                    if path.is_dir() {
                        bail!("cannot write {}: it is a folder", path.display());
                    }
                    File::create(&beside).with_context(|| format!("cannot write {}", path.display()))?;
                    Ok(Self::File { path: path.clone(), beside, format: *format })
                }
            })
            .collect()
    }
}

impl Sink {
    /// Whether it is standard output.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }
}

/// A sink that was not written leaves nothing behind.
impl Drop for Sink {
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
    /// How people want to read on this console.
    pub(super) fn style(self) -> Style {
        Style { width: self.width, color: self.is_colored, show_all: self.show_all, hide_next: false }
    }
}

/// Writes `report` to every sink. A file appears whole or not at all, and one that fails costs no other.
pub(super) fn write(sinks: Vec<Sink>, style: &Style, report: &Report) -> Result<()> {
    let mut outcome = Ok(());
    for sink in sinks {
        let written = match &sink {
            Sink::Stdout(format) => print(&render(report, *format, style)),
            Sink::File { path, beside, format } => {
                let text = render(report, *format, &Style { show_all: true, ..Style::default() });
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

fn render(report: &Report, format: ReportFormat, style: &Style) -> String {
    match format {
        ReportFormat::Table => table::render(report, style),
        ReportFormat::Json => json::render(report),
        ReportFormat::Markdown => markdown::render(report),
        ReportFormat::Html => html::render(report),
        ReportFormat::Csv => csv::render(report),
        ReportFormat::Sarif => sarif::render(report),
    }
}

/// Writes `text` to standard output. A reader that has left, as `head` does, is no error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Tells people something on standard error; nobody may be listening.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
