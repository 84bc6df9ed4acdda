//! Delivery of due messages: sends them and records what was acknowledged.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt as _, stream};

use super::{
    DeliveryReceipt, Ledger, LedgerSession, Message, Notifier, NotifySettings, OutboxEntry, QuietHours,
    journal::DeliveryRecord,
};
use crate::store;

/// Maximum number of channels that are delivered to concurrently.
const MAX_CONCURRENT: usize = 8;

/// Outcome of one delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliverySummary {
    /// Attempts by channel, each in order.
    pub tried: Vec<DeliveryAttempt>,
    /// Number of messages that wait: for the end of the quiet hours, for a channel that is down, or for their next
    /// attempt.
    pub waiting: usize,
    /// Number of expired messages that were dropped.
    pub given_up: usize,
}

/// One attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The id of the channel.
    pub channel: String,
    /// The message.
    pub message: Message,
    /// The acknowledgement, or why the message was not delivered.
    pub outcome: Result<DeliveryReceipt, String>,
}

/// Delivers all due messages in the ledger of `session`.
///
/// Every message is retried, in this run and later ones, until it is acknowledged or expires. A crash at any point leaves
/// it in the outbox, even if the channel has acknowledged it: it is then delivered again, with the same `dedup_key`.
///
/// # Errors
///
/// When the ledger cannot be written. Delivery then stops, because sent messages could not be recorded.
pub async fn deliver(
    session: &LedgerSession,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary> {
    let given_up = session.change(|ledger| give_up(ledger, settings, now)).await?;
    let outbox = session.look(|ledger| ledger.outbox.clone()).await;
    let mut delivered = DeliverySummary { given_up, ..DeliverySummary::default() };
    let mut by_channel: BTreeMap<&str, Vec<&OutboxEntry>> = BTreeMap::new();
    for entry in &outbox {
        if entry.is_ready(settings, now) {
            by_channel.entry(&entry.channel).or_default().push(entry);
        } else {
            delivered.waiting += 1;
        }
    }
    let work = by_channel.into_iter().map(|(channel, entries)| async move {
        match notifiers.get(channel) {
            Some(notifier) => deliver_to(session, &**notifier, &entries, now).await,
            None => Ok(unknown(channel, &entries)),
        }
    });
    let work: Vec<_> = work.collect();
    let parts: Vec<_> = stream::iter(work).buffer_unordered(MAX_CONCURRENT).collect().await;
    for part in parts {
        let part: DeliverySummary = part?;
        delivered.waiting += part.waiting;
        delivered.tried.extend(part.tried);
    }
    delivered.tried.sort_by(|one, other| one.channel.cmp(&other.channel));
    Ok(delivered)
}

impl OutboxEntry {
    /// Whether it may be sent at `now`: its backoff has passed and no quiet hours hold it.
    #[must_use]
    pub fn is_ready(&self, settings: &NotifySettings, now: DateTime<Utc>) -> bool {
        let is_quiet = |hours: &QuietHours| hours.hold(now) && self.message.severity < hours.except;
        self.not_before.is_none_or(|at| at <= now) && !settings.quiet_hours.as_ref().is_some_and(is_quiet)
    }
}

async fn deliver_to(
    session: &LedgerSession,
    notifier: &dyn Notifier,
    entries: &[&OutboxEntry],
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary> {
    let channel = notifier.channel();
    let mut delivered = DeliverySummary { waiting: entries.len(), ..DeliverySummary::default() };
    for batch in entries.chunks(notifier.batch().max(1)) {
        session.check()?;
        delivered.waiting -= batch.len();
        let messages: Vec<&Message> = batch.iter().map(|entry| &entry.message).collect();
        let results = notifier.deliver(&messages).await;
        let is_down =
            results.iter().filter_map(|result| result.as_ref().err()).any(|failure| !failure.is_about_message);
        let entries = messages.iter().zip(&results);
        let entries =
            entries.map(|(message, result)| DeliveryRecord::from_delivery(channel, &message.dedup_key, result, now));
        session.record(entries.collect()).await?;
        delivered.tried.extend(messages.into_iter().zip(results).map(|(message, result)| DeliveryAttempt {
            channel: channel.to_owned(),
            message: message.clone(),
            outcome: result.map_err(|error| error.why),
        }));
        if is_down {
            break;
        }
    }
    Ok(delivered)
}

/// The attempts for a channel that is no longer configured. Its messages wait until they expire.
fn unknown(channel: &str, entries: &[&OutboxEntry]) -> DeliverySummary {
    let why = "the channel is no longer configured; the message is kept";
    let tried = entries.iter().map(|entry| DeliveryAttempt {
        channel: channel.to_owned(),
        message: entry.message.clone(),
        outcome: Err(why.to_owned()),
    });
    DeliverySummary { tried: tried.collect(), ..DeliverySummary::default() }
}

/// Drops expired messages and the events they carried, so that alerts that persist trigger again.
fn give_up(ledger: &mut Ledger, settings: &NotifySettings, now: DateTime<Utc>) -> usize {
    let (old, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut ledger.outbox).into_iter().partition(|entry| is_expired(entry, settings, now));
    ledger.outbox = kept;
    for entry in &old {
        for key in &entry.alerts {
            let Some(alert) = ledger.alerts.get_mut(key) else { continue };
            let Some(history) = alert.deliveries.get_mut(&entry.channel) else { continue };
            history.withdraw(&entry.message.dedup_key);
            if history.events.is_empty() {
                alert.deliveries.retain(|channel, _| channel != entry.channel);
            }
        }
    }
    old.len()
}

/// Whether `entry` has been retried for longer than `keep_trying`.
pub(super) fn is_expired(entry: &OutboxEntry, settings: &NotifySettings, now: DateTime<Utc>) -> bool {
    let longest = Duration::from_std(settings.keep_trying).unwrap_or(Duration::MAX);
    let is_known = || settings.channels.iter().any(|channel| channel.id == entry.channel);
    now - entry.due_at > longest && (entry.attempts > 0 || !is_known())
}
