//! The shared state of `serve`: the last report, the current run and the next run.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{
    access::AccessControl, alert_views::AlertCache, clock::ServeClock, metrics::ServeMetrics,
    past_reports::PastReports, session::SessionSigner, snapshot::ReportSnapshot,
};
use crate::{
    app::latest_report,
    audit::AuditProgress,
    aws::Aws,
    config::Settings,
    dashboard::AlertView,
    notify::self_monitor::{FinishedRun, SelfMonitor},
    report::{Report, ReportOutline},
    run::{self, CompletedRun},
    store::{self, Error, HistoryDay, Store},
};

/// The minimum time between a run and the next requested one.
const ASKED_AGAIN: Duration = Duration::from_mins(1);

/// The trigger of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunTrigger {
    /// There is no previous run.
    First,
    /// The schedule.
    Schedule,
    /// The run was due while the service was down.
    Missed,
    /// A request to `/api/v1/audit`.
    Requested,
}

impl RunTrigger {
    fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Schedule => "schedule",
            Self::Missed => "missed",
            Self::Requested => "requested",
        }
    }
}

/// The status of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ServeStatus {
    /// The current run; null if none is in progress.
    pub(super) running: Option<RunInProgress>,
    /// The start of the next run; null if none is planned.
    pub(super) next_run_at: Option<DateTime<Utc>>,
    /// The last run of this process or, after a restart, of the store; null before the first.
    pub(super) last_run: Option<FinishedRun>,
}

/// The current run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct RunInProgress {
    /// The start of the run.
    pub(super) since: DateTime<Utc>,
    /// The trigger.
    pub(super) trigger: RunTrigger,
    /// The number of resolved bases.
    pub(super) done: u64,
    /// The number of bases to resolve; 0 while the inventory is read.
    pub(super) total: u64,
}

/// Why a requested run was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunRequestRefusal {
    /// A run is in progress.
    Running,
    /// A run has just finished; retry after this time.
    TooSoon(Duration),
}

/// The state that the tasks of `serve` share.
pub struct ServeState {
    /// The settings.
    pub(super) settings: Settings,
    /// The clock.
    pub(super) clock: ServeClock,
    /// The metrics.
    pub(super) metrics: ServeMetrics,
    /// The access rules.
    pub(super) access: AccessControl,
    /// The sessions of those who signed in to write.
    pub(super) sessions: SessionSigner,
    /// The outlines of earlier reports.
    pub(super) past: PastReports,
    alerts: AlertCache,
    /// The AWS clients to reuse; `None` for those of the environment, opened by each run.
    pub(super) aws: Option<Arc<Aws>>,
    pub(super) store: Arc<dyn Store>,
    snapshot: RwLock<Option<Arc<ReportSnapshot>>>,
    status: Mutex<ServeStatus>,
    asking: Notify,
}

