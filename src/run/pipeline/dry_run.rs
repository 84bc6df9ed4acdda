//! `basewatch run --dry-run`: previews of what a run would send. Writes and sends nothing.

use anyhow::{Context as _, Result};

use super::{
    AppContext, CompletedRun, MessageOutcome, RebuildOutcome, RunInstants, RunReport, audited, plan_all, report_place,
};
use crate::{
    audit::AuditProgress,
    config::Settings,
    notify::{self, select::NotificationContext},
};

/// What a run would find and send.
pub(super) async fn dry_run(
    settings: &Settings,
    world: &AppContext,
    instants: RunInstants,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Result<CompletedRun> {
    let report = audited(settings, world, instants, progress).await?;
    let mut ledger = notify::read(&*world.store).await.context("the ledger cannot be used")?;
    let place = report_place(&*world.store);
    let planned = plan_all(&mut ledger, NotificationContext { report: &report, place: Some(&place) }, settings);
    let mut outcome = RunReport { dry_run: true, ..RunReport::from_report(&report, world.store.location()) };
    outcome.add_plan(&planned);
    for due in &ledger.outbox {
        match world.outbound.notifiers.get(&due.channel) {
            Some(notifier) if due.is_ready(&settings.notify, report.generated_at) => outcome
                .messages
                .push(MessageOutcome::previewed(&due.channel, &due.message, notifier.preview(&due.message))),
            _ => outcome.waiting += 1,
        }
    }
    let due = planned.rebuilds.due.iter().filter_map(|key| ledger.rebuilds.get(key));
    outcome.rebuilds.extend(due.map(RebuildOutcome::from_rebuild));
    Ok(CompletedRun { report, outcome }.settled())
}
