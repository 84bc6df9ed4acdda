//! Due messages: which of them may be sent, and what is recorded once they were sent or have expired.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{DeliveryHistory, Ledger, LedgerSession, Message, Notifier, NotifySettings, OutboxEntry, QuietHours};
use crate::{
    outbox::{self, DeliveryRecord, DeliverySummary, DueEntry},
    store,
};

/// A document with due messages: the ledger, or the state of self-monitoring.
pub(super) trait MessageDocument {
    /// The due messages, oldest first.
    fn outbox(&mut self) -> &mut Vec<OutboxEntry>;

    /// Applies `change` to the history of each event that `entry` carries. A history without events is removed.
    fn change_histories(&mut self, entry: &OutboxEntry, change: impl Fn(&mut DeliveryHistory));
}

impl Ledger {
    /// Records the outcome of sending a message or requesting a rebuild.
    pub(super) fn record(&mut self, record: &DeliveryRecord) {
        match self.rebuilds.get_mut(&record.key) {
            Some(rebuild) => rebuild.record(record.at, &record.outcome),
            None => self::record(self, record),
        }
    }
}

impl MessageDocument for Ledger {
    fn outbox(&mut self) -> &mut Vec<OutboxEntry> {
        &mut self.outbox
    }

    fn change_histories(&mut self, entry: &OutboxEntry, change: impl Fn(&mut DeliveryHistory)) {
        for key in &entry.alerts {
            let Some(alert) = self.alerts.get_mut(key) else { continue };
            let Some(history) = alert.deliveries.get_mut(entry.channel.as_str()) else { continue };
            change(history);
            if history.events.is_empty() {
                alert.deliveries.retain(|channel, _| channel != entry.channel);
            }
        }
    }
}

/// Delivers all due messages in the ledger of `session`.
///
/// # Errors
///
/// When the ledger cannot be written. Delivery then stops, because sent messages could not be recorded.
pub async fn deliver(
    session: &LedgerSession,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary<Message>> {
    let current = |ledger: &mut Ledger| (give_up(ledger, settings, now), ledger.outbox.clone());
    let (given_up, due_now) = session.change(current).await?;
    let delivered = outbox::deliver(session, due(&due_now, settings, now), notifiers, now).await?;
    Ok(DeliverySummary { given_up, ..delivered })
}

/// The messages of `outbox` for delivery at `now`.
pub fn due<'a>(
    outbox: &'a [OutboxEntry],
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> impl Iterator<Item = DueEntry<'a, Message>> {
    let quiet: Option<&QuietHours> = settings.quiet_hours.as_ref().filter(|hours| hours.hold(now));
    let urgent_from = quiet.map(|hours| hours.except);
    outbox.iter().map(move |entry| DueEntry {
        target: &entry.channel,
        key: &entry.message.dedup_key,
        payload: &entry.message,
        state: &entry.delivery,
        is_held: urgent_from.is_some_and(|least| entry.message.severity < least),
    })
}

/// Records in `document` the outcome of sending one of its messages.
pub(super) fn record(document: &mut impl MessageDocument, record: &DeliveryRecord) {
    let DeliveryRecord { target, key, at, outcome } = record;
    let outbox = document.outbox();
    let is_it = |entry: &OutboxEntry| entry.channel == *target && entry.message.dedup_key == *key;
    let Some(index) = outbox.iter().position(is_it) else { return };
    match outcome {
        Err(error) => outbox[index].delivery.failed(error, *at),
        Ok(receipt) => {
            let entry = outbox.remove(index);
            document.change_histories(&entry, |history| {
                for event in history.events.iter_mut().filter(|event| *event.dedup_key == **key) {
                    event.sent_at = Some(*at);
                    event.message_id = receipt.message_id.as_deref().map(Into::into);
                }
            });
        }
    }
}

/// Drops expired messages and the events they carried, so that alerts that persist trigger again. Returns the number of
/// messages.
pub(super) fn give_up(document: &mut impl MessageDocument, settings: &NotifySettings, now: DateTime<Utc>) -> usize {
    let outbox = document.outbox();
    let (old, kept): (Vec<_>, Vec<_>) =
        std::mem::take(outbox).into_iter().partition(|entry| is_expired(entry, settings, now));
    *outbox = kept;
    for entry in &old {
        document.change_histories(entry, |history| history.withdraw(&entry.message.dedup_key));
    }
    old.len()
}

/// Whether `entry` has been retried for longer than `keep_trying`.
fn is_expired(entry: &OutboxEntry, settings: &NotifySettings, now: DateTime<Utc>) -> bool {
    let longest = TimeDelta::from_std(settings.keep_trying).unwrap_or(TimeDelta::MAX);
    let is_known = || settings.channels.iter().any(|channel| channel.id == entry.channel);
    now - entry.delivery.due_at > longest && (entry.delivery.attempts > 0 || !is_known())
}
