//! The commands. Besides `main`, the only module that depends on all stages and adapters.

pub mod alerts;
mod app_context;
pub mod audit;
pub mod base;
pub mod catalog;
mod clients;
pub mod completions;
pub mod config;
pub mod demo;
pub mod explain;
pub mod iam;
mod inventories;
pub mod lambda;
mod load_config;
pub mod man;
pub mod notify;
mod outbound;
mod output;
pub mod pipeline;
mod progress;
pub mod releases;
pub mod serve;
pub mod stamp;
mod stored_report;

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    pin::pin,
    process::ExitCode,
};

use chrono::{DateTime, Utc};

pub use app_context::AppContext;
pub use clients::AppClients;
pub use inventories::sources;
use load_config::loaded;
pub use outbound::OutboundClients;
use output::print;

use crate::{
    cli::{Cli, ColorWhen, Command, ConfigCommand, GlobalArgs, NotifyCommand, StampTask},
    config::{CliOverrides, EnvironmentVariables, LOG_VARIABLE},
    telemetry::{self, Verbosity},
};

/// The exit status of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// No finding is at or above `--fail-on`.
    Clean = 0,
    /// At least one finding is at or above `--fail-on`.
    Failed = 1,
    /// The command could not start: invalid usage or configuration, or no credentials.
    CannotStart = 2,
    /// No finding is at or above `--fail-on`, but the audit is incomplete or most of the fleet is unknown.
    Incomplete = 3,
    /// Interrupted by SIGINT: 128 plus the signal number, as in shells.
    Interrupted = 130,
    /// Terminated by SIGTERM.
    Terminated = 143,
}

impl ExitStatus {
    /// All statuses, in the order of their codes.
    pub const ALL: [Self; 6] =
        [Self::Clean, Self::Failed, Self::CannotStart, Self::Incomplete, Self::Interrupted, Self::Terminated];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        exit.code().into()
    }
}

/// The capabilities of the terminal and the output flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// Whether standard output is colored.
    pub is_colored: bool,
    /// Whether progress is shown on standard error.
    pub has_progress: bool,
    /// The width of standard output in columns; `None` if it is not a terminal.
    pub width: Option<usize>,
    /// `--verbose`: whether reports show everything.
    pub show_all: bool,
}

/// The times of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunInstants {
    /// The time to judge by: the current time, or `--as-of`.
    pub now: DateTime<Utc>,
    /// The current time.
    pub clock: DateTime<Utc>,
}

impl RunInstants {
    /// `now` as both times.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now, clock: now }
    }

    /// The current time, with `as_of` as the time to judge by.
    #[must_use]
    pub fn new(as_of: Option<DateTime<Utc>>) -> Self {
        let clock = Utc::now();
        Self { now: as_of.unwrap_or(clock), clock }
    }
}

impl Console {
    fn new(global: &GlobalArgs, environment: &EnvironmentVariables) -> Self {
        Self {
            is_colored: is_colored(global.color, environment, io::stdout().is_terminal()),
            has_progress: io::stderr().is_terminal() && !global.quiet && global.verbose == 0,
            width: console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)),
            show_all: global.verbose > 0,
        }
    }
}

/// Whether to use colors. `NO_COLOR` follows <https://no-color.org>: set and not empty.
fn is_colored(when: ColorWhen, environment: &EnvironmentVariables, is_terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            is_terminal && environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb")
        }
    }
}

/// Sets up logging and runs the command until it ends or `stop` completes.
pub async fn run(
    cli: Cli,
    environment: &EnvironmentVariables,
    stop: impl Future<Output = ExitStatus>,
) -> anyhow::Result<ExitStatus> {
    let global = &cli.global;
    // Lambda logs at info by default: one line per invocation.
    let verbose = if matches!(cli.command, Command::Lambda) && environment.get(LOG_VARIABLE).is_none() {
        global.verbose.max(1)
    } else {
        global.verbose
    };
    let verbosity = Verbosity { verbose, is_quiet: global.quiet };
    let is_log_colored = is_colored(global.color, environment, io::stderr().is_terminal());
    telemetry::init(verbosity, environment.get(LOG_VARIABLE), is_log_colored)?;
    let console = Console::new(global, environment);
    let flags = CliOverrides { config: global.config.clone(), ..CliOverrides::default() };
    match cli.command {
        // `serve` shuts down gracefully; other commands can be dropped at any time.
        Command::Serve(args) => {
            let flags = CliOverrides { listen: args.listen, schedule: args.schedule, ..flags };
            let mut stop = pin!(stop);
            let settings = tokio::select! {
                loaded = loaded(&flags, environment, Path::new("")) => loaded?.settings,
                exit = &mut stop => return Ok(exit),
            };
            Box::pin(serve::run(settings, stop)).await
        }
        command => tokio::select! {
            outcome = once(command, flags, environment, console) => outcome,
            exit = stop => Ok(exit),
        },
    }
}

