//! What the tasks of `serve` share: the last report, how the run under way is doing, and when the next one begins.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{metrics::Metrics, snapshot::Snapshot, timer::Clock};
use crate::{
    audit::Progress,
    config::Settings,
    run::cycle::Cycle,
    store::{self, Store},
};

/// How long after a run nobody may ask for the next one.
const ASKED_AGAIN: Duration = Duration::from_mins(1);

/// Why a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// There was none before.
    First,
    /// It is due.
    Schedule,
    /// It was due while nobody was there to run it.
    Missed,
    /// Somebody asked for it.
    Asked,
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Schedule => "schedule",
            Self::Missed => "missed",
            Self::Asked => "asked",
        }
    }
}

/// How `serve` is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Status {
    /// The run under way; null if there is none.
    pub(super) running: Option<Running>,
    /// When the next run begins; null when none is due.
    pub(super) next_run_at: Option<DateTime<Utc>>,
    /// How the last run of this process ended; null before the first.
    pub(super) last_run: Option<LastRun>,
}

/// The run under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Running {
    /// When it began.
    pub(super) since: DateTime<Utc>,
    /// Why.
    pub(super) trigger: Trigger,
    /// How many bases are resolved.
    pub(super) done: u64,
    /// How many there are to resolve; 0 while the inventory is read.
    pub(super) total: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct LastRun {
    /// When it began.
    pub(super) began_at: DateTime<Utc>,
    /// When it ended.
    pub(super) ended_at: DateTime<Utc>,
    /// Whether it ended by itself, with or without gaps.
    pub(super) succeeded: bool,
    /// What went wrong, for people.
    pub(super) problems: Vec<String>,
}

/// Why no run was begun that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// One is under way.
    Running,
    /// One ended only just now; ask again after this.
    TooSoon(Duration),
}

/// What the tasks of `serve` share.
pub struct State {
    /// The settings.
    pub(super) settings: Settings,
    /// What tells the time.
    pub(super) clock: Clock,
    /// What is counted.
    pub(super) metrics: Metrics,
    store: Arc<dyn Store>,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    status: Mutex<Status>,
    asking: Notify,
}

impl State {
    /// The state before the first run.
    #[must_use]
    pub fn new(settings: Settings, store: Arc<dyn Store>, clock: Clock) -> Self {
        Self {
            settings,
            clock,
            metrics: Metrics::default(),
            store,
            snapshot: RwLock::default(),
            status: Mutex::default(),
            asking: Notify::new(),
        }
    }

    /// Reads the last report of the store, and the history. What a newer basewatch wrote is left to that.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn reload(&self) -> store::Result<()> {
        let history = store::history(&*self.store).await?;
        let Some(json) = store::latest(&*self.store).await? else { return Ok(()) };
        match Snapshot::read(json, history) {
            Ok(snapshot) => self.show(snapshot),
            Err(error) => tracing::warn!("the last report cannot be shown until there is a new one: {error}"),
        }
        Ok(())
    }

    /// The last report; nothing before the first run.
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, snapshot: Snapshot) {
        self.metrics.show(&snapshot.report);
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
    }

    /// How it is doing.
    pub(super) fn status(&self) -> Status {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn plan(&self, next_run_at: Option<DateTime<Utc>>) {
        self.metrics.next_run(next_run_at);
        let planned = std::mem::replace(&mut self.lock().next_run_at, next_run_at);
        if let Some(at) = next_run_at.filter(|_| planned != next_run_at) {
            tracing::info!("the next run begins at {}", self.settings.serve.timetable.local(at));
        }
    }

    pub(super) fn begin(&self, trigger: Trigger, now: DateTime<Utc>) {
        tracing::info!(trigger = trigger.as_str(), "a run begins");
        // Who asked while it was about to begin is answered by it.
        let _ = self.asking.notified().now_or_never();
        self.lock().running = Some(Running { since: now, trigger, done: 0, total: 0 });
    }

    pub(super) fn progress(&self, progress: Progress) {
        if let (Progress::Bases { done, total }, Some(running)) = (progress, &mut self.lock().running) {
            (running.done, running.total) = (done as u64, total as u64);
        }
    }

    /// Shows what a run found; nothing if it was stopped.
    pub(super) async fn end(
        &self,
        outcome: anyhow::Result<Option<Cycle>>,
        began_at: DateTime<Utc>,
        ended_at: DateTime<Utc>,
    ) {
        let (succeeded, problems) = match outcome {
            Ok(None) => (false, vec!["it was stopped".to_owned()]),
            Ok(Some(cycle)) => {
                self.metrics.ran(&cycle, began_at, ended_at);
                let problems = cycle.outcome.problems.clone();
                self.found(cycle).await;
                (true, problems)
            }
            Err(error) => {
                self.metrics.failed(began_at, ended_at);
                (false, vec![format!("{error:#}")])
            }
        };
        for problem in &problems {
            tracing::error!("{problem}");
        }
        let mut status = self.lock();
        status.running = None;
        status.last_run = Some(LastRun { began_at, ended_at, succeeded, problems });
    }

    async fn found(&self, cycle: Cycle) {
        let history = match store::history(&*self.store).await {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!("the history cannot be read: {error}");
                self.snapshot().map(|snapshot| snapshot.history.clone()).unwrap_or_default()
            }
        };
        // Laying out a report of thousands of findings takes a while, and others have to be answered meanwhile.
        match tokio::task::spawn_blocking(move || Snapshot::of(cycle.report, history)).await {
            Ok(snapshot) => self.show(snapshot),
            Err(error) => tracing::error!("the report cannot be shown: {error}"),
        }
    }

    /// Asks for a run, unless there is one or was one just now.
    pub(super) fn ask(&self) -> Result<(), Refusal> {
        let status = self.lock();
        if status.running.is_some() {
            return Err(Refusal::Running);
        }
        if let Some(last) = &status.last_run {
            let since = (self.clock.now() - last.ended_at).to_std().unwrap_or_default();
            let wait = ASKED_AGAIN.saturating_sub(since);
            if !wait.is_zero() {
                return Err(Refusal::TooSoon(wait));
            }
        }
        self.asking.notify_one();
        Ok(())
    }

    /// Comes true when somebody has asked for a run.
    pub(super) async fn asked(&self) {
        self.asking.notified().await;
    }
}
