//! When does `serve` run? By its timetable, once for all that was missed, when it is asked to, and never twice at once.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use tokio::{sync::watch, time::timeout};

use super::{
    connections::is_true,
    state::{State, Trigger},
};
use crate::{
    config::Settings,
    report::Report,
    run::{
        Instants, World,
        cycle::{self, Cycle, RunReport},
    },
    schedule::Timetable,
};

/// How long is slept at once: a clock that is set, or a machine that slept, is noticed after that.
const NAP: Duration = Duration::from_mins(1);

/// What tells the time, and lets it pass.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Clock {
    /// A clock that `now` tells the time of, and on which `sleep` sleeps.
    pub fn new(
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), sleep: Arc::new(sleep) }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    async fn sleep(&self, span: Duration) {
        (self.sleep)(span).await;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Utc::now, |span| Box::pin(tokio::time::sleep(span)))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// When the next run begins, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When it begins.
    pub at: DateTime<Utc>,
    /// When it was due; the difference is the jitter.
    pub due: DateTime<Utc>,
    /// Why.
    pub trigger: Trigger,
}

impl Plan {
    /// The plan at `now`, when the last run began at `last`; `None` when no run is due any more.
    #[must_use]
    pub fn new(timetable: &Timetable, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Self> {
        let (due, trigger) = match last {
            None => (now, Trigger::First),
            Some(last) if timetable.has_missed(last, now) => (now, Trigger::Missed),
            Some(_) => (timetable.next(now)?, Trigger::Schedule),
        };
        let late = match trigger {
            Trigger::First => Duration::ZERO,
            _ => timetable.jitter.mul_f64(fastrand::f64()),
        };
        Some(Self { at: due + TimeDelta::from_std(late).unwrap_or_default(), due, trigger })
    }
}

/// The one that runs.
pub struct Timer {
    state: Arc<State>,
}

impl Timer {
    /// The timer of `state`.
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Runs until `stopped` comes true; what is being told then may take `stop_within`.
    pub async fn run(self, mut stopped: watch::Receiver<bool>, stop_within: Duration) {
        let state = &self.state;
        let mut last = state.snapshot().map(|snapshot| snapshot.report.generated_at);
        while let Some(trigger) = next_trigger(state, last, &mut stopped).await {
            let began_at = state.clock.now();
            state.begin(trigger, began_at);
            let outcome = cycle(state, &mut stopped, stop_within).await;
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

/// What was due while a run was on is not made up for: it would look at what was looked at just now.
fn skip(timetable: &Timetable, began_at: DateTime<Utc>, ended_at: DateTime<Utc>) {
    if timetable.has_missed(began_at, ended_at) {
        tracing::warn!(
            "the run took {} s, longer than until the next was due, which is left out",
            (ended_at - began_at).num_seconds()
        );
    }
}

/// Waits for the next run, and says why it begins; `None` when it is time to stop.
async fn next_trigger(
    state: &State,
    last: Option<DateTime<Utc>>,
    stopped: &mut watch::Receiver<bool>,
) -> Option<Trigger> {
    let timetable = &state.settings.serve.timetable;
    let mut planned = plan(state, last);
    loop {
        let now = state.clock.now();
        state.plan(planned.map(|plan| plan.at));
        match planned {
            Some(plan) if plan.at <= now => return Some(plan.trigger),
            // The clock was set back: what is due before is not yet planned.
            Some(plan) if timetable.next(now).is_some_and(|due| due < plan.due) => {
                planned = self::plan(state, Some(now));
            }
            _ => {}
        }
        let left = planned.and_then(|plan| (plan.at - state.clock.now()).to_std().ok()).unwrap_or(NAP);
        tokio::select! {
            () = state.clock.sleep(left.min(NAP)) => {}
            () = state.asked() => return Some(Trigger::Asked),
            () = is_true(stopped) => return None,
        }
    }
}

fn plan(state: &State, last: Option<DateTime<Utc>>) -> Option<Plan> {
    Plan::new(&state.settings.serve.timetable, last, state.clock.now())
}

/// One run; nothing if it was stopped.
async fn cycle(
    state: &State,
    stopped: &mut watch::Receiver<bool>,
    stop_within: Duration,
) -> anyhow::Result<Option<Cycle>> {
    let settings = &state.settings;
    let world = World::open(settings).await?;
    let instants = Instants::at(state.clock.now());
    let Some(mut cycle) = unwatched(state, &world, instants, stopped, stop_within).await.transpose() else {
        return Ok(None);
    };
    let enough = async {
        is_true(stopped).await;
        tokio::time::sleep(stop_within).await;
    };
    tokio::select! {
        () = cycle::watch_over(settings, &world, instants.now, &mut cycle) => {}
        () = enough => tracing::warn!("there was no time left to note what the run came to"),
    }
    cycle.map(Some)
}

/// The same in the two parts that stopping is different for: nothing is lost of an audit that is cut short but the
/// time, while what is being told is told to the end, as far as there is time for it.
async fn unwatched(
    state: &State,
    world: &World,
    instants: Instants,
    stopped: &mut watch::Receiver<bool>,
    stop_within: Duration,
) -> anyhow::Result<Option<Cycle>> {
    let settings = &state.settings;
    let progress = |progress| state.progress(progress);
    let report = tokio::select! {
        report = cycle::audited(settings, world, instants, &progress) => report?,
        () = is_true(stopped) => {
            world.keep_catalog().await?;
            return Ok(None);
        }
    };
    let outcome = tell(settings, world, &report, stopped, stop_within).await;
    Ok(outcome.map(|outcome| Cycle { report, outcome }))
}

/// What is being told when it is time to stop may take `stop_within`; nothing if that was not enough.
async fn tell(
    settings: &Settings,
    world: &World,
    report: &Report,
    stopped: &mut watch::Receiver<bool>,
    stop_within: Duration,
) -> Option<RunReport> {
    let mut telling = pin!(cycle::complete(settings, world, report, Instants::at(report.generated_at)));
    tokio::select! {
        outcome = &mut telling => return Some(outcome),
        () = is_true(stopped) => {}
    }
    timeout(stop_within, telling).await.ok()
}
