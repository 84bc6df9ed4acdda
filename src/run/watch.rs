//! Self-monitoring of runs: stores the health of each run, notifies of problems and calls the heartbeat URLs.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{CompletedRun, heartbeat::beat, measure::measured};
use crate::{
    app::{AppContext, RunInstants},
    config::Settings,
    image::ErrorCode,
    notify::{
        Message,
        run_health::{RUN, RunError, RunHealth, push_scope},
        self_monitor::{self, ObservedRun},
    },
    outbox::DeliverySummary,
    store, telemetry,
};

/// Records the health of `run` and sends self-monitoring alerts; both are added to its result. A run over a part of the
/// configuration is ignored.
///
/// `instants` are those of its start. A failure to do so is a problem in the result, or is logged if the run failed.
pub async fn watch_over(
    settings: &Settings,
    context: &AppContext,
    instants: RunInstants,
    ended_at: DateTime<Utc>,
    run: &mut Result<CompletedRun>,
) {
    if settings.is_part {
        return;
    }
    match run {
        Ok(run) => {
            let observed = ObservedRun { lasted: Some((instants.clock, ended_at)), ..observed(settings, run) };
            match observe(settings, context, &observed).await {
                Ok(delivered) => run.outcome.add_deliveries(delivered),
                Err(error) => run.outcome.problems.push(format!("self-monitoring failed: {error}")),
            }
            beat(context, settings.watch.heartbeat.as_ref()).await;
        }
        Err(error) => failed(settings, context, instants, ended_at, &format!("{error:#}")).await,
    }
    let took = (ended_at - instants.clock).to_std().unwrap_or_default();
    telemetry::export(&measured(run.as_ref().ok(), took)).await;
}

/// Records that a run failed because of `why`, and notifies of it.
async fn failed(settings: &Settings, context: &AppContext, instants: RunInstants, ended_at: DateTime<Utc>, why: &str) {
    let failure = ObservedRun { lasted: Some((instants.clock, ended_at)), ..failure(RUN, why, instants.now) };
    match observe(settings, context, &failure).await {
        Ok(delivered) => log(&delivered),
        Err(error) => tracing::warn!("self-monitoring failed, no notification of the failed run was sent: {error}"),
    }
    beat(context, settings.watch.heartbeat_fail.as_ref()).await;
}

/// Records that the push of `image` could not be audited because of `why`, and notifies of it. Returns the number of sent
/// messages.
///
/// # Errors
///
/// Those of the store.
pub async fn push_failed(
    settings: &Settings,
    context: &AppContext,
    now: DateTime<Utc>,
    image: &str,
    why: &str,
) -> store::Result<usize> {
    let delivered = observe(settings, context, &failure(&push_scope(image), why, now)).await?;
    log(&delivered);
    Ok(delivered.tried.iter().filter(|delivery| delivery.outcome.is_ok()).count())
}

/// A failure at `at` because of `why`.
fn failure(scope: &str, why: &str, at: DateTime<Utc>) -> ObservedRun {
    let errors = vec![RunError::new(scope, ErrorCode::Failed.as_str(), why, at)];
    let run_id = ulid::Ulid::generate().to_string();
    ObservedRun { run_id, at, lasted: None, trouble: Some(RunHealth::Failed), errors }
}

async fn observe(
    settings: &Settings,
    context: &AppContext,
    run: &ObservedRun,
) -> store::Result<DeliverySummary<Message>> {
    let report_location = context.report_location();
    self_monitor::observe(&*context.store, run, &settings.notify, &settings.watch, &report_location).await?;
    self_monitor::deliver(&*context.store, &context.outbound.notifiers, &settings.notify, run.at).await
}

/// Logs deliveries of a run without a result.
fn log(delivered: &DeliverySummary<Message>) {
    for delivery in &delivered.tried {
        match &delivery.outcome {
            Ok(_) => tracing::info!("notified {} of the failure", delivery.target),
            Err(error) => tracing::warn!("cannot notify {} of the failure: {}", delivery.target, error.why),
        }
    }
}

/// The health of `run`.
fn observed(settings: &Settings, run: &CompletedRun) -> ObservedRun {
    let CompletedRun { report, outcome } = run;
    let at = report.generated_at;
    let unread = report.errors.iter().map(|error| RunError::new(&error.scope, &error.code, &error.message, at));
    let problems = outcome.problems.iter().map(|problem| RunError::new(RUN, self_monitor::PROBLEM, problem, at));
    let unknown = report.most_unknown().map(|note| RunError::new(RUN, &note.code, &note.message, at));
    let is_blind = unknown.is_some();
    let errors: Vec<_> = unknown.into_iter().chain(unread).chain(problems).collect();
    let is_empty = report.summary.deployments == 0 && !settings.kinds().is_empty();
    let trouble = match () {
        () if is_empty => Some(RunHealth::Empty),
        () if is_blind => Some(RunHealth::Blind),
        () if !report.complete || !errors.is_empty() => Some(RunHealth::Incomplete),
        () => None,
    };
    ObservedRun { run_id: report.run_id.clone(), at, lasted: None, trouble, errors }
}
