//! `basewatch run`: runs once and prints the result.

use anyhow::{Result, bail};

use super::{CompletedRun, Deadlines, RunReport, dry_run::dry_run, once, text};
use crate::{
    app::{
        AppContext, Console, ExitStatus, RunInstants, RunProgressBar,
        audit::{exit, nothing_to_audit},
        output::{self, ReportSink},
    },
    cli::{OutputFormat, RunArgs},
    config::Settings,
    report::{Report, json},
};

/// Runs once and prints the result.
///
/// # Errors
///
/// When there is nothing to audit, no store, no credentials, or a ledger that cannot be read. Nothing was sent then.
pub async fn run(settings: &Settings, args: &RunArgs, console: Console) -> Result<ExitStatus> {
    if let Some(why) = nothing_to_audit(settings) {
        bail!("{why}");
    }
    let instants = RunInstants::new(args.as_of);
    if !args.dry_run && instants.now > instants.clock {
        bail!("--as-of is in the future: add --dry-run");
    }
    let sinks = ReportSink::open(&args.output, args.format.into())?;
    let bar = RunProgressBar::new(console.has_progress);
    let progress = |progress| bar.show(progress);
    let run = if args.dry_run {
        dry_run(settings, &AppContext::for_dry_run(settings).await?, instants, &progress).await
    } else {
        once(settings, &AppContext::open(settings).await?, instants, Deadlines::default(), &progress)
            .await
            .map_err(Into::into)
    };
    bar.clear();
    let CompletedRun { report, outcome } = run?;
    print(sinks, &outcome, &report, args, console)?;
    Ok(exit(&outcome.summary))
}

/// Writes the report to files and the result of the run to standard output.
fn print(sinks: Vec<ReportSink>, outcome: &RunReport, report: &Report, args: &RunArgs, console: Console) -> Result<()> {
    let (stdout, files): (Vec<_>, Vec<_>) = sinks.into_iter().partition(ReportSink::is_stdout);
    output::write(files, &console.style(), report)?;
    if stdout.is_empty() && !args.dry_run {
        return Ok(());
    }
    output::print(&match args.format {
        OutputFormat::Json => json::render(outcome),
        OutputFormat::Table => text::render(outcome, &console.style()),
    })
}
