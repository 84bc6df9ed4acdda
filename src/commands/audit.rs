//! `basewatch audit`: runs the pipeline once and prints the report, without storing or sending anything.

use anyhow::{Result, bail};

use crate::{
    app::{
        AppClients, Console, ExitStatus, RunInstants, RunProgressBar,
        audit::{exit, nothing_to_audit, report, stopped_before_it_began},
        output::{self, ReportSink},
    },
    cli::{AuditArgs, invalid_layout},
    config::Settings,
};

/// Audits and prints the report.
///
/// # Errors
///
/// When there is nothing to audit, there are no credentials, or the report cannot be written.
pub async fn run(settings: &Settings, args: &AuditArgs, console: Console) -> Result<ExitStatus> {
    if let Some(why) = invalid_layout(&args.images).or_else(|| nothing_to_audit(settings)) {
        bail!("{why}");
    }
    let sinks = ReportSink::open(&args.output, args.format)?;
    let clients = AppClients::open(settings)?;
    let bar = RunProgressBar::new(console.has_progress);
    let report = report(settings, &clients, RunInstants::new(args.as_of), &|progress| bar.show(progress)).await;
    bar.clear();
    if let Some(why) = stopped_before_it_began(&report) {
        bail!("{why}");
    }
    output::write(sinks, &console.style(), &report)?;
    Ok(exit(&report.summary))
}
