//! Watches over cycles: what each came to is noted in the store, told where it has to be, and beaten out to whoever
//! waits for it.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::{Cycle, World, heartbeat::beat, report_place};
use crate::{
    config::Settings,
    image::ErrorCode,
    notify::{
        Delivered,
        watch::{self, Observed, RUN, RunError, Trouble},
    },
    store,
};

/// Notes what `cycle` came to, and tells who has to know; what was told is in its outcome. A cycle of only a part of what
/// is configured says nothing about the whole, and is let pass.
///
/// That it could not be watched is a problem in its outcome, else in the log.
pub async fn watch_over(settings: &Settings, world: &World, now: DateTime<Utc>, cycle: &mut Result<Cycle>) {
    if settings.is_part {
        return;
    }
    match cycle {
        Ok(cycle) => {
            match tell(settings, world, &of_cycle(settings, cycle)).await {
                Ok(delivered) => cycle.outcome.delivered(delivered),
                Err(error) => cycle.outcome.problems.push(format!("nobody watches over the runs: {error}")),
            }
            beat(world, settings.watch.heartbeat.as_ref()).await;
        }
        Err(error) => failed(settings, world, now, &format!("{error:#}")).await,
    }
}

/// Notes that a run as of `now` has failed for `why`, and tells who has to know.
pub async fn failed(settings: &Settings, world: &World, now: DateTime<Utc>, why: &str) {
    let run_id = ulid::Ulid::generate().to_string();
    let errors = vec![RunError::new(RUN, ErrorCode::Failed.as_str(), why, now)];
    match tell(settings, world, &Observed { run_id, at: now, trouble: Some(Trouble::Failed), errors }).await {
        Ok(delivered) => log(&delivered),
        Err(error) => tracing::warn!("that the run failed was not noted, and nobody is told: {error}"),
    }
    beat(world, settings.watch.heartbeat_fail.as_ref()).await;
}

/// Notes that the push of `image` could not be audited for `why`, and notifies those who watch over basewatch. Says how
/// many messages were sent: without one, no receiver has been notified yet.
///
/// # Errors
///
/// Those of the store.
pub async fn push_failed(
    settings: &Settings,
    world: &World,
    now: DateTime<Utc>,
    image: &str,
    why: &str,
) -> store::Result<usize> {
    let run_id = ulid::Ulid::generate().to_string();
    let errors = vec![RunError::new(&watch::push_scope(image), ErrorCode::Failed.as_str(), why, now)];
    let run = Observed { run_id, at: now, trouble: Some(Trouble::Failed), errors };
    let delivered = tell(settings, world, &run).await?;
    log(&delivered);
    Ok(delivered.tried.iter().filter(|delivery| delivery.outcome.is_ok()).count())
}

async fn tell(settings: &Settings, world: &World, run: &Observed) -> store::Result<Delivered> {
    let place = report_place(&*world.store);
    watch::observe(&*world.store, run, &settings.notify, &settings.watch, &place).await?;
    watch::deliver(&*world.store, &world.receivers.notifiers, &settings.notify, run.at).await
}

/// There is no outcome to put it in.
fn log(delivered: &Delivered) {
    for delivery in &delivered.tried {
        match &delivery.outcome {
            Ok(_) => tracing::info!("{} was told that basewatch does not work", delivery.receiver),
            Err(why) => tracing::warn!("{} was not told that basewatch does not work: {why}", delivery.receiver),
        }
    }
}

/// What `cycle` came to.
fn of_cycle(settings: &Settings, cycle: &Cycle) -> Observed {
    let Cycle { report, outcome } = cycle;
    let at = report.generated_at;
    let unseen = report.errors.iter().map(|error| RunError::new(&error.scope, &error.code, &error.message, at));
    let problems = outcome.problems.iter().map(|problem| RunError::new(RUN, watch::PROBLEM, problem, at));
    let unknown = report.most_unknown().map(|note| RunError::new(RUN, &note.code, &note.message, at));
    let is_blind = unknown.is_some();
    let errors: Vec<_> = unknown.into_iter().chain(unseen).chain(problems).collect();
    let is_empty = report.summary.deployments == 0 && !settings.kinds().is_empty();
    let trouble = match () {
        () if is_empty => Some(Trouble::Empty),
        () if is_blind => Some(Trouble::Blind),
        () if !report.complete || !errors.is_empty() => Some(Trouble::Incomplete),
        () => None,
    };
    Observed { run_id: report.run_id.clone(), at, trouble, errors }
}
