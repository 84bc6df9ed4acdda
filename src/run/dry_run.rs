//! `basewatch run --dry-run`: previews of what a run would send. Writes and sends nothing.

use anyhow::{Context as _, Result};

use super::{
    CompletedRun, MessageOutcome, RebuildOutcome, RunReport,
    pipeline::{audited, plan_all},
};
use crate::{
    app::{AppContext, RunInstants},
    audit::AuditProgress,
    config::Settings,
    notify::{self, select::NotificationContext},
    outbox::{self, DueEntry},
};

/// What a run would find and send.
pub(super) async fn dry_run(
    settings: &Settings,
    context: &AppContext,
    instants: RunInstants,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> Result<CompletedRun> {
    let report = audited(settings, context, instants, progress).await?;
    let mut ledger = notify::read(&*context.store).await.context("the ledger cannot be used")?;
    let report_location = context.report_location();
    let planned = plan_all(
        &mut ledger,
        NotificationContext { report: &report, report_location: Some(&report_location) },
        settings,
    );
    let mut outcome = RunReport { dry_run: true, ..RunReport::from_report(&report, context.store.location()) };
    outcome.add_plan(&planned);
    let due = notify::due(&ledger.outbox, &settings.notify, report.generated_at);
    let (ready, waiting) = outbox::ready(due, report.generated_at);
    outcome.waiting += waiting as u64;
    for DueEntry { target, payload, .. } in ready {
        match context.outbound.notifiers.get(target) {
            Some(notifier) => {
                outcome.messages.push(MessageOutcome::previewed(target, payload, notifier.preview(payload)));
            }
            None => outcome.waiting += 1,
        }
    }
    let due = planned.rebuilds.due.iter().filter_map(|key| ledger.rebuilds.get(key));
    outcome.rebuilds.extend(due.map(RebuildOutcome::from_rebuild));
    Ok(CompletedRun { report, outcome }.settled())
}
