//! Delivery of any entries to any targets, interrupted anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{
    executor::block_on,
    future::{BoxFuture, FutureExt as _},
};
use proptest::prelude::*;

use super::*;

fn start() -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse().unwrap()
}

fn down(retry_after: Option<u64>) -> DeliveryError {
    let retry_after = retry_after.map(Duration::from_secs);
    DeliveryError { retry_after, ..DeliveryError::for_target("503".to_owned()) }
}

#[test]
fn waits_double_from_five_minutes_to_almost_six_hours() {
    let mut state = DeliveryState::new(start());
    let mut minutes = Vec::new();
    for _ in 0..10 {
        state.failed(&down(None), start());
        minutes.push(state.not_before.map_or(0, |at| (at - start()).num_minutes()));
    }
    assert_eq!(minutes, [0, 5, 10, 20, 40, 80, 160, 320, 350, 350]);
    assert_eq!((state.attempts, state.refusals, state.last_error.as_deref()), (10, 0, Some("503")));
    assert!(!state.is_ready(start()) && state.is_ready(start() + TimeDelta::hours(6)));
    state.attempts = u32::MAX;
    state.failed(&down(None), start());
    assert_eq!(state.not_before, Some(start() + TimeDelta::minutes(350)));
}

#[test]
fn a_requested_wait_is_honored_up_to_the_longest_backoff() {
    for (requested, expected) in [(1, 1), (7200, 7200), (86_400, 350 * 60), (u64::MAX, 350 * 60)] {
        let mut state = DeliveryState::new(start());
        state.failed(&down(Some(requested)), start());
        assert_eq!(state.not_before, Some(start() + TimeDelta::seconds(expected)), "{requested}");
    }
}

#[test]
fn only_consecutive_refusals_of_the_entry_itself_are_counted() {
    let mut state = DeliveryState::new(start());
    for (is_about_entry, refusals) in [(true, 1), (true, 2), (false, 0), (true, 1)] {
        state.failed(&DeliveryError { is_about_entry, ..down(None) }, start());
        assert_eq!(state.refusals, refusals);
    }
}

#[test]
fn an_entry_whose_target_failed_holds_up_those_after_it_and_a_refused_one_does_not() {
    let mut states = vec![DeliveryState::new(start()); 5];
    let later = start() + TimeDelta::hours(1);
    for (state, is_about_entry) in [(0, true), (2, false)] {
        states[state].failed(&DeliveryError { is_about_entry, ..down(Some(7200)) }, start());
    }
    let targets = ["a", "a", "a", "a", "b"];
    let keys = ["0", "1", "2", "3", "4"];
    let entries = |held: usize| {
        let states = states.iter().enumerate();
        states.map(move |(nth, state)| DueEntry {
            target: targets[nth],
            key: keys[nth],
            payload: &(),
            state,
            is_held: nth == held,
        })
    };
    let sent = |held, now| ready(entries(held), now).0.into_iter().map(|entry| entry.key).collect::<String>();
    assert_eq!(sent(9, later), "14");
    assert_eq!(sent(1, later), "4");
    assert_eq!(sent(1, later + TimeDelta::hours(1)), "0234", "quiet hours do not hold up what is urgent");
    assert_eq!(ready(entries(9), later).1, 3);
}

/// One stored entry.
#[derive(Clone, Debug)]
struct Stored {
    target: String,
    key: String,
    state: DeliveryState,
}

/// A lock that is always held.
#[derive(Debug)]
struct Held;

impl StoreLock for Held {
    fn is_held(&self) -> bool {
        true
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

/// A document in memory. The process is killed before a record is stored.
struct Document {
    entries: Mutex<Vec<Stored>>,
    records_left: AtomicUsize,
}

impl OutboxSession for Document {
    fn lock(&self) -> &dyn StoreLock {
        &Held
    }

    async fn record(&self, outcomes: Vec<DeliveryRecord>) -> store::Result<()> {
        let count = |left: usize| left.checked_sub(1);
        if self.records_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).is_err() {
            return Err(store::Error::Unavailable { what: "killed".to_owned(), why: String::new() });
        }
        let mut entries = self.entries.lock().unwrap();
        for DeliveryRecord { target, key, at, outcome } in outcomes {
            let index = entries.iter().position(|entry| entry.target == target && entry.key == key).unwrap();
            match outcome {
                Ok(_) => drop(entries.remove(index)),
                Err(error) => entries[index].state.failed(&error, at),
            }
        }
        Ok(())
    }
}

/// How a target answers during one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Acknowledged,
    /// Accepts the first entry of a run and is then down.
    Down,
    /// Refuses entries whose key ends in `0`.
    Picky,
}

#[derive(Debug)]
struct Receiver {
    batch: usize,
    answers: Mutex<(Answers, usize)>,
    accepted: Mutex<Vec<String>>,
}

