//! One run: audit, record, notify, request rebuilds and update self-monitoring.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result, anyhow, bail};
use chrono::{DateTime, Utc};
use tracing::{Instrument as _, info_span};

use super::{
    CompletedRun, Deadlines, MessageOutcome, RebuildOutcome, RunFailure, RunReport, rebuilds, watch_over, within,
};
use crate::{
    app::{
        AppContext, LOCK_WAIT, RunInstants,
        audit::{report, stopped_before_it_began},
        record_report,
    },
    audit::AuditProgress,
    config::Settings,
    judge::Verdict,
    notify::{
        self, Ledger, LedgerSession, Message,
        select::{self, AlertPlan, NotificationContext},
    },
    outbox::DeliverySummary,
    rebuild::{self, Rebuild},
    report::Report,
    store::{self, BaseAges, HistoryDay},
};

/// Audits what `settings` name, records the report, sends notifications, requests rebuilds and updates self-monitoring,
/// within `deadlines`. A run that timed out saves the catalog, so that the next one continues from there.
///
/// # Errors
///
/// When the ledger cannot be read, there are no credentials, or a deadline passes.
pub async fn once(
    settings: &Settings,
    context: &AppContext,
    instants: RunInstants,
    deadlines: Deadlines,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Result<CompletedRun, RunFailure> {
    let unwatched = unwatched(settings, context, instants, deadlines, progress).instrument(info_span!("run"));
    let mut run = unwatched.await?;
    let monitored = Box::pin(watch_over(settings, context, instants, Utc::now(), &mut run));
    if within(deadlines.end, monitored).await.is_none() {
        tracing::warn!("self-monitoring was not updated: no time left");
    }
    Ok(run?.settled())
}

/// A run without self-monitoring. The inner error is a failure that self-monitoring records.
async fn unwatched(
    settings: &Settings,
    context: &AppContext,
    instants: RunInstants,
    deadlines: Deadlines,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Result<Result<CompletedRun>, RunFailure> {
    let Some(report) = within(deadlines.audit, audited(settings, context, instants, progress)).await else {
        keep_catalog(context, deadlines).await;
        return Err(RunFailure::AuditTimedOut);
    };
    Ok(match report {
        Ok(report) => {
            let completed = complete(settings, context, &report, instants, deadlines).await;
            match completed.broken {
                // A run with deadlines is retried if it fails.
                Some(why) if deadlines.end.is_some() => Err(anyhow!(why)),
                // Self-monitoring records the retry.
                _ if !completed.is_notified => return Err(RunFailure::NotifyingTimedOut),
                _ => Ok(CompletedRun { report, outcome: completed.outcome }),
            }
        }
        Err(error) => Err(error),
    })
}

/// Result of recording and notifying.
pub struct RunCompletion {
    /// What was done.
    pub outcome: RunReport,
    /// Whether all notifications were attempted in time.
    is_notified: bool,
    /// A failure of the store that a retry may resolve.
    broken: Option<String>,
}

/// The audit report. Checks first that the ledger can be read.
pub(crate) async fn audited(
    settings: &Settings,
    context: &AppContext,
    instants: RunInstants,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Result<Report> {
    // Before the audit: without a ledger its findings could not be notified.
    notify::read(&*context.store).await.context("the ledger cannot be used")?;
    let audit = Box::pin(report(settings, &context.clients, instants, progress)).instrument(info_span!("audit"));
    let report = context.keeping_catalog(audit).await;
    if let Some(why) = stopped_before_it_began(&report) {
        bail!("{why}");
    }
    Ok(report)
}

/// Records `report`, sends notifications and requests rebuilds, within `deadlines`. Failures are in the result and do
/// not stop the other steps.
pub async fn complete(
    settings: &Settings,
    context: &AppContext,
    report: &Report,
    instants: RunInstants,
    deadlines: Deadlines,
) -> RunCompletion {
    let mut outcome = RunReport::from_report(report, context.store.location());
    let recorded = record_report(&*context.store, report, day(report), instants.clock, settings.retention);
    let recorded = within(deadlines.notify, recorded).instrument(info_span!("record")).await;
    let unrecorded = recorded.and_then(Result::err).map(|error| format!("the report was not recorded: {error}"));
    let notifying = notify(settings, context, report, instants.now, deadlines, &mut outcome);
    let notified = notifying.instrument(info_span!("notify")).await;
    let is_notified = !matches!(notified, Ok(false));
    let unsent = notified.err().map(|error| error.to_string());
    let unsent = unsent.or_else(|| (!is_notified).then(|| "no time left".to_owned()));
    let unsent = unsent.map(|why| format!("some notifications were not sent: {why}; the next run retries them"));
    let broken = unrecorded.clone().or_else(|| unsent.clone().filter(|_| is_notified));
    outcome.problems.extend(unrecorded.into_iter().chain(unsent));
    let sent = outcome.messages.iter().filter(|message| message.sent).count() as u64;
    if sent > 0
        && let Err(error) = store::add_alerts(&*context.store, report.generated_at.date_naive(), sent).await
    {
        tracing::warn!("cannot record the number of sent alerts: {error}");
    }
    outcome.problems.extend(keep_catalog(context, deadlines).await);
    RunCompletion { outcome, is_notified, broken }
}

/// Saves the catalog, unless it is written continuously. Returns the problem if that fails.
pub async fn keep_catalog(context: &AppContext, deadlines: Deadlines) -> Option<String> {
    let why = match within(deadlines.end, context.keep_catalog()).await {
        Some(Ok(())) => return None,
        Some(Err(error)) => error.to_string(),
        None => "no time left".to_owned(),
    };
    Some(format!("the catalog was not saved, so the next run repeats its requests: {why}"))
}

/// Sends notifications and requests rebuilds under the store lock. Returns whether time sufficed.
async fn notify(
    settings: &Settings,
    context: &AppContext,
    report: &Report,
    now: DateTime<Utc>,
    deadlines: Deadlines,
    outcome: &mut RunReport,
) -> store::Result<bool> {
    let session = async {
        let lock = context.store.lock(&report.run_id, LOCK_WAIT).await?;
        LedgerSession::open(Arc::clone(&context.store), lock).await
    };
    let Some(session) = within(deadlines.notify, session).await.transpose()? else { return Ok(false) };
    let notified = Box::pin(notify_locked(settings, context, report, now, &session, outcome));
    let notified = within(deadlines.notify, notified).await;
    session.close().await;
    notified.transpose().map(|notified| notified.is_some())
}

async fn notify_locked(
    settings: &Settings,
    context: &AppContext,
    report: &Report,
    now: DateTime<Utc>,
    session: &LedgerSession,
    outcome: &mut RunReport,
) -> store::Result<()> {
    let report_location = context.report_location();
    let notification = NotificationContext { report, report_location: Some(&report_location) };
    let planned = session.change(|ledger| plan_all(ledger, notification, settings)).await?;
    outcome.add_plan(&planned);
    let delivered = notify::deliver(session, &context.outbound.notifiers, &settings.notify, now).await?;
    outcome.add_deliveries(delivered);
    let requested = rebuilds::request(settings, context, session, &planned.rebuilds, now).await?;
    outcome.add_rebuilds(requested);
    Ok(())
}

/// The plan of one run.
pub(super) struct RunPlan {
    alerts: AlertPlan,
    pub(super) rebuilds: rebuild::RebuildPlan,
}

/// Records all due messages and rebuilds, and the notices about rebuilds.
pub(super) fn plan_all(ledger: &mut Ledger, notification: NotificationContext<'_>, settings: &Settings) -> RunPlan {
    let alerts = select::plan(ledger, notification, &settings.notify);
    if alerts.is_superseded {
        return RunPlan { alerts, rebuilds: rebuild::RebuildPlan::default() };
    }
    let Report { run_id, generated_at, .. } = notification.report;
    let rebuilds = rebuild::plan(notification.report, &mut ledger.rebuilds, &settings.rebuild, run_id, *generated_at);
    let notices = rebuild::notices(&rebuilds, &ledger.rebuilds, *generated_at);
    select::notify_of_rebuilds(ledger, &notices, notification, &settings.notify);
    RunPlan { alerts, rebuilds }
}

/// The figures of `report` for the history.
fn day(report: &Report) -> HistoryDay {
    let mut by_severity = BTreeMap::new();
    let mut by_owner = BTreeMap::new();
    for finding in &report.findings {
        *by_severity.entry(finding.severity.as_str().to_owned()).or_default() += 1;
        if finding.verdict != Verdict::Fresh {
            *by_owner.entry(finding.deployment.owner.clone().unwrap_or_default()).or_default() += 1;
        }
    }
    let days = |days: i64| u64::try_from(days).unwrap_or_default();
    let by_verdict = report.summary.by_verdict.iter();
    HistoryDay {
        date: report.generated_at.date_naive(),
        at: report.generated_at,
        run_id: report.run_id.clone(),
        complete: report.complete,
        deployments: report.summary.deployments,
        by_verdict: by_verdict.map(|(verdict, count)| (verdict.as_str().to_owned(), *count)).collect(),
        by_severity,
        by_owner,
        other_owners: 0,
        age_days: report.summary.base_age_days.map(|age| BaseAges {
            p50: days(age.p50),
            p90: days(age.p90),
            max: days(age.max),
        }),
        alerts_sent: 0,
        runs: 1,
    }
}

impl RunReport {
    pub(super) fn add_plan(&mut self, plan: &RunPlan) {
        if plan.alerts.is_superseded {
            self.problems.push("superseded by a later run: no new alerts were planned".to_owned());
        }
        self.findings_waiting += plan.alerts.waiting as u64;
        self.rebuilds_waiting += plan.rebuilds.waiting;
    }

    fn add_rebuilds(&mut self, requested: DeliverySummary<Rebuild>) {
        self.rebuilds_waiting += requested.waiting as u64;
        for rebuild in requested.tried.into_iter().map(RebuildOutcome::from) {
            let problem =
                rebuild.error.as_ref().map(|why| format!("rebuild request to {} failed: {why}", rebuild.rule));
            self.problems.extend(problem);
            self.rebuilds.push(rebuild);
        }
    }

    pub(super) fn add_deliveries(&mut self, delivered: DeliverySummary<Message>) {
        self.waiting += delivered.waiting as u64;
        self.given_up += delivered.given_up as u64;
        for message in delivered.tried.into_iter().map(MessageOutcome::from) {
            let problem =
                message.error.as_ref().map(|why| format!("notification to {} failed: {why}", message.channel));
            self.problems.extend(problem.filter(|problem| !self.problems.contains(problem)));
            self.messages.push(message);
        }
    }
}
