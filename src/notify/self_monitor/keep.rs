//! Self-monitoring in the store: messages are stored before they are sent, and removed once acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{ObservedRun, SelfMonitorSettings, plan, state::SelfMonitor};
use crate::{
    notify::{DeliveryAttempt, DeliverySummary, Notifier, NotifySettings, OutboxEntry, journal::DeliveryRecord},
    store::{self, Error, Store},
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
) -> store::Result<DeliverySummary> {
    let is_due = |monitor: &SelfMonitor| monitor.outbox.iter().any(|entry| entry.is_ready(settings, now));
    let monitor = store::load::<SelfMonitor>(store).await?.document;
    if !is_due(&monitor) {
        return Ok(DeliverySummary { waiting: monitor.outbox.len(), ..DeliverySummary::default() });
    }
    let lock = store.lock("self-monitoring", LOCK_WAIT).await?;
    let delivered = deliver_locked(store, notifiers, settings, now, &|| lock.is_held()).await;
    lock.release().await;
    delivered
}

async fn deliver_locked(
    store: &dyn Store,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &NotifySettings,
    now: DateTime<Utc>,
    is_held: &(dyn Fn() -> bool + Sync),
) -> store::Result<DeliverySummary> {
    let (given_up, monitor) = update(store, |monitor| plan::give_up(monitor, settings, now)).await?;
    let mut delivered = DeliverySummary { given_up, ..DeliverySummary::default() };
    let mut by_channel: BTreeMap<&str, Vec<&OutboxEntry>> = BTreeMap::new();
    for entry in &monitor.outbox {
        by_channel.entry(&entry.channel).or_default().push(entry);
    }
    for (channel, entries) in by_channel {
        let mut is_down = !notifiers.contains_key(channel);
        for entry in entries {
            let Some(notifier) = notifiers.get(channel).filter(|_| !is_down && entry.is_ready(settings, now)) else {
                // Later messages must not overtake it.
                is_down = true;
                delivered.waiting += 1;
                continue;
            };
            if !is_held() {
                return Err(Error::Busy { waited: Duration::ZERO, holder: " (another run took over)".to_owned() });
            }
            let outcome = notifier.deliver(&[&entry.message]).await.pop();
            let Some(outcome) = outcome else { continue };
            let record = DeliveryRecord::from_delivery(channel, &entry.message.dedup_key, &outcome, now);
            update(store, |monitor| monitor.apply(&record)).await?;
            is_down = outcome.is_err();
            let (channel, message) = (channel.to_owned(), entry.message.clone());
            delivered.tried.push(DeliveryAttempt { channel, message, outcome: outcome.map_err(|failure| failure.why) });
        }
    }
    Ok(delivered)
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
