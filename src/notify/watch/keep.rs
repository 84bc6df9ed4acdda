//! Keeps what is known of runs in the store, and delivers what is due of it: recorded before it is sent, and as sent
//! only once it was acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{Observed, WatchSettings, plan, state::Watch};
use crate::{
    notify::{Delivered, Delivery, Due, Notifier, Settings, journal::Answer},
    store::{self, Error, Store},
};

/// How often what somebody else wrote in the meantime is read again.
const MOST_TRIES: usize = 8;
/// How long others that deliver are waited for: they deliver this as well.
const TURN_WAIT: Duration = Duration::from_mins(1);

/// Takes note of `run` in `store`, and records what is due for it. `place` is where people find the latest report.
///
/// Noting a run twice is noting it once.
///
/// # Errors
///
/// When what is known cannot be read or written, or is of a newer basewatch.
pub async fn observe(
    store: &dyn Store,
    run: &Observed,
    settings: &Settings,
    terms: &WatchSettings,
    place: &str,
) -> store::Result<()> {
    let note = |watch: &mut Watch| {
        let is_known = watch.last_run.as_ref().is_some_and(|last| last.id == run.run_id);
        watch.note(run, terms);
        // What an outrun run knows is no news.
        if !is_known && watch.last_run.as_ref().is_some_and(|last| last.id == run.run_id) {
            plan::plan(watch, settings, terms, &run.run_id, place, run.at);
        }
    };
    update(store, note).await.map(drop)
}

/// Delivers all that is due, as [`crate::notify::deliver`] does.
///
/// # Errors
///
/// When what came of it cannot be kept: then delivering stops.
pub async fn deliver(
    store: &dyn Store,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> store::Result<Delivered> {
    let is_due = |watch: &Watch| watch.outbox.iter().any(|due| due.is_ready(settings, now));
    let watch = store::load::<Watch>(store).await?.document;
    if !is_due(&watch) {
        return Ok(Delivered { waiting: watch.outbox.len(), ..Delivered::default() });
    }
    let turn = store.turn("the watch over basewatch", TURN_WAIT).await?;
    let delivered = deliver_in_turn(store, notifiers, settings, now, &|| turn.is_held()).await;
    turn.end().await;
    delivered
}

async fn deliver_in_turn(
    store: &dyn Store,
    notifiers: &BTreeMap<String, Arc<dyn Notifier>>,
    settings: &Settings,
    now: DateTime<Utc>,
    is_held: &(dyn Fn() -> bool + Sync),
) -> store::Result<Delivered> {
    let (given_up, watch) = update(store, |watch| plan::give_up(watch, settings, now)).await?;
    let mut delivered = Delivered { given_up, ..Delivered::default() };
    let mut by_receiver: BTreeMap<&str, Vec<&Due>> = BTreeMap::new();
    for due in &watch.outbox {
        by_receiver.entry(&due.receiver).or_default().push(due);
    }
    for (receiver, due) in by_receiver {
        let mut is_down = !notifiers.contains_key(receiver);
        for due in due {
            let Some(notifier) = notifiers.get(receiver).filter(|_| !is_down && due.is_ready(settings, now)) else {
                // What comes later must not arrive before it.
                is_down = true;
                delivered.waiting += 1;
                continue;
            };
            if !is_held() {
                return Err(Error::Busy { waited: Duration::ZERO, holder: " (another run took over)".to_owned() });
            }
            let outcome = notifier.deliver(&[&due.message]).await.pop();
            let Some(outcome) = outcome else { continue };
            let answer = Answer::of(receiver, &due.message.dedup_key, &outcome, now);
            update(store, |watch| watch.take(&answer)).await?;
            is_down = outcome.is_err();
            let (receiver, message) = (receiver.to_owned(), due.message.clone());
            delivered.tried.push(Delivery { receiver, message, outcome: outcome.map_err(|failure| failure.why) });
        }
    }
    Ok(delivered)
}

/// Changes what is known, and returns when that is kept, with what is known then. `change` is made anew as long as
/// somebody else writes in between.
async fn update<T: Send>(store: &dyn Store, change: impl Fn(&mut Watch) -> T + Send) -> store::Result<(T, Watch)> {
    let mut tries = 0;
    loop {
        let mut kept = store::load::<Watch>(store).await?;
        let before = kept.document.clone();
        let result = change(&mut kept.document);
        if kept.document == before {
            return Ok((result, before));
        }
        match kept.save(store).await {
            Err(Error::Conflict { .. }) if tries < MOST_TRIES => tries += 1,
            saved => return saved.map(|()| (result, kept.document)),
        }
    }
}
