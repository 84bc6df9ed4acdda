//! The `basewatch` binary.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use basewatch::{
    cli::Cli,
    config::EnvironmentVariables,
    run::{self, ExitStatus, lambda::RUNTIME_API},
};

fn main() -> ExitCode {
    let environment = EnvironmentVariables::from_process();
    let is_in_lambda = environment.get(RUNTIME_API).is_some();
    let cli = match Cli::read(env::args_os(), is_in_lambda) {
        Ok(cli) => cli,
        // Includes help and version. A closed pipe is not an error.
        Err(message) => {
            let _ = message.print();
            return u8::try_from(message.exit_code()).map_or(ExitStatus::CannotStart.into(), ExitCode::from);
        }
    };
    match start(cli, &environment) {
        Ok(exit @ (ExitStatus::Interrupted | ExitStatus::Terminated)) => {
            say(if exit == ExitStatus::Terminated { "terminated" } else { "interrupted" });
            exit.into()
        }
        Ok(exit) => exit.into(),
        Err(error) => {
            say(&chain(&error));
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
    let outcome = runtime.block_on(run::run(cli, environment, stopped()));
    // Does not wait for pending requests.
    runtime.shutdown_background();
    outcome
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
    format!("error: {}", causes.join(": ")).chars().map(harmless).collect()
}

/// Writes a line to standard error, and ignores a closed standard error.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
