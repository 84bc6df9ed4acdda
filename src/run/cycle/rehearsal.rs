//! `basewatch run --dry-run`: what would be sent to whom. Writes nothing, sends nothing.

use anyhow::{Context as _, Result};

use super::{MessageOutcome, RebuildOutcome, RunReport, World, plan_all, report_place};
use crate::{
    config::Settings,
    notify::{self, select::News},
    report::Report,
};

/// What a run that found `report` would do.
pub(super) async fn rehearse(settings: &Settings, world: &World, report: &Report) -> Result<RunReport> {
    let mut ledger = notify::read(&*world.store).await.context("the ledger cannot be used")?;
    let place = report_place(&*world.store);
    let planned = plan_all(&mut ledger, News { report, place: Some(&place) }, settings);
    let mut outcome = RunReport { dry_run: true, ..RunReport::of(report, world.store.place()) };
    outcome.note(&planned);
    for due in &ledger.outbox {
        match world.receivers.notifiers.get(&due.receiver) {
            Some(notifier) if due.is_ready(&settings.notify, report.generated_at) => outcome
                .messages
                .push(MessageOutcome::previewed(&due.receiver, &due.message, notifier.preview(&due.message))),
            _ => outcome.waiting += 1,
        }
    }
    let due = planned.rebuilds.due.iter().filter_map(|key| ledger.rebuilds.get(key));
    outcome.rebuilds.extend(due.map(RebuildOutcome::of));
    Ok(outcome)
}
