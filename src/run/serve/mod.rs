//! `basewatch serve`: `run` on a schedule, and what was found over HTTP.
//!
//! One task runs, many answer; no answer ever audits. What they share is [`state::State`].

mod access;
mod answer;
mod api;
mod connections;
mod metrics;
pub mod openapi;
mod pages;
mod progress;
mod routes;
mod snapshot;
mod state;
pub mod timer;

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use self::{
    access::Access,
    connections::Limits,
    timer::{Clock, Timer},
};
pub use self::{snapshot::Snapshot, state::State};
use super::{Exit, audit::nothing_to_audit, output::say, world::memory};
use crate::{config::Settings, notify, secret::SecretSource};

/// How much of the time to stop is kept for what comes after the last request and the last message.
const STOP_RESERVE: Duration = Duration::from_secs(3);

/// Runs on schedule and answers at the configured address until `stop` comes true.
///
/// # Errors
///
/// When there is nothing to audit or no store, the address cannot be listened at, or the token cannot be read.
pub async fn run(settings: Settings, stop: impl Future<Output = Exit>) -> Result<Exit> {
    if let Some(why) = nothing_to_audit(&settings) {
        bail!("{why}");
    }
    let listener = TcpListener::bind(settings.serve.listen)
        .await
        .with_context(|| format!("cannot listen at {}", settings.serve.listen))?;
    serve(settings, listener, Clock::default(), stop).await
}

/// The same at `listener`, by `clock`.
///
/// # Errors
///
/// As [`run`].
pub async fn serve(
    settings: Settings,
    listener: TcpListener,
    clock: Clock,
    stop: impl Future<Output = Exit>,
) -> Result<Exit> {
    let (store, receivers) = memory(&settings)?;
    notify::read(&*store).await.context("the ledger cannot be used")?;
    let access = Access::new(&settings.serve, token(&settings, &receivers.aws).await?)?;
    let stop_within = settings.serve.stop_within.saturating_sub(STOP_RESERVE).max(Duration::from_secs(1));
    let at = listener.local_addr().context("the address is not known")?;
    let proxies = settings.serve.proxy.as_ref().map(|proxy| proxy.from.clone()).unwrap_or_default();
    let state = Arc::new(State::new(settings, store, clock));
    state.reload().await.context("the last report cannot be read")?;
    tracing::info!(schedule = %state.settings.serve.timetable, "listening at http://{at}");
    say(&format!("basewatch listens at http://{at} and runs by {}", state.settings.serve.timetable));

    let (stopping, stopped) = watch::channel(false);
    let mut timer = tokio::spawn(Timer::new(Arc::clone(&state)).run(stopped.clone(), stop_within));
    let router = routes::router(Arc::clone(&state), access);
    let mut answering = tokio::spawn(connections::answer(listener, router, Limits::new(proxies), stopped));
    // A service that looks alive and does nothing any more is worse than one that ends and is started again.
    tokio::select! {
        _ = stop => {}
        _ = &mut timer => bail!("no run would ever begin again: what ran them has ended"),
        _ = &mut answering => bail!("nobody would be answered any more: what answered has ended"),
    }
    say("basewatch stops: what is under way is ended first");
    stopping.send_replace(true);
    // What is not over by then is crash-safe, as everything is.
    let _ = timeout(stop_within + STOP_RESERVE, futures::future::join(timer, answering)).await;
    Ok(Exit::Clean)
}

/// What readers have to know, from where it is.
async fn token(settings: &Settings, aws: &crate::aws::Aws) -> Result<Option<String>> {
    let Some(source) = &settings.serve.token else { return Ok(None) };
    let secret = match source {
        SecretSource::Here(secret) => secret.clone(),
        SecretSource::SecretsManager { .. } => aws.secret(source).await.context("serve.token cannot be read")?,
    };
    Ok(Some(secret.reveal().to_owned()))
}
