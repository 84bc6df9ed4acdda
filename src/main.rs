//! The `basewatch` binary: parses the arguments, loads the configuration and runs the command.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    pin::pin,
    process::ExitCode,
};

use anyhow::Context as _;
use basewatch::{
    app::{Console, ExitStatus, is_colored, loaded},
    cli::{Cli, Command, ConfigCommand, ExplainTarget, NotifyCommand, StampTask},
    commands,
    config::{CliOverrides, EnvironmentVariables, LOG_FORMAT_VARIABLE, LOG_VARIABLE},
    lambda, run,
    serve::{self, ServeClock},
    telemetry::{self, LogFormat, Verbosity},
};

fn main() -> ExitCode {
    let environment = EnvironmentVariables::from_process();
    let is_in_lambda = environment.get(lambda::RUNTIME_API).is_some();
    let cli = match Cli::read(env::args_os(), is_in_lambda) {
        Ok(cli) => cli,
        // Includes help and version. A closed pipe is not an error.
        Err(message) => {
            let _ = message.print();
            return u8::try_from(message.exit_code()).map_or(ExitStatus::CannotStart.into(), ExitCode::from);
        }
    };
    let is_json = log_format(&environment).is_ok_and(|format| format == LogFormat::Json);
    match start(cli, &environment) {
        Ok(exit @ (ExitStatus::Interrupted | ExitStatus::Terminated)) => {
            let how = if exit == ExitStatus::Terminated { "terminated" } else { "interrupted" };
            if is_json {
                tracing::warn!("{how}");
            } else {
                say(how);
            }
            exit.into()
        }
        Ok(exit) => exit.into(),
        Err(error) => {
            let why = chain(&error);
            if is_json {
                tracing::error!("{why}");
            } else {
                say(&format!("error: {why}"));
            }
            ExitStatus::CannotStart.into()
        }
    }
}

fn start(cli: Cli, environment: &EnvironmentVariables) -> anyhow::Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("failed to start threads")?;
    let outcome = runtime.block_on(async {
        let outcome = Box::pin(dispatch(cli, environment, stopped())).await;
        telemetry::flush().await;
        outcome
    });
    // Does not wait for pending requests.
    runtime.shutdown_background();
    outcome
}

/// The format of log lines.
fn log_format(environment: &EnvironmentVariables) -> Result<LogFormat, telemetry::Error> {
    environment.get(LOG_FORMAT_VARIABLE).map_or(Ok(LogFormat::default()), str::parse)
}

/// Sets up logging and runs the command until it ends or `stop` completes.
async fn dispatch(
    cli: Cli,
    environment: &EnvironmentVariables,
    stop: impl Future<Output = ExitStatus>,
) -> anyhow::Result<ExitStatus> {
    let global = &cli.global;
    // Services log at info by default: a line or two per run.
    let is_service = match &cli.command {
        Command::Lambda | Command::Serve(_) => true,
        Command::Demo(args) => args.serve,
        _ => false,
    };
    let verbose =
        if is_service && environment.get(LOG_VARIABLE).is_none() { global.verbose.max(1) } else { global.verbose };
    let verbosity = Verbosity { verbose, is_quiet: global.quiet };
    let is_log_colored = is_colored(global.color, environment, io::stderr().is_terminal());
    telemetry::init(verbosity, environment.get(LOG_VARIABLE), log_format(environment)?, is_log_colored)?;
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
        Command::Demo(args) if args.serve => {
            let demo = commands::demo::DashboardDemo::start(args.listen)?;
            let clock = ServeClock::starting_at(demo.as_of());
            Box::pin(serve::run_as(demo.settings(), Some(demo.aws()), clock, stop)).await
        }
        command => tokio::select! {
            outcome = run_command(command, flags, environment, console) => outcome,
            exit = stop => Ok(exit),
        },
    }
}

/// Loads the configuration and runs a command other than `serve`.
async fn run_command(
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
            commands::audit::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Base(args) => {
            let registries = vec![args.reference.repository.registry.to_string()];
            let flags = CliOverrides { registries, no_catalog: args.no_catalog, ..flags };
            commands::base::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Stamp(args) => {
            let named = match args.task() {
                Ok(StampTask::Stamp { reference, .. }) => Some(reference.repository.registry.to_string()),
                Ok(StampTask::Check { .. }) | Err(_) => None,
            };
            let registries = named.into_iter().collect();
            let (no_catalog, fail_on) = (args.no_catalog, args.fail_on.threshold());
            let flags = CliOverrides { no_catalog, fail_on, registries, ..flags };
            commands::stamp::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        Command::Explain(args) => {
            let images = match &args.target {
                ExplainTarget::Image(image) => vec![image.clone()],
                ExplainTarget::Deployment(_) => Vec::new(),
            };
            let flags = CliOverrides { images, no_catalog: args.no_catalog, ..flags };
            commands::explain::run(&loaded(&flags, environment, here).await?.settings, &args, console).await
        }
        // Boxed, because the future of a run is large.
        Command::Run(args) => {
            let flags = CliOverrides { fail_on: args.fail_on.threshold(), ..flags };
            Box::pin(run::run(&loaded(&flags, environment, here).await?.settings, &args, console)).await
        }
        Command::Lambda => Box::pin(lambda::run(flags, environment, here)).await,
        Command::Alerts(command) => {
            Box::pin(commands::alerts::run(&loaded(&flags, environment, here).await?.settings, &command, console)).await
        }
        Command::Notify(NotifyCommand::Test(args)) => {
            commands::notify::test(&loaded(&flags, environment, here).await?.settings, &args).await
        }
        Command::Catalog(command) => {
            Box::pin(commands::catalog::run(&loaded(&flags, environment, here).await?.settings, &command, console))
                .await
        }
        Command::Demo(args) => commands::demo::run(&args, console).await,
        Command::Convert(args) => commands::convert::run(&args, console).await,
        Command::Config(ConfigCommand::Check(args)) => commands::config::check(args, &flags, environment, here).await,
        Command::Config(ConfigCommand::Init(args)) => commands::config::init(&args),
        Command::Config(ConfigCommand::Iam(args)) => {
            commands::config::iam::run(&args, &loaded(&flags, environment, here).await?.settings)
        }
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args),
        Command::Version(args) => commands::version::run(&args),
        Command::Serve(_) => unreachable!("`dispatch` handles it"),
    }
}

/// Waits for SIGINT or SIGTERM. The kernel ignores signals without a handler for PID 1 of a container.
#[cfg(unix)]
async fn stopped() -> ExitStatus {
    use tokio::signal::unix::{SignalKind, signal};

    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => signals.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        exit = interrupted() => exit,
        _ = terminated => ExitStatus::Terminated,
    }
}

#[cfg(not(unix))]
async fn stopped() -> ExitStatus {
    interrupted().await
}

async fn interrupted() -> ExitStatus {
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitStatus::Interrupted,
        // Without a handler, the run continues.
        Err(_) => std::future::pending().await,
    }
}

/// An error with its causes. Escapes control characters, which may come from a registry.
fn chain(error: &anyhow::Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    let harmless = |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    causes.join(": ").chars().map(harmless).collect()
}

/// Writes a line to standard error, and ignores a closed standard error.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
