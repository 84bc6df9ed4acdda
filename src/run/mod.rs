//! Run modes: what each command does, with which settings, and how it ends.
//!
//! The only place besides `main` that knows all stages and adapters; no stage knows it.

pub mod alerts;
pub mod audit;
pub mod base;
pub mod catalog;
pub mod completions;
pub mod config;
mod configured;
pub mod cycle;
pub mod demo;
pub mod explain;
pub mod iam;
mod inventories;
pub mod lambda;
pub mod man;
pub mod notify;
mod output;
mod ports;
mod progress;
mod receivers;
pub mod releases;
pub mod serve;
pub mod stamp;
mod world;

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    pin::pin,
    process::ExitCode,
};

use chrono::{DateTime, Utc};

use configured::loaded;
pub use inventories::sources;
use output::print;
pub use ports::Ports;
pub use receivers::Receivers;
pub use world::World;

use crate::{
    cli::{Cli, ColorWhen, Command, ConfigCommand, Global, NotifyCommand, StampTask},
    config::{Environment, Flags, LOG_VARIABLE},
    telemetry::{self, Verbosity},
};

/// How a run ended, as its exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing is at or above `--fail-on`.
    Clean = 0,
    /// Something is at or above `--fail-on`.
    Failed = 1,
    /// The run could not start: usage, configuration, credentials.
    CannotStart = 2,
    /// Nothing is at or above `--fail-on`, but the audit is incomplete or most of the fleet is unknown.
    Incomplete = 3,
    /// The run was interrupted: 128 and the number of the signal, as shells have it.
    Interrupted = 130,
    /// The run was told to stop, as containers are.
    Terminated = 143,
}

impl Exit {
    /// All exits, in the order of their codes.
    pub const ALL: [Self; 6] =
        [Self::Clean, Self::Failed, Self::CannotStart, Self::Incomplete, Self::Interrupted, Self::Terminated];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// What a run mode may do to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// Whether standard output takes colours.
    pub is_colored: bool,
    /// Whether progress is shown on standard error.
    pub has_progress: bool,
    /// The columns of standard output; `None` where it is no terminal.
    pub width: Option<usize>,
    /// Whether everything is shown: `--verbose`.
    pub show_all: bool,
}

/// The instants of a run.
#[derive(Clone, Copy, Debug)]
pub struct Instants {
    /// What counts as now: the clock's, or that of `--as-of`.
    pub now: DateTime<Utc>,
    /// The clock's own.
    pub clock: DateTime<Utc>,
}

impl Instants {
    /// `now`, by the clock.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now, clock: now }
    }

    /// The clock's now, or `as_of` instead.
    #[must_use]
    pub fn new(as_of: Option<DateTime<Utc>>) -> Self {
        let clock = Utc::now();
        Self { now: as_of.unwrap_or(clock), clock }
    }
}

impl Console {
    fn new(global: &Global, environment: &Environment) -> Self {
        Self {
            is_colored: is_colored(global.color, environment, io::stdout().is_terminal()),
            has_progress: io::stderr().is_terminal() && !global.quiet && global.verbose == 0,
            width: console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)),
            show_all: global.verbose > 0,
        }
    }
}

/// Whether to colour what goes to a terminal or to something else. `NO_COLOR` is that of
/// <https://no-color.org>: set and not empty.
fn is_colored(when: ColorWhen, environment: &Environment, is_terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            is_terminal && environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb")
        }
    }
}

/// Sets logging up and does what `cli` says, until `stop` comes true.
pub async fn run(cli: Cli, environment: &Environment, stop: impl Future<Output = Exit>) -> anyhow::Result<Exit> {
    let global = &cli.global;
    // Nobody is there to ask for more; and an invocation is one line.
    let verbose = if matches!(cli.command, Command::Lambda) && environment.get(LOG_VARIABLE).is_none() {
        global.verbose.max(1)
    } else {
        global.verbose
    };
    let verbosity = Verbosity { verbose, is_quiet: global.quiet };
    let is_log_colored = is_colored(global.color, environment, io::stderr().is_terminal());
    telemetry::init(verbosity, environment.get(LOG_VARIABLE), is_log_colored)?;
    let console = Console::new(global, environment);
    let flags = Flags { config: global.config.clone(), ..Flags::default() };
    match cli.command {
        // What serves ends what is under way first; of all else nothing is lost if it ends at once.
        Command::Serve(args) => {
            let flags = Flags { listen: args.listen, schedule: args.schedule, ..flags };
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

/// Does what `command` says, and ends.
async fn once(command: Command, flags: Flags, environment: &Environment, console: Console) -> anyhow::Result<Exit> {
    let here = Path::new("");
    match command {
        Command::Audit(args) => {
            let (max_age, grace, images) = (args.max_age.clone(), args.grace.clone(), args.images.clone());
            let (filter, fail_on) = ((&args.left).into(), args.fail_on.threshold());
            let flags = Flags { max_age, grace, images, filter, fail_on, no_catalog: args.no_catalog, ..flags };
            audit::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Base(args) => {
            let registries = vec![args.reference.repository.registry.to_string()];
            let flags = Flags { registries, no_catalog: args.no_catalog, ..flags };
            base::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Stamp(args) => {
            let named = match args.task() {
                Ok(StampTask::Stamp { reference, .. }) => Some(reference.repository.registry.to_string()),
                Ok(StampTask::Check { .. }) | Err(_) => None,
            };
            let registries = named.into_iter().collect();
            let (no_catalog, fail_on) = (args.no_catalog, args.fail_on.threshold());
            let flags = Flags { no_catalog, fail_on, registries, ..flags };
            stamp::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Explain(args) => {
            let flags = Flags { images: vec![args.image.clone()], no_catalog: args.no_catalog, ..flags };
            explain::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        // A cycle is the longest future there is: on the heap, it is no part of all the others.
        Command::Run(args) => {
            let flags = Flags { fail_on: args.fail_on.threshold(), ..flags };
            Box::pin(cycle::run(&loaded(&flags, environment, here).await?.settings, &args, console)).await
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
        Command::Serve(_) => unreachable!("it does not end by itself"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let plain = Environment::default();
        let without: Environment = [("NO_COLOR".to_owned(), "1".to_owned())].into_iter().collect();
        let empty: Environment = [("NO_COLOR".to_owned(), String::new())].into_iter().collect();
        let dumb: Environment = [("TERM".to_owned(), "dumb".to_owned())].into_iter().collect();
        assert!(is_colored(ColorWhen::Auto, &plain, true) && is_colored(ColorWhen::Auto, &empty, true));
        assert!(!is_colored(ColorWhen::Auto, &plain, false));
        assert!(!is_colored(ColorWhen::Auto, &without, true) && !is_colored(ColorWhen::Auto, &dumb, true));
        assert!(is_colored(ColorWhen::Always, &without, false) && !is_colored(ColorWhen::Never, &plain, true));
    }
}
