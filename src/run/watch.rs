//! Self-monitoring of runs: stores the health of each run, notifies of problems and calls the heartbeat URLs.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{CompletedRun, heartbeat::beat};
use crate::{
    app::AppContext,
    config::Settings,
    image::ErrorCode,
    notify::{
        Message,
        run_health::{RUN, RunError, RunHealth, push_scope},
        self_monitor::{self, ObservedRun},
    },
    outbox::DeliverySummary,
    store,
};

/// Records the health of `run` and sends self-monitoring alerts; both are added to its result. A run over a part of the
/// configuration is ignored.
///
/// A failure to do so is a problem in the result, or is logged if the run failed.
pub async fn watch_over(settings: &Settings, context: &AppContext, now: DateTime<Utc>, run: &mut Result<CompletedRun>) {
    if settings.is_part {
        return;
    }
    match run {
        Ok(run) => {
            match observe(settings, context, &observed(settings, run)).await {
                Ok(delivered) => run.outcome.add_deliveries(delivered),
                Err(error) => run.outcome.problems.push(format!("self-monitoring failed: {error}")),
            }
            beat(context, settings.watch.heartbeat.as_ref()).await;
        }
        Err(error) => failed(settings, context, now, &format!("{error:#}")).await,
    }
}

/// Records that the run as of `now` failed because of `why`, and notifies of it.
async fn failed(settings: &Settings, context: &AppContext, now: DateTime<Utc>, why: &str) {
    let run_id = ulid::Ulid::generate().to_string();
    let errors = vec![RunError::new(RUN, ErrorCode::Failed.as_str(), why, now)];
    match observe(settings, context, &ObservedRun { run_id, at: now, trouble: Some(RunHealth::Failed), errors }).await {
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
    let run_id = ulid::Ulid::generate().to_string();
    let errors = vec![RunError::new(&push_scope(image), ErrorCode::Failed.as_str(), why, now)];
    let run = ObservedRun { run_id, at: now, trouble: Some(RunHealth::Failed), errors };
    let delivered = observe(settings, context, &run).await?;
    log(&delivered);
    Ok(delivered.tried.iter().filter(|delivery| delivery.outcome.is_ok()).count())
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
    ObservedRun { run_id: report.run_id.clone(), at, trouble, errors }
}