impl ServeState {
    /// The state before the first run.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers for the key of sessions.
    pub(super) fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: ServeClock,
        access: AccessControl,
    ) -> anyhow::Result<Self> {
        let is_https = settings.serve.public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
        Ok(Self {
            settings,
            clock,
            metrics: ServeMetrics::default(),
            access,
            sessions: SessionSigner::new(is_https).context("cannot create the key of sessions")?,
            past: PastReports::default(),
            alerts: AlertCache::default(),
            aws: None,
            store,
            snapshot: RwLock::default(),
            status: Mutex::default(),
            asking: Notify::new(),
        })
    }

    /// Sets the AWS clients that runs reuse.
    #[must_use]
    pub fn with_aws(self, aws: Option<Arc<Aws>>) -> Self {
        Self { aws, ..self }
    }

    /// Loads the last report, the history and the outcome of the last run from the store. Ignores a report of another
    /// format.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn reload(&self) -> store::Result<()> {
        let history = store::history(&*self.store).await?;
        if let Some(last_run) = store::load::<SelfMonitor>(&*self.store).await?.document.last_finished {
            self.metrics.last_run(&last_run);
            self.lock().last_run = Some(last_run);
        }
        match latest_report(&*self.store).await {
            Ok(Some(report)) => self.show(report, history).await,
            Ok(None) => {}
            Err(error @ (Error::Newer { .. } | Error::Unreadable { .. } | Error::TooLarge { .. })) => {
                tracing::warn!("cannot load the last report: {error}");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the outlines of earlier reports.
    pub(super) async fn read_past_reports(&self) {
        let history = self.snapshot().map(|snapshot| snapshot.history.clone()).unwrap_or_default();
        self.past.load(&*self.store, &history).await;
    }

    /// The alerts in the ledger.
    pub(super) async fn alerts(&self) -> Arc<[AlertView]> {
        self.alerts.alerts(&*self.store, self.clock.now()).await
    }

    /// Shows changes of alerts at once.
    pub(super) async fn forget_alerts(&self) {
        self.alerts.forget().await;
    }

    /// The last report; `None` before the first run.
    pub(super) fn snapshot(&self) -> Option<Arc<ReportSnapshot>> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn show(&self, report: Report, history: Vec<HistoryDay>) {
        // Serializing a large report would block other requests.
        match tokio::task::spawn_blocking(move || ReportSnapshot::new(report, history)).await {
            Ok(snapshot) => {
                self.metrics.show(&snapshot.report);
                *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
            }
            Err(error) => tracing::error!("cannot serialize the report: {error}"),
        }
    }

    /// The status of runs.
    pub(super) fn status(&self) -> ServeStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ServeStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn plan(&self, next_run_at: Option<DateTime<Utc>>) {
        self.metrics.next_run(next_run_at);
        let planned = std::mem::replace(&mut self.lock().next_run_at, next_run_at);
        if let Some(at) = next_run_at.filter(|_| planned != next_run_at) {
            tracing::info!("the next run starts at {}", self.settings.serve.timetable.local(at));
        }
    }

    pub(super) fn begin(&self, trigger: RunTrigger, now: DateTime<Utc>) {
        tracing::info!(trigger = trigger.as_str(), "starting a run");
        // This run also serves a request made just before.
        let _ = self.asking.notified().now_or_never();
        self.lock().running = Some(RunInProgress { since: now, trigger, done: 0, total: 0 });
    }

    pub(super) fn progress(&self, progress: AuditProgress) {
        if let (AuditProgress::Bases { done, total }, Some(running)) = (progress, &mut self.lock().running) {
            (running.done, running.total) = (done as u64, total as u64);
        }
    }

    /// Records the outcome of a run; `None` if it was stopped.
    pub(super) async fn end(
        &self,
        outcome: anyhow::Result<Option<CompletedRun>>,
        began_at: DateTime<Utc>,
        ended_at: DateTime<Utc>,
    ) {
        let (succeeded, problems) = match outcome {
            Ok(None) => {
                tracing::warn!("the run was stopped");
                self.lock().running = None;
                return;
            }
            Ok(Some(run)) => {
                run::log_completed(&run, (ended_at - began_at).to_std().unwrap_or_default());
                self.metrics.completed(&run);
                let problems = run.outcome.problems.clone();
                self.found(run).await;
                (true, problems)
            }
            Err(error) => {
                let why = format!("{error:#}");
                tracing::error!("the run failed: {why}");
                self.metrics.failed();
                (false, vec![why])
            }
        };
        let last_run = FinishedRun { began_at, ended_at, succeeded, problems };
        self.metrics.last_run(&last_run);
        let mut status = self.lock();
        status.running = None;
        status.last_run = Some(last_run);
    }

    async fn found(&self, run: CompletedRun) {
        let history = match store::history(&*self.store).await {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!("cannot read the history: {error}");
                self.snapshot().map(|snapshot| snapshot.history.clone()).unwrap_or_default()
            }
        };
        self.past.add(ReportOutline::from(&run.report), &*self.store, &history).await;
        self.alerts.forget().await;
        self.show(run.report, history).await;
    }

    /// Requests a run, unless one is in progress or has just finished.
    pub(super) fn request_run(&self) -> Result<(), RunRequestRefusal> {
        let status = self.lock();
        if status.running.is_some() {
            return Err(RunRequestRefusal::Running);
        }
        if let Some(last) = &status.last_run {
            let since = (self.clock.now() - last.ended_at).to_std().unwrap_or_default();
            let wait = ASKED_AGAIN.saturating_sub(since);
            if !wait.is_zero() {
                return Err(RunRequestRefusal::TooSoon(wait));
            }
        }
        self.asking.notify_one();
        Ok(())
    }

    /// Completes when a run is requested.
    pub(super) async fn run_requested(&self) {
        self.asking.notified().await;
    }
}