impl DeliveryTarget<String> for Receiver {
    fn batch(&self) -> usize {
        self.batch
    }

    fn deliver<'a>(&'a self, keys: &'a [&'a String]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        let answer = |key: &&String| {
            let mut answers = self.answers.lock().unwrap();
            answers.1 += 1;
            match *answers {
                (Answers::Down, 2..) => return Err(down(None)),
                (Answers::Picky, _) if key.ends_with('0') => return Err(DeliveryError::for_entry("422".to_owned())),
                _ => {}
            }
            self.accepted.lock().unwrap().push((**key).clone());
            Ok(DeliveryReceipt::default())
        };
        let answered = keys.iter().map(answer).collect();
        async { answered }.boxed()
    }
}

fn answers() -> impl Strategy<Value = Answers> {
    prop_oneof![Just(Answers::Acknowledged), Just(Answers::Down), Just(Answers::Picky)]
}

/// A run after a number of minutes, the answers of both targets, and the record at which it is killed.
fn runs() -> impl Strategy<Value = Vec<(i64, [Answers; 2], usize)>> {
    prop::collection::vec((1_i64..600, [answers(), answers()], 0_usize..8), 0..20)
}

/// Delivers the entries of `document` once. Each run reads the keys anew.
fn run(document: &Document, targets: &BTreeMap<String, Arc<Receiver>>, now: DateTime<Utc>) -> bool {
    let stored = document.entries.lock().unwrap().clone();
    let due = stored.iter().map(|entry| DueEntry {
        target: &entry.target,
        key: &entry.key,
        payload: &entry.key,
        state: &entry.state,
        is_held: false,
    });
    block_on(deliver(document, due, targets, now)).is_ok()
}

#[test]
fn entries_of_a_target_that_is_no_longer_configured_are_reported_and_kept() {
    let entry = Stored { target: "removed".to_owned(), key: "1".to_owned(), state: DeliveryState::new(start()) };
    let document = Document { entries: Mutex::new(vec![entry.clone()]), records_left: AtomicUsize::new(0) };
    let due =
        DueEntry { target: &entry.target, key: &entry.key, payload: &entry.key, state: &entry.state, is_held: false };
    let targets = BTreeMap::<String, Arc<Receiver>>::new();
    let delivered = block_on(deliver(&document, [due], &targets, start())).unwrap();
    let [attempt] = &delivered.tried[..] else { panic!("{delivered:?}") };
    assert_eq!(attempt.outcome.as_ref().unwrap_err().why, "no longer configured; kept for the next run");
    assert_eq!(document.entries.lock().unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn whatever_fails_or_is_killed_every_entry_arrives_in_order_and_repeats_only_after_a_kill(
        of_targets in prop::collection::vec(0_usize..2, 1..12),
        batches in [1_usize..4, 1_usize..4],
        story in runs(),
    ) {
        let name = |target: usize| format!("target {target}");
        let entries: Vec<_> = of_targets.iter().enumerate().map(|(nth, target)| Stored {
            target: name(*target),
            key: format!("{target} {nth:02}"),
            state: DeliveryState::new(start()),
        }).collect();
        let document = Document { entries: Mutex::new(entries.clone()), records_left: AtomicUsize::new(0) };
        let targets: BTreeMap<_, _> = batches.into_iter().enumerate().map(|(nth, batch)| {
            let (answers, accepted) = (Mutex::new((Answers::Acknowledged, 0)), Mutex::default());
            (name(nth), Arc::new(Receiver { batch, answers, accepted }))
        }).collect();
        let mut now = start();
        let mut kills = 0;
        let was_picky = story.iter().any(|(_, answers, _)| answers.contains(&Answers::Picky));
        let end = (600, [Answers::Acknowledged; 2], usize::MAX);
        for (minutes, answers, records) in story.into_iter().chain([end]) {
            now += TimeDelta::minutes(minutes);
            for (target, answers) in targets.values().zip(answers) {
                *target.answers.lock().unwrap() = (answers, 0);
            }
            document.records_left.store(records, Ordering::SeqCst);
            kills += usize::from(!run(&document, &targets, now));
        }
        prop_assert!(document.entries.lock().unwrap().is_empty());
        for (target, receiver) in &targets {
            let accepted = receiver.accepted.lock().unwrap();
            let expected: Vec<_> = entries.iter().filter(|entry| entry.target == *target).map(|e| e.key.clone()).collect();
            let mut known = BTreeSet::new();
            let first: Vec<_> = accepted.iter().filter(|key| known.insert((*key).clone())).cloned().collect();
            prop_assert_eq!(known, expected.iter().cloned().collect::<BTreeSet<_>>(), "all arrive, under their keys");
            prop_assert!(was_picky || first == expected, "in order: {:?}", accepted);
            prop_assert!(accepted.len() <= expected.len() + kills * receiver.batch, "repeats: {:?}", accepted);
        }
    }
}
