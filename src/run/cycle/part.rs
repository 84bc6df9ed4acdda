//! Tells of one thing that was looked at between two runs. Records no report, and asks for no rebuild: what was built
//! a moment ago is not built again unasked.

use std::sync::Arc;

use super::{RunReport, TURN_WAIT, Until, World, keep_catalog, within};
use crate::{
    config::Settings,
    notify::{
        self, Keeper,
        select::{self, News},
    },
    report::Report,
    store,
};

/// Tells who has to know what `report` says of the few things in it; `is_unlisted` if no inventory will find them
/// again. The store is left alone where there is nothing to tell.
///
/// `None` if there was no time left: what is due is in the ledger, as far as it got there.
///
/// # Errors
///
/// Those of the store.
pub async fn tell_part(
    settings: &Settings,
    world: &World,
    report: &Report,
    is_unlisted: bool,
    until: Until,
) -> store::Result<Option<RunReport>> {
    let mut outcome = RunReport::of(report, world.store.place());
    let told = within(until.tell, tell(settings, world, report, is_unlisted, &mut outcome)).await;
    outcome.problems.extend(keep_catalog(world, until).await);
    Ok(told.transpose()?.map(|()| outcome))
}

async fn tell(
    settings: &Settings,
    world: &World,
    report: &Report,
    is_unlisted: bool,
    outcome: &mut RunReport,
) -> store::Result<()> {
    let news = News { report, place: None };
    let mut rehearsed = notify::read(&*world.store).await?;
    let due = rehearsed.outbox.len();
    let planned = select::plan_part(&mut rehearsed, news, &settings.notify, is_unlisted);
    outcome.findings_waiting += planned.waiting as u64;
    if rehearsed.outbox.len() == due && planned.joined == 0 {
        return Ok(());
    }
    let turn = world.store.turn(&report.run_id, TURN_WAIT).await?;
    let keeper = Keeper::open(Arc::clone(&world.store), turn).await?;
    let told = async {
        keeper.change(|ledger| select::plan_part(ledger, news, &settings.notify, is_unlisted)).await?;
        notify::deliver(&keeper, &world.receivers.notifiers, &settings.notify, report.generated_at).await
    };
    let told = told.await;
    keeper.close().await;
    outcome.delivered(told?);
    Ok(())
}
