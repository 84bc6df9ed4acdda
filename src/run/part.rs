//! Notification of a partial audit between two runs, such as of a pushed image. Stores no report and requests no rebuild.

use std::sync::Arc;

use super::{Deadlines, RunReport, keep_catalog, within};
use crate::{
    app::{AppContext, LOCK_WAIT},
    config::Settings,
    notify::{
        self, LedgerSession,
        select::{self, NotificationContext},
    },
    report::Report,
    store,
};

/// Notifies of the findings in `report`. `is_unlisted`: no inventory lists them. Without due messages the store is not
/// written.
///
/// `None` if the time ran out. Messages that were recorded stay in the outbox.
///
/// # Errors
///
/// Those of the store.
pub async fn notify_part(
    settings: &Settings,
    context: &AppContext,
    report: &Report,
    is_unlisted: bool,
    deadlines: Deadlines,
) -> store::Result<Option<RunReport>> {
    let mut outcome = RunReport::from_report(report, context.store.location());
    let notified = within(deadlines.notify, notify(settings, context, report, is_unlisted, &mut outcome)).await;
    outcome.problems.extend(keep_catalog(context, deadlines).await);
    Ok(notified.transpose()?.map(|()| outcome))
}

async fn notify(
    settings: &Settings,
    context: &AppContext,
    report: &Report,
    is_unlisted: bool,
    outcome: &mut RunReport,
) -> store::Result<()> {
    let notification = NotificationContext { report, report_location: None };
    let mut preview = notify::read(&*context.store).await?;
    let due_count = preview.outbox.len();
    let planned = select::plan_part(&mut preview, notification, &settings.notify, is_unlisted);
    outcome.findings_waiting += planned.waiting as u64;
    if preview.outbox.len() == due_count && planned.joined == 0 {
        return Ok(());
    }
    let lock = context.store.lock(&report.run_id, LOCK_WAIT).await?;
    let session = LedgerSession::open(Arc::clone(&context.store), lock).await?;
    let delivered = async {
        session.change(|ledger| select::plan_part(ledger, notification, &settings.notify, is_unlisted)).await?;
        notify::deliver(&session, &context.outbound.notifiers, &settings.notify, report.generated_at).await
    };
    let delivered = delivered.await;
    session.close().await;
    outcome.add_deliveries(delivered?);
    Ok(())
}
