//! Self-monitoring in the store: messages are stored before they are sent, and removed once acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{ObservedRun, SelfMonitorSettings, plan, state::SelfMonitor};
use crate::{
    notify::{Message, Notifier, NotifySettings, due_messages},
    outbox::{self, DeliveryRecord, DeliverySummary, OutboxSession},
    store::{self, Error, Store, StoreLock},
};

/// Maximum retries after a conflicting write.
const MAX_CONFLICTS: usize = 8;
/// How long to wait for the store lock. Its holder delivers these messages as well.
const LOCK_WAIT: Duration = Duration::from_mins(1);

/// Records `run` in `store`, with the messages that are due. `report_location` is where people find the latest report.
///
/// Idempotent: recording a run twice changes nothing.
///
/// # Errors
///
/// When the state cannot be read or written, or a newer basewatch wrote it.
pub async fn observe(
    store: &dyn Store,
    run: &ObservedRun,
    settings: &NotifySettings,
    monitor_settings: &SelfMonitorSettings,
    report_location: &str,
) -> store::Result<()> {
    let note = |monitor: &mut SelfMonitor| {
        let is_known = monitor.last_run.as_ref().is_some_and(|last| last.id == run.run_id);
        monitor.note(run, monitor_settings);
        // A superseded run plans nothing.
        if !is_known && monitor.last_run.as_ref().is_some_and(|last| last.id == run.run_id) {
            plan::plan(monitor, settings, monitor_settings, &run.run_id, report_location, run.at);
        }
    };
    update(store, note).await.map(drop)
}

/// The state of self-monitoring while this process holds the store lock. Other runs may record their health meanwhile.
struct MonitorSession<'a> {
    store: &'a dyn Store,
    lock: Box<dyn StoreLock>,
}

impl OutboxSession for MonitorSession<'_> {
    fn lock(&self) -> &dyn StoreLock {
        &*self.lock
    }

    async fn record(&self, outcomes: Vec<DeliveryRecord>) -> store::Result<()> {
        let record =
            |monitor: &mut SelfMonitor| outcomes.iter().for_each(|outcome| due_messages::record(monitor, outcome));
        update(self.store, record).await.map(drop)
    }
}

/// Delivers all due messages, like [`crate::notify::deliver`].
///
/// # Errors
///
/// When an outcome cannot be stored. Delivery then stops.
pub async fn deliver(
    store: &dyn Store,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary<Message>> {
    let monitor = store::load::<SelfMonitor>(store).await?.document;
    let (ready, waiting) = outbox::ready(due_messages::due(&monitor.outbox, settings, now), now);
    if ready.is_empty() {
        return Ok(DeliverySummary { waiting, ..DeliverySummary::default() });
    }
    let session = MonitorSession { store, lock: store.lock("self-monitoring", LOCK_WAIT).await? };
    let delivered = async {
        let (given_up, monitor) = update(store, |monitor| due_messages::give_up(monitor, settings, now)).await?;
        let due = due_messages::due(&monitor.outbox, settings, now);
        let delivered = outbox::deliver(&session, due, notifiers, now).await?;
        Ok(DeliverySummary { given_up, ..delivered })
    };
    let delivered = delivered.await;
    session.lock.release().await;
    delivered
}

/// Applies `change` to the stored state and returns the result with the state as stored. Repeats `change` after a
/// conflicting write.
async fn update<T: Send>(
    store: &dyn Store,
    change: impl Fn(&mut SelfMonitor) -> T + Send,
) -> store::Result<(T, SelfMonitor)> {
    let mut conflicts = 0;
    loop {
        let mut kept = store::load::<SelfMonitor>(store).await?;
        let before = kept.document.clone();
        let result = change(&mut kept.document);
        if kept.document == before {
            return Ok((result, before));
        }
        match kept.save(store).await {
            Err(Error::Conflict { .. }) if conflicts < MAX_CONFLICTS => conflicts += 1,
            saved => return saved.map(|()| (result, kept.document)),
        }
    }
}
