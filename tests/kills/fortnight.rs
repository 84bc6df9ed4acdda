//! A fortnight of daily runs, some of which are killed.

use std::{collections::BTreeMap, process::Child, sync::Arc, thread, time::Duration};

use basewatch::{
    notify::{self, Ledger, self_monitor::SelfMonitor},
    store::{self, Store},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::{
    child::{self, ChildOrders},
    compare::{Difference, essence_of},
    ground::{Kind, Snapshot, TestStore},
    killing::{KillingStore, Moments},
    post::{Arrival, CallStage, ChannelServer},
    script::{DAYS, Tools},
};

/// When a run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At this moment of the store, counted from 0.
    Moment(usize),
    /// At this stage of this call, counted from 0.
    Call(usize, CallStage),
    /// This long after its process was started.
    After(Duration),
}

/// An undisturbed fortnight.
pub(crate) struct Undisturbed {
    pub(crate) kind: Kind,
    /// The store before each day and at the end.
    before: Vec<Snapshot>,
    pub(crate) arrivals: Vec<Arrival>,
    /// Number of moments by day.
    pub(crate) moments: Vec<usize>,
    /// Number of calls by day.
    pub(crate) calls: Vec<usize>,
    pub(crate) ledger: Ledger,
    pub(crate) monitor: SelfMonitor,
}

/// The outcome of a fortnight with kills.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Number of killed runs.
    pub(crate) killed: usize,
    /// Number of kills after which a document was unreadable.
    pub(crate) unreadable: usize,
    /// Number of incomplete files left behind.
    pub(crate) left_over: usize,
    pub(crate) difference: Difference,
    /// Differences of the final ledger and of the health of the runs.
    pub(crate) ledger: Vec<String>,
}

/// Runs fortnights, one after the other.
pub(crate) struct Runner {
    runtime: Runtime,
    tools: Tools,
}

impl Runner {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tools = {
            let _inside = runtime.enter();
            Tools::new()
        };
        Self { runtime, tools }
    }

    /// A fortnight without kills.
    pub(crate) fn undisturbed(&self, kind: Kind) -> Undisturbed {
        let (mut before, mut moments, mut calls) = (vec![old_reports(kind)], Vec::new(), Vec::new());
        let ground = TestStore::new(kind, &before[0]);
        let (store, post) = (ground.address().open(), ChannelServer::start(Vec::new()));
        for day in 0..DAYS {
            ground.advance(Duration::from_hours(24));
            post.open(day, None);
            moments.push(self.run(day, false, &store, &post));
            calls.push(post.calls());
            before.push(ground.snapshot());
        }
        let (ledger, monitor) = self.read(&*store);
        Undisturbed { kind, before, arrivals: post.arrivals(), moments, calls, ledger, monitor }
    }

    /// The same fortnight with `kills` by day. The days before the first kill are taken from the undisturbed one.
    pub(crate) fn disturbed(&self, undisturbed: &Undisturbed, kills: &BTreeMap<usize, Kill>) -> Outcome {
        let first = kills.keys().next().expect("at least one kill");
        let ground = TestStore::new(undisturbed.kind, &undisturbed.before[*first]);
        self.disturbed_on(&ground, undisturbed, kills)
    }

    /// The same on `ground`, in its state before the first of `kills`.
    pub(crate) fn disturbed_on(
        &self,
        ground: &TestStore,
        undisturbed: &Undisturbed,
        kills: &BTreeMap<usize, Kill>,
    ) -> Outcome {
        let first = *kills.keys().next().expect("at least one kill");
        let arrivals = undisturbed.arrivals.iter().filter(|arrival| arrival.day < first);
        let post = ChannelServer::start(arrivals.cloned().collect());
        let store = ground.address().open();
        let mut outcome = Outcome::default();
        for day in first..DAYS {
            ground.advance(Duration::from_hours(24));
            if let Some(kill) = kills.get(&day) {
                let is_killed = killed(day, *kill, ground, &post);
                outcome.killed += usize::from(is_killed);
                outcome.unreadable += usize::from(!self.is_readable(&*store));
                ground.advance(Duration::from_mins(50));
                if !is_killed {
                    continue;
                }
            }
            post.open(day, None);
            self.run(day, kills.contains_key(&day), &store, &post);
        }
        outcome.left_over = ground.unfinished().len();
        outcome.difference = Difference::between(&undisturbed.arrivals, &post.arrivals());
        let expected = essence_of(&undisturbed.ledger, &undisturbed.monitor);
        let (ledger, monitor) = self.read(&*store);
        let found = essence_of(&ledger, &monitor);
        outcome.ledger = found.iter().filter(|line| !expected.contains(line)).cloned().collect();
        if found.len() < expected.len() {
            outcome.ledger.push("an entry is missing".to_owned());
        }
        outcome
    }

    /// Runs a day in this process. Returns its number of moments.
    fn run(&self, day: usize, is_second: bool, store: &Arc<dyn Store>, post: &ChannelServer) -> usize {
        let moments = Moments::until(None);
        let counting = Arc::new(KillingStore::new(Arc::clone(store), Arc::clone(&moments)));
        let done = self.runtime.block_on(self.tools.run(day, is_second, counting, &post.endpoint()));
        let unexpected: Vec<_> = done.problems.iter().filter(|problem| !problem.contains("503")).collect();
        assert!(unexpected.is_empty(), "day {day}: {unexpected:?}");
        moments.passed()
    }

    fn read(&self, store: &dyn Store) -> (Ledger, SelfMonitor) {
        self.runtime.block_on(async {
            (notify::read(store).await.unwrap(), store::load::<SelfMonitor>(store).await.unwrap().document)
        })
    }

    fn is_readable(&self, store: &dyn Store) -> bool {
        self.runtime.block_on(async {
            let (ledger, whole) = (store::load::<Ledger>(store).await, notify::read(store).await);
            let (history, monitor) = (store::history(store).await, store::load::<SelfMonitor>(store).await);
            let errors = [ledger.err(), whole.err(), history.err(), monitor.err()];
            for error in errors.iter().flatten() {
                println!("after a kill: {error}");
            }
            errors.iter().all(Option::is_none)
        })
    }
}

/// Runs `day` in its own process. Returns whether it was killed.
fn killed(day: usize, kill: Kill, ground: &TestStore, post: &ChannelServer) -> bool {
    let (last_moment, at_call, after) = match kill {
        Kill::Moment(nth) => (Some(nth), None, None),
        Kill::Call(nth, during) => (None, Some((nth, during)), None),
        Kill::After(span) => (None, None, Some(span)),
    };
    post.open(day, at_call);
    let instructions = ChildOrders { day, store: ground.address(), post: post.endpoint(), last_moment };
    let child = instructions.start(post);
    if let Some(span) = after {
        kill_after(&child, span);
    }
    child::was_killed(child, post)
}

/// Kills `child` after `span`, at whatever point it has reached.
fn kill_after(child: &Child, span: Duration) {
    thread::sleep(span);
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
}

/// Reports past their retention, which the first run removes.
fn old_reports(kind: Kind) -> Snapshot {
    let above = match kind {
        Kind::Folder => String::new(),
        Kind::Bucket => format!("{}/", testbed::bucket::PREFIX),
    };
    let name = |day: &str| format!("{above}reports/2001/01/{day}/200101{day}T060000Z-old.json");
    ["01", "02"].into_iter().map(|day| (name(day), b"{}".to_vec())).collect()
}
