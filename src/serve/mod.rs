//! `basewatch serve`: performs runs on a schedule, and serves the dashboard, the API and metrics over HTTP.
//!
//! One task performs runs, others serve requests. They share [`state::ServeState`]. Requests never start an audit directly.

mod access;
mod alert_views;
mod api;
mod clock;
mod connections;
mod metrics;
pub mod openapi;
mod pages;
mod past_reports;
mod response;
mod routes;
mod session;
mod snapshot;
mod state;
pub mod timer;
mod writing;

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use self::{access::AccessControl, connections::ConnectionLimits, timer::RunTimer};
pub use self::{clock::ServeClock, snapshot::ReportSnapshot, state::ServeState};
use crate::{
    app::{ExitStatus, audit::nothing_to_audit, open_store},
    aws::Aws,
    config::Settings,
    notify,
    secret::SecretSource,
};

/// How long notifications in progress may take at shutdown. With [`STOP_RESERVE`], 25 seconds: ECS and Kubernetes kill a
/// process 30 seconds after SIGTERM. What is cut off is sent by the next run.
const STOP_WITHIN: Duration = Duration::from_secs(22);
/// The time for cleanup after that.
const STOP_RESERVE: Duration = Duration::from_secs(3);

/// Runs the service until `stop` completes.
///
/// # Errors
///
/// When there is nothing to audit, there is no store, or the address or the token is not available.
pub async fn run(settings: Settings, stop: impl Future<Output = ExitStatus>) -> Result<ExitStatus> {
    run_as(settings, None, ServeClock::default(), stop).await
}

/// As [`run`], with `clock` and the clients of `aws`, if given, instead of those of the environment.
///
/// # Errors
///
/// As [`run`].
pub async fn run_as(
    settings: Settings,
    aws: Option<Arc<Aws>>,
    clock: ServeClock,
    stop: impl Future<Output = ExitStatus>,
) -> Result<ExitStatus> {
    if let Some(why) = nothing_to_audit(&settings) {
        bail!("{why}");
    }
    let listener = TcpListener::bind(settings.serve.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.serve.listen))?;
    serve_as(settings, aws, listener, clock, stop).await
}

/// As [`run`], on `listener` and with `clock`.
///
/// # Errors
///
/// As [`run`].
pub async fn serve(
    settings: Settings,
    listener: TcpListener,
    clock: ServeClock,
    stop: impl Future<Output = ExitStatus>,
) -> Result<ExitStatus> {
    serve_as(settings, None, listener, clock, stop).await
}

async fn serve_as(
    settings: Settings,
    aws: Option<Arc<Aws>>,
    listener: TcpListener,
    clock: ServeClock,
    stop: impl Future<Output = ExitStatus>,
) -> Result<ExitStatus> {
    let (store, outbound) = open_store(&settings)?;
    notify::read(&*store).await.context("cannot read the ledger")?;
    let token = secret(settings.serve.token.as_ref(), "serve.token", &outbound.aws).await?;
    let write_token = secret(settings.serve.write_token.as_ref(), "serve.write_token", &outbound.aws).await?;
    let access = AccessControl::new(&settings.serve, token, write_token)?;
    let at = listener.local_addr().context("cannot determine the local address")?;
    let proxies = settings.serve.proxy.as_ref().map(|proxy| proxy.from.clone()).unwrap_or_default();
    let state = Arc::new(ServeState::new(settings, store, clock, access)?.with_aws(aws));
    state.reload().await.context("cannot read the last report")?;
    tracing::info!("listening on http://{at}, schedule {}", state.settings.serve.timetable);

    let (stopping, stopped) = watch::channel(false);
    let mut timer = tokio::spawn(RunTimer::new(Arc::clone(&state)).run(stopped.clone(), STOP_WITHIN));
    tokio::spawn(read_past_reports(Arc::clone(&state), stopped.clone()));
    let router = routes::router(Arc::clone(&state));
    let mut serving = tokio::spawn(connections::serve(listener, router, ConnectionLimits::new(proxies), stopped));
    // If a task ends unexpectedly, exit so that the service is restarted.
    tokio::select! {
        _ = stop => {}
        _ = &mut timer => bail!("the task that performs runs has ended unexpectedly"),
        _ = &mut serving => bail!("the HTTP server has ended unexpectedly"),
    }
    tracing::info!("shutting down");
    stopping.send_replace(true);
    // Anything unfinished is crash-safe.
    let _ = timeout(STOP_WITHIN + STOP_RESERVE, futures::future::join(timer, serving)).await;
    Ok(ExitStatus::Clean)
}

/// Reads the earlier reports that pages compare the last one with, unless the service is stopped meanwhile.
async fn read_past_reports(state: Arc<ServeState>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = state.read_past_reports() => {}
        () = connections::is_true(&mut stopped) => {}
    }
}

/// The value of the token `name`.
async fn secret(source: Option<&SecretSource>, name: &str, aws: &crate::aws::Aws) -> Result<Option<String>> {
    let Some(source) = source else { return Ok(None) };
    let secret = match source {
        SecretSource::Here(secret) => secret.clone(),
        SecretSource::SecretsManager { .. } => {
            aws.secret(source).await.with_context(|| format!("cannot read {name}"))?
        }
    };
    Ok(Some(secret.reveal().to_owned()))
}
