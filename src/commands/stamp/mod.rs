//! `basewatch stamp`: build options that pin and record a base, and checks of Dockerfiles.

mod check;
mod files;
mod judged;

use anyhow::{Result, anyhow, bail};

use super::base;
use crate::{
    app::{AppClients, Console, ExitStatus, RunInstants, output},
    cli::{StampArgs, StampFormat, StampTask},
    config::Settings,
    report::{
        BaseReport, HoldFields, json,
        stamp::{self, Stamp},
    },
};

/// Prints a stamp, or checks Dockerfiles.
///
/// # Errors
///
/// When the arguments are invalid, the base cannot be resolved, or a file cannot be read or written.
pub async fn run(settings: &Settings, args: &StampArgs, console: Console) -> Result<ExitStatus> {
    let instants = RunInstants::new(args.as_of);
    match args.task().map_err(|problem| anyhow!(problem))? {
        StampTask::Check { format } => Box::pin(check::run(settings, args, format, instants, console)).await,
        StampTask::Stamp { reference, written, format } => {
            let clients = AppClients::open(settings)?;
            // Uses the same resolution as `basewatch base`.
            let base = base::report(settings, &clients, &reference, false, instants).await?;
            refuse_held(&base)?;
            let stamp = Stamp::new(&base, &written, &reference, &settings.identify.labels)?;
            output::print(&render(&stamp, format))?;
            Ok(ExitStatus::Clean)
        }
    }
}

/// Rejects a held release. A moving tag resolves to a release without a hold instead.
fn refuse_held(base: &BaseReport) -> Result<()> {
    match &base.hold {
        Some(HoldFields { reason, until }) if base.line.as_ref() != Some(&base.reference) => {
            let line = base.line.as_deref().unwrap_or("the moving tag");
            bail!(
                "{} is held until {until}: {reason}; stamp {line} for the newest release without a hold",
                base.reference
            )
        }
        _ => Ok(()),
    }
}

fn render(stamp: &Stamp, format: StampFormat) -> String {
    match format {
        StampFormat::Docker | StampFormat::Table | StampFormat::Sarif => stamp::docker(stamp),
        StampFormat::Buildah => stamp::buildah(stamp),
        StampFormat::Dockerfile => stamp::dockerfile(stamp),
        StampFormat::Sbt => stamp::sbt(stamp),
        StampFormat::Gradle => stamp::gradle(stamp),
        StampFormat::Cdk => stamp::cdk(stamp),
        StampFormat::Env => stamp::env(stamp),
        StampFormat::Json => json::render(stamp),
    }
}
