//! Delivers what is due: sends, and records what was acknowledged, and only that.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt as _, stream};

use super::{Due, Keeper, Ledger, Message, Notifier, QuietHours, Receipt, Settings, journal::Answer};
use crate::store;

/// Receivers that are told at once.
const RECEIVERS: usize = 8;

/// What came of delivering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// What was tried, by receiver, each in order.
    pub tried: Vec<Delivery>,
    /// How many messages still wait: for the end of the quiet hours, for a receiver that is down, or because they were
    /// tried in vain not long ago.
    pub waiting: usize,
    /// How many were given up, after having been tried for long.
    pub given_up: usize,
}

/// One message that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To whom, by the receiver's id.
    pub receiver: String,
    /// The message.
    pub message: Message,
    /// What came of it: what the receiver said, or why it was not delivered.
    pub outcome: Result<Receipt, String>,
}

/// Delivers all that is due in the ledger of `keeper`.
///
/// Every message is tried until it is acknowledged, in this run or a later one, and for as long as the settings say.
/// A crash at any point leaves it due, or acknowledged and still due: it is then delivered again, with the same
/// `dedup_key`.
///
/// # Errors
///
/// When the ledger cannot be kept: then delivering stops, as what was sent could not be remembered.
pub async fn deliver(
    keeper: &Keeper,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> store::Result<Delivered> {
    let given_up = keeper.change(|ledger| give_up(ledger, settings, now)).await?;
    let ledger = keeper.ledger().await;
    let mut delivered = Delivered { given_up, ..Delivered::default() };
    let mut by_receiver: BTreeMap<&str, Vec<&Due>> = BTreeMap::new();
    for due in &ledger.outbox {
        if due.is_ready(settings, now) {
            by_receiver.entry(&due.receiver).or_default().push(due);
        } else {
            delivered.waiting += 1;
        }
    }
    let work = by_receiver.into_iter().map(|(receiver, due)| async move {
        match notifiers.get(receiver) {
            Some(notifier) => deliver_to(keeper, &**notifier, &due, now).await,
            None => Ok(unknown(receiver, &due)),
        }
    });
    let work: Vec<_> = work.collect();
    let parts: Vec<_> = stream::iter(work).buffer_unordered(RECEIVERS).collect().await;
    for part in parts {
        let part: Delivered = part?;
        delivered.waiting += part.waiting;
        delivered.tried.extend(part.tried);
    }
    delivered.tried.sort_by(|one, other| one.receiver.cmp(&other.receiver));
    Ok(delivered)
}

impl Due {
    /// Whether it may be tried at `now`: it was not tried in vain a moment ago, and wakes nobody who sleeps.
    #[must_use]
    pub fn is_ready(&self, settings: &Settings, now: DateTime<Utc>) -> bool {
        let is_quiet = |hours: &QuietHours| hours.hold(now) && self.message.severity < hours.except;
        self.not_before.is_none_or(|at| at <= now) && !settings.quiet_hours.as_ref().is_some_and(is_quiet)
    }
}

async fn deliver_to(
    keeper: &Keeper,
    notifier: &dyn Notifier,
    due: &[&Due],
    now: DateTime<Utc>,
) -> store::Result<Delivered> {
    let receiver = notifier.receiver();
    let mut delivered = Delivered { waiting: due.len(), ..Delivered::default() };
    for batch in due.chunks(notifier.batch().max(1)) {
        keeper.check()?;
        delivered.waiting -= batch.len();
        let messages: Vec<&Message> = batch.iter().map(|due| &due.message).collect();
        let answers = notifier.deliver(&messages).await;
        let is_down =
            answers.iter().filter_map(|answer| answer.as_ref().err()).any(|failure| !failure.is_about_message);
        let answered = messages.iter().zip(&answers);
        let answered = answered.map(|(message, answer)| Answer::of(receiver, &message.dedup_key, answer, now));
        keeper.answered(answered.collect()).await?;
        delivered.tried.extend(messages.into_iter().zip(answers).map(|(message, answer)| Delivery {
            receiver: receiver.to_owned(),
            message: message.clone(),
            outcome: answer.map_err(|undelivered| undelivered.why),
        }));
        if is_down {
            break;
        }
    }
    Ok(delivered)
}

/// Messages for a receiver that is no longer configured wait for it to come back.
fn unknown(receiver: &str, due: &[&Due]) -> Delivered {
    let why = "it is not in the configuration any more: the message is kept for now";
    let tried = due.iter().map(|due| Delivery {
        receiver: receiver.to_owned(),
        message: due.message.clone(),
        outcome: Err(why.to_owned()),
    });
    Delivered { tried: tried.collect(), ..Delivered::default() }
}

/// Forgets messages that were tried for too long, and that their findings were to be told by them: what is still
/// there will be told anew.
fn give_up(ledger: &mut Ledger, settings: &Settings, now: DateTime<Utc>) -> usize {
    let (old, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut ledger.outbox).into_iter().partition(|due| is_hopeless(due, settings, now));
    ledger.outbox = kept;
    for due in &old {
        for finding in &due.findings {
            let Some(alert) = ledger.alerts.get_mut(finding) else { continue };
            let Some(told) = alert.told.get_mut(&due.receiver) else { continue };
            told.untell(&due.message.dedup_key);
            if told.events.is_empty() {
                alert.told.remove(&due.receiver);
            }
        }
    }
    old.len()
}

/// Whether `due` was tried for too long.
pub(super) fn is_hopeless(due: &Due, settings: &Settings, now: DateTime<Utc>) -> bool {
    let longest = Duration::from_std(settings.keep_trying).unwrap_or(Duration::MAX);
    let is_known = || settings.receivers.iter().any(|receiver| receiver.id == due.receiver);
    now - due.due_at > longest && (due.attempts > 0 || !is_known())
}
