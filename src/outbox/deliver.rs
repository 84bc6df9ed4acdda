//! Delivery of due entries: sends them in order and records what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};

use super::{DeliveryError, DeliveryOutcome, DeliveryRecord, DeliveryState, DeliveryTarget, OutboxSession};
use crate::{
    image::{MESSAGE_BYTES, clip},
    store,
};

/// Maximum number of targets that are delivered to concurrently.
const MAX_CONCURRENT: usize = 8;

/// An entry of an outbox.
#[derive(Debug)]
pub struct DueEntry<'a, P> {
    /// The id of its target.
    pub target: &'a str,
    /// Identical in every attempt.
    pub key: &'a str,
    /// What is sent. Every attempt sends it as it was recorded.
    pub payload: &'a P,
    /// Its delivery so far.
    pub state: &'a DeliveryState,
    /// Whether quiet hours hold it. Entries after it may be sent.
    pub is_held: bool,
}

/// Outcome of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySummary<P> {
    /// Attempts by target, each in order.
    pub tried: Vec<DeliveryAttempt<P>>,
    /// Number of entries that wait: for the end of the quiet hours, for a target that is down, or for their next attempt.
    pub waiting: usize,
    /// Number of expired entries that were dropped.
    pub given_up: usize,
}

/// One attempt to deliver an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt<P> {
    /// The id of the target.
    pub target: String,
    /// What was sent.
    pub payload: P,
    /// The acknowledgement, or why it was not delivered.
    pub outcome: DeliveryOutcome,
}

/// The `entries` that may be sent at `now`, in order, and the number of those that wait.
///
/// An entry whose target failed holds up those after it until its next attempt. One that was refused itself does not.
pub fn ready<'a, P>(
    entries: impl IntoIterator<Item = DueEntry<'a, P>>,
    now: DateTime<Utc>,
) -> (Vec<DueEntry<'a, P>>, usize) {
    let mut down = BTreeSet::new();
    let (ready, waiting): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| {
        if entry.state.holds_others(now) {
            down.insert(entry.target);
        }
        !entry.is_held && entry.state.is_ready(now) && !down.contains(entry.target)
    });
    (ready, waiting.len())
}

/// Delivers the [`ready`] ones of `entries`, which the document of `session` contains, to `targets` by id.
///
/// Targets are served concurrently, each in order. After a failure that is not about one entry, a target is left out until
/// the next run. A crash at any point leaves an entry in the outbox, even if its target has acknowledged it: it is then
/// delivered again, with the same key.
///
/// # Errors
///
/// When an outcome cannot be stored. Delivery then stops.
pub async fn deliver<'a, P: Clone + Sync + 'a, T: DeliveryTarget<P> + ?Sized>(
    session: &impl OutboxSession,
    entries: impl IntoIterator<Item = DueEntry<'a, P>>,
    targets: &BTreeMap<String, Arc<T>>,
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary<P>> {
    let (ready, waiting) = ready(entries, now);
    let mut delivered = DeliverySummary { waiting, ..DeliverySummary::default() };
    let mut by_target: BTreeMap<&str, Vec<DueEntry<'_, P>>> = BTreeMap::new();
    for entry in ready {
        by_target.entry(entry.target).or_default().push(entry);
    }
    let work = by_target
        .iter()
        .map(|(target, entries)| deliver_to(session, targets.get(*target).map(|target| &**target), entries, now));
    let work: Vec<_> = work.collect();
    let parts: Vec<_> = stream::iter(work).buffered(MAX_CONCURRENT).collect().await;
    for part in parts {
        let part: DeliverySummary<P> = part?;
        delivered.waiting += part.waiting;
        delivered.tried.extend(part.tried);
    }
    Ok(delivered)
}

async fn deliver_to<P: Clone + Sync, T: DeliveryTarget<P> + ?Sized>(
    session: &impl OutboxSession,
    target: Option<&T>,
    entries: &[DueEntry<'_, P>],
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary<P>> {
    let mut delivered = DeliverySummary::default();
    let Some(target) = target else {
        // Not recorded: the entries wait until the target is configured again, or expire.
        let error = DeliveryError::for_target("no longer configured; kept for the next run".to_owned());
        delivered.tried = entries.iter().map(|entry| entry.attempt(Err(error.clone()))).collect();
        return Ok(delivered);
    };
    delivered.waiting = entries.len();
    for batch in entries.chunks(target.batch().max(1)) {
        session.check()?;
        delivered.waiting -= batch.len();
        let payloads: Vec<&P> = batch.iter().map(|entry| entry.payload).collect();
        let outcomes = target.deliver(&payloads).await;
        let tried = delivered.tried.len();
        delivered.tried.extend(batch.iter().zip(outcomes).map(|(entry, outcome)| entry.attempt(outcome)));
        let records = batch.iter().zip(&delivered.tried[tried..]).map(|(entry, attempt)| DeliveryRecord {
            target: attempt.target.clone(),
            key: entry.key.to_owned(),
            at: now,
            outcome: attempt.outcome.clone(),
        });
        session.record(records.collect()).await?;
        let is_down = |attempt: &DeliveryAttempt<P>| attempt.outcome.as_ref().is_err_and(|error| !error.is_about_entry);
        if delivered.tried[tried..].iter().any(is_down) {
            break;
        }
    }
    Ok(delivered)
}

impl<P: Clone> DueEntry<'_, P> {
    /// An attempt to deliver it. Long reasons are cut.
    fn attempt(&self, mut outcome: DeliveryOutcome) -> DeliveryAttempt<P> {
        if let Err(error) = &mut outcome {
            error.why = clip(std::mem::take(&mut error.why), MESSAGE_BYTES);
        }
        DeliveryAttempt { target: self.target.to_owned(), payload: self.payload.clone(), outcome }
    }
}

impl<P> Default for DeliverySummary<P> {
    fn default() -> Self {
        Self { tried: Vec::new(), waiting: 0, given_up: 0 }
    }
}
