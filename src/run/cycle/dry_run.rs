//! `basewatch run --dry-run`: previews of what a run would send. Writes and sends nothing.

use anyhow::{Context as _, Result};

use super::{Cycle, Instants, MessageOutcome, RebuildOutcome, RunReport, World, audited, plan_all, report_place};
use crate::{
    audit::Progress,
    config::Settings,
    notify::{self, select::News},
};

/// What a run would find and send.
pub(super) async fn dry_run(
    settings: &Settings,
    world: &World,
    instants: Instants,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Cycle> {
    let report = audited(settings, world, instants, progress).await?;
    let mut ledger = notify::read(&*world.store).await.context("the ledger cannot be used")?;
    let place = report_place(&*world.store);
    let planned = plan_all(&mut ledger, News { report: &report, place: Some(&place) }, settings);
    let mut outcome = RunReport { dry_run: true, ..RunReport::of(&report, world.store.place()) };
    outcome.add_plan(&planned);
    for due in &ledger.outbox {
        match world.receivers.notifiers.get(&due.channel) {
            Some(notifier) if due.is_ready(&settings.notify, report.generated_at) => outcome
                .messages
                .push(MessageOutcome::previewed(&due.channel, &due.message, notifier.preview(&due.message))),
            _ => outcome.waiting += 1,
        }
    }
    let due = planned.rebuilds.due.iter().filter_map(|key| ledger.rebuilds.get(key));
    outcome.rebuilds.extend(due.map(RebuildOutcome::of));
    Ok(Cycle { report, outcome }.settled())
}