/// Runs a command other than `serve`.
async fn once(
    command: Command,
    flags: CliOverrides,
    environment: &EnvironmentVariables,
    console: Console,
) -> anyhow::Result<ExitStatus> {
    let here = Path::new("");
    match command {
        Command::Audit(args) => {
            let (max_age, grace, images) = (args.max_age.clone(), args.grace.clone(), args.images.clone());
            let (filter, fail_on) = ((&args.filter).into(), args.fail_on.threshold());
            let flags = CliOverrides { max_age, grace, images, filter, fail_on, no_catalog: args.no_catalog, ..flags };
            audit::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Base(args) => {
            let registries = vec![args.reference.repository.registry.to_string()];
            let flags = CliOverrides { registries, no_catalog: args.no_catalog, ..flags };
            base::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Stamp(args) => {
            let named = match args.task() {
                Ok(StampTask::Stamp { reference, .. }) => Some(reference.repository.registry.to_string()),
                Ok(StampTask::Check { .. }) | Err(_) => None,
            };
            let registries = named.into_iter().collect();
            let (no_catalog, fail_on) = (args.no_catalog, args.fail_on.threshold());
            let flags = CliOverrides { no_catalog, fail_on, registries, ..flags };
            stamp::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Explain(args) => {
            let flags = CliOverrides { images: vec![args.image.clone()], no_catalog: args.no_catalog, ..flags };
            explain::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        // Boxed, because the future of a run is large.
        Command::Run(args) => {
            let flags = CliOverrides { fail_on: args.fail_on.threshold(), ..flags };
            Box::pin(pipeline::run(&loaded(&flags, environment, here).await?.settings, &args, console)).await
        }
        Command::Lambda => Box::pin(lambda::run(flags, environment, here)).await,
        Command::Alerts(command) => {
            Box::pin(alerts::run(&loaded(&flags, environment, here).await?.settings, &command, console)).await
        }
        Command::Notify(NotifyCommand::Test(args)) => {
            notify::test(&loaded(&flags, environment, here).await?.settings, &args).await
        }
        Command::Catalog(command) => {
            Box::pin(catalog::run(&loaded(&flags, environment, here).await?.settings, &command, console)).await
        }
        Command::Demo(args) => demo::run(&args, console).await,
        Command::Config(ConfigCommand::Check(args)) => config::check(args, &flags, environment, here).await,
        Command::Config(ConfigCommand::Init(args)) => config::init(&args),
        Command::Config(ConfigCommand::Iam(args)) => {
            iam::run(&args, &loaded(&flags, environment, here).await?.settings)
        }
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Serve(_) => unreachable!("`run` handles it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_follow_the_flag_the_terminal_and_no_color() {
        let plain = EnvironmentVariables::default();
        let without: EnvironmentVariables = [("NO_COLOR".to_owned(), "1".to_owned())].into_iter().collect();
        let empty: EnvironmentVariables = [("NO_COLOR".to_owned(), String::new())].into_iter().collect();
        let dumb: EnvironmentVariables = [("TERM".to_owned(), "dumb".to_owned())].into_iter().collect();
        assert!(is_colored(ColorWhen::Auto, &plain, true) && is_colored(ColorWhen::Auto, &empty, true));
        assert!(!is_colored(ColorWhen::Auto, &plain, false));
        assert!(!is_colored(ColorWhen::Auto, &without, true) && !is_colored(ColorWhen::Auto, &dumb, true));
        assert!(is_colored(ColorWhen::Always, &without, false) && !is_colored(ColorWhen::Never, &plain, true));
    }
}
