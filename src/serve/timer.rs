//! The run loop of `serve`: scheduled, missed and requested runs, one at a time.

use std::{pin::pin, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{sync::watch, time::timeout};
use tracing::{Instrument as _, info_span};

use super::{
    connections::is_true,
    state::{RunTrigger, ServeState},
};
use crate::{
    app::{AppContext, RunInstants},
    config::Settings,
    report::Report,
    run::{self, CompletedRun, Deadlines, RunReport},
    schedule::Timetable,
};

/// The maximum sleep, so that clock changes and suspends are noticed.
const NAP: Duration = Duration::from_mins(1);

/// The next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// The start.
    pub at: DateTime<Utc>,
    /// The trigger.
    pub trigger: RunTrigger,
}

impl PlannedRun {
    /// The next run after `now`, if the last run started at `last`; `None` if no run is due.
    #[must_use]
    pub fn new(timetable: &Timetable, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Self> {
        let (at, trigger) = match last {
            None => (now, RunTrigger::First),
            Some(last) if timetable.has_missed(last, now) => (now, RunTrigger::Missed),
            Some(_) => (timetable.next(now)?, RunTrigger::Schedule),
        };
        Some(Self { at, trigger })
    }
}

/// The run loop.
pub struct RunTimer {
    state: Arc<ServeState>,
}

impl RunTimer {
    /// The run loop of `state`.
    #[must_use]
    pub fn new(state: Arc<ServeState>) -> Self {
        Self { state }
    }

    /// Performs runs until `stopped` is true. Notifications in progress may take up to `stop_within`.
    pub async fn run(self, mut stopped: watch::Receiver<bool>, stop_within: Duration) {
        let state = &self.state;
        let mut last = state.snapshot().map(|snapshot| snapshot.report.generated_at);
        while let Some(trigger) = next_trigger(state, last, &mut stopped).await {
            let began_at = state.clock.now();
            state.begin(trigger, began_at);
            let outcome = run_once(state, &mut stopped, stop_within).await;
            let ended_at = state.clock.now();
            state.end(outcome, began_at, ended_at).await;
            skip(&state.settings.serve.timetable, began_at, ended_at);
            last = Some(ended_at);
            if *stopped.borrow() {
                return;
            }
        }
    }
}

/// Warns about scheduled runs that a long run has skipped.
fn skip(timetable: &Timetable, began_at: DateTime<Utc>, ended_at: DateTime<Utc>) {
    if timetable.has_missed(began_at, ended_at) {
        tracing::warn!(
            "the run took {} s; scheduled runs in the meantime are skipped",
            (ended_at - began_at).num_seconds()
        );
    }
}

/// Waits for the next run and returns its trigger; `None` at shutdown.
async fn next_trigger(
    state: &ServeState,
    last: Option<DateTime<Utc>>,
    stopped: &mut watch::Receiver<bool>,
) -> Option<RunTrigger> {
    let timetable = &state.settings.serve.timetable;
    let mut planned = plan(state, last);
    loop {
        let now = state.clock.now();
        state.plan(planned.map(|plan| plan.at));
        match planned {
            Some(plan) if plan.at <= now => return Some(plan.trigger),
            // The clock was set back: plan again.
            Some(plan) if timetable.next(now).is_some_and(|due| due < plan.at) => {
                planned = self::plan(state, Some(now));
            }
            _ => {}
        }
        let left = planned.and_then(|plan| (plan.at - state.clock.now()).to_std().ok()).unwrap_or(NAP);
        tokio::select! {
            () = state.clock.sleep(left.min(NAP)) => {}
            () = state.run_requested() => return Some(RunTrigger::Requested),
            () = is_true(stopped) => return None,
        }
    }
}

fn plan(state: &ServeState, last: Option<DateTime<Utc>>) -> Option<PlannedRun> {
    PlannedRun::new(&state.settings.serve.timetable, last, state.clock.now())
}

/// Performs one run; `None` if it was stopped.
async fn run_once(
    state: &ServeState,
    stopped: &mut watch::Receiver<bool>,
    stop_within: Duration,
) -> anyhow::Result<Option<CompletedRun>> {
    let settings = &state.settings;
    let context = match &state.aws {
        Some(aws) => AppContext::open_as(settings, aws).await?,
        None => AppContext::open(settings).await?,
    };
    let instants = RunInstants::at(state.clock.now());
    let unwatched = unwatched(state, &context, instants, stopped, stop_within).instrument(info_span!("run"));
    let Some(mut run) = unwatched.await.transpose() else {
        return Ok(None);
    };
    let enough = async {
        is_true(stopped).await;
        tokio::time::sleep(stop_within).await;
    };
    tokio::select! {
        () = run::watch_over(settings, &context, instants, state.clock.now(), &mut run) => {}
        () = enough => tracing::warn!("no time left to record the outcome of the run"),
    }
    run.map(Some)
}

/// A run in two parts: a shutdown aborts the audit, but lets notifications complete within `stop_within`.
async fn unwatched(
    state: &ServeState,
    context: &AppContext,
    instants: RunInstants,
    stopped: &mut watch::Receiver<bool>,
    stop_within: Duration,
) -> anyhow::Result<Option<CompletedRun>> {
    let settings = &state.settings;
    let progress = |progress| state.progress(progress);
    let report = tokio::select! {
        report = run::audited(settings, context, instants, &progress) => report?,
        () = is_true(stopped) => {
            context.keep_catalog().await?;
            return Ok(None);
        }
    };
    let outcome = notify(settings, context, &report, stopped, stop_within).await;
    Ok(outcome.map(|outcome| CompletedRun { report, outcome }))
}

/// Stores the report and sends notifications, within `stop_within` at shutdown; `None` if that was not enough.
async fn notify(
    settings: &Settings,
    context: &AppContext,
    report: &Report,
    stopped: &mut watch::Receiver<bool>,
    stop_within: Duration,
) -> Option<RunReport> {
    let instants = RunInstants::at(report.generated_at);
    let mut work = pin!(run::complete(settings, context, report, instants, Deadlines::default()));
    tokio::select! {
        completed = &mut work => return Some(completed.outcome),
        () = is_true(stopped) => {}
    }
    timeout(stop_within, work).await.ok().map(|completed| completed.outcome)
}
