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
    let ledger = session.ledger().await;
    let mut delivered = DeliverySummary { given_up, ..DeliverySummary::default() };
    let mut by_channel: BTreeMap<&str, Vec<&OutboxEntry>> = BTreeMap::new();
    for due in &ledger.outbox {
        if due.is_ready(settings, now) {
            by_channel.entry(&due.channel).or_default().push(due);
        } else {
            delivered.waiting += 1;
        }
    }
    let work = by_channel.into_iter().map(|(channel, due)| async move {
        match notifiers.get(channel) {
            Some(notifier) => deliver_to(session, &**notifier, &due, now).await,
            None => Ok(unknown(channel, &due)),
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
    due: &[&OutboxEntry],
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary> {
    let channel = notifier.channel();
    let mut delivered = DeliverySummary { waiting: due.len(), ..DeliverySummary::default() };
    for batch in due.chunks(notifier.batch().max(1)) {
        session.check()?;
        delivered.waiting -= batch.len();
        let messages: Vec<&Message> = batch.iter().map(|due| &due.message).collect();
        let answers = notifier.deliver(&messages).await;
        let is_down =
            answers.iter().filter_map(|answer| answer.as_ref().err()).any(|failure| !failure.is_about_message);
        let entries = messages.iter().zip(&answers);
        let entries =
            entries.map(|(message, answer)| DeliveryRecord::from_delivery(channel, &message.dedup_key, answer, now));
        session.record(entries.collect()).await?;
        delivered.tried.extend(messages.into_iter().zip(answers).map(|(message, answer)| DeliveryAttempt {
            channel: channel.to_owned(),
            message: message.clone(),
            outcome: answer.map_err(|error| error.why),
        }));
        if is_down {
            break;
        }
    }
    Ok(delivered)
}

/// The attempts for a channel that is no longer configured. Its messages wait until they expire.
fn unknown(channel: &str, due: &[&OutboxEntry]) -> DeliverySummary {
    let why = "the channel is no longer configured; the message is kept";
    let tried = due.iter().map(|due| DeliveryAttempt {
        channel: channel.to_owned(),
        message: due.message.clone(),
        outcome: Err(why.to_owned()),
    });
    DeliverySummary { tried: tried.collect(), ..DeliverySummary::default() }
}

/// Drops expired messages and the events they carried, so that alerts that persist trigger again.
fn give_up(ledger: &mut Ledger, settings: &NotifySettings, now: DateTime<Utc>) -> usize {
    let (old, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut ledger.outbox).into_iter().partition(|due| is_expired(due, settings, now));
    ledger.outbox = kept;
    for due in &old {
        for key in &due.alerts {
            let Some(alert) = ledger.alerts.get_mut(key) else { continue };
            let Some(history) = alert.deliveries.get_mut(&due.channel) else { continue };
            history.withdraw(&due.message.dedup_key);
            if history.events.is_empty() {
                alert.deliveries.remove(&due.channel);
            }
        }
    }
    old.len()
}

/// Whether `due` has been retried for longer than `keep_trying`.
pub(super) fn is_expired(due: &OutboxEntry, settings: &NotifySettings, now: DateTime<Utc>) -> bool {
    let longest = Duration::from_std(settings.keep_trying).unwrap_or(Duration::MAX);
    let is_known = || settings.channels.iter().any(|channel| channel.id == due.channel);
    now - due.due_at > longest && (due.attempts > 0 || !is_known())
}
