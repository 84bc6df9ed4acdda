//! A fortnight of daily runs, some of which are killed.

use std::{collections::BTreeMap, process::Child, sync::Arc, thread, time::Duration};

use basewatch::{
    notify::{self, Ledger},
    store::{self, Store},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::{
    child::{self, Orders},
    compare::{Difference, essence_of},
    ground::{Ground, Kind, Snapshot},
    killing::{Killing, Moments},
    post::{Arrival, During, Post},
    script::{DAYS, Tools},
};

/// How a run ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// At this moment of the store, counted from 0.
    Moment(usize),
    /// At this place of this call, counted from 0.
    Call(usize, During),
    /// So long after its process was started.
    After(Duration),
}

/// An undisturbed fortnight.
pub(crate) struct Undisturbed {
    pub(crate) kind: Kind,
    /// What was kept before each day, and at the end.
    before: Vec<Snapshot>,
    pub(crate) arrivals: Vec<Arrival>,
    /// How many moments each day had.
    pub(crate) moments: Vec<usize>,
    /// How many calls.
    pub(crate) calls: Vec<usize>,
    pub(crate) ledger: Ledger,
}

/// What came of killing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// How many runs did end before their time.
    pub(crate) killed: usize,
    /// After how many of them ledger or journal could not be read.
    pub(crate) unreadable: usize,
    /// How many files were left behind that are not whole.
    pub(crate) left_over: usize,
    pub(crate) difference: Difference,
    /// Where the ledger at the end is another one.
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
        let ground = Ground::new(kind, &before[0]);
        let (store, post) = (ground.place().open(), Post::start(Vec::new()));
        for day in 0..DAYS {
            ground.advance(Duration::from_hours(24));
            post.open(day, None);
            moments.push(self.run(day, false, &store, &post));
            calls.push(post.calls());
            before.push(ground.snapshot());
        }
        let ledger = self.runtime.block_on(notify::read(&*store)).unwrap();
        Undisturbed { kind, before, arrivals: post.arrivals(), moments, calls, ledger }
    }

    /// The same fortnight with `kills` by day. What comes before the first of them is taken from the undisturbed one:
    /// it would be the same.
    pub(crate) fn disturbed(&self, undisturbed: &Undisturbed, kills: &BTreeMap<usize, Kill>) -> Outcome {
        let first = kills.keys().next().expect("at least one kill");
        let ground = Ground::new(undisturbed.kind, &undisturbed.before[*first]);
        self.disturbed_on(&ground, undisturbed, kills)
    }

    /// The same on `ground`, which is how it was before the first of `kills`.
    pub(crate) fn disturbed_on(
        &self,
        ground: &Ground,
        undisturbed: &Undisturbed,
        kills: &BTreeMap<usize, Kill>,
    ) -> Outcome {
        let first = *kills.keys().next().expect("at least one kill");
        let arrivals = undisturbed.arrivals.iter().filter(|arrival| arrival.day < first);
        let post = Post::start(arrivals.cloned().collect());
        let store = ground.place().open();
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
        let expected = essence_of(&undisturbed.ledger);
        let ledger = self.runtime.block_on(notify::read(&*store)).unwrap();
        outcome.ledger = essence_of(&ledger).into_iter().filter(|line| !expected.contains(line)).collect();
        if essence_of(&ledger).len() < expected.len() {
            outcome.ledger.push("something is missing".to_owned());
        }
        outcome
    }

    /// Runs a day in this process, and says how many moments it had.
    fn run(&self, day: usize, is_second: bool, store: &Arc<dyn Store>, post: &Post) -> usize {
        let moments = Moments::until(None);
        let counting = Arc::new(Killing::new(Arc::clone(store), Arc::clone(&moments)));
        let done = self.runtime.block_on(self.tools.run(day, is_second, counting, &post.endpoint()));
        let unexpected: Vec<_> = done.problems.iter().filter(|problem| !problem.contains("503")).collect();
        assert!(unexpected.is_empty(), "day {day}: {unexpected:?}");
        moments.passed()
    }

    fn is_readable(&self, store: &dyn Store) -> bool {
        self.runtime.block_on(async {
            let (ledger, whole) = (store::load::<Ledger>(store).await, notify::read(store).await);
            let history = store::history(store).await;
            for error in [ledger.as_ref().err(), whole.as_ref().err(), history.as_ref().err()].into_iter().flatten() {
                println!("after a kill: {error}");
            }
            ledger.is_ok() && whole.is_ok() && history.is_ok()
        })
    }
}

/// Runs `day` in a process of its own, and says whether that was killed.
fn killed(day: usize, kill: Kill, ground: &Ground, post: &Post) -> bool {
    let (last_moment, at_call, after) = match kill {
        Kill::Moment(nth) => (Some(nth), None, None),
        Kill::Call(nth, during) => (None, Some((nth, during)), None),
        Kill::After(span) => (None, None, Some(span)),
    };
    post.open(day, at_call);
    let orders = Orders { day, store: ground.place(), post: post.endpoint(), last_moment };
    let child = orders.start(post);
    if let Some(span) = after {
        kill_after(&child, span);
    }
    child::was_killed(child, post)
}

/// When the moment comes is what is tried out here: any is right.
fn kill_after(child: &Child, span: Duration) {
    thread::sleep(span);
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
}

/// Reports of days that are long gone: the first run removes them.
fn old_reports(kind: Kind) -> Snapshot {
    let above = match kind {
        Kind::Folder => String::new(),
        Kind::Bucket => format!("{}/", crate::bucket::PREFIX),
    };
    let name = |day: &str| format!("{above}reports/2001/01/{day}/200101{day}T060000Z-old.json");
    ["01", "02"].into_iter().map(|day| (name(day), b"{}".to_vec())).collect()
}
