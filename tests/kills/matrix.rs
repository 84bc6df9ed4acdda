//! The matrix: every moment at which a run can be killed, with a folder and with a bucket; over all that is delivered:
//! alerts, rebuild requests and self-monitoring.

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use basewatch::notify::EventKind;

use crate::{
    fortnight::{Kill, Outcome, Runner, Undisturbed},
    ground::Kind,
    post::CallStage,
    script::{CHANNELS, DAYS},
};

/// Set to test every point, each in its own fortnight. Takes minutes.
const ALL: &str = "BASEWATCH_TEST_ALL_POINTS";
/// Number of fortnights at a time.
const AT_ONCE: usize = 2;

/// Kills by day.
type Kills = BTreeMap<usize, Kill>;

/// All points of the fortnight.
fn points(undisturbed: &Undisturbed) -> Vec<(usize, Kill)> {
    let moments = undisturbed.moments.iter().enumerate();
    let moments = moments.flat_map(|(day, count)| (0..*count).map(move |nth| (day, Kill::Moment(nth))));
    let calls = undisturbed.calls.iter().enumerate();
    let calls = calls.flat_map(|(day, count)| (0..*count).map(move |nth| (day, nth)));
    let calls = calls.flat_map(|(day, nth)| CallStage::ALL.map(move |during| (day, Kill::Call(nth, during))));
    moments.chain(calls).collect()
}

/// Runs a fortnight for each of `plans`. Returns the outcomes in the same order.
fn run(undisturbed: &Undisturbed, plans: &[Kills]) -> Vec<Outcome> {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        let runner = Runner::new();
        loop {
            let nth = next.fetch_add(1, Ordering::SeqCst);
            let Some(kills) = plans.get(nth) else { return };
            let outcome = runner.disturbed(undisturbed, kills);
            outcomes.lock().unwrap().insert(nth, outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), plans.len());
    outcomes.into_values().collect()
}

/// One row of the matrix.
#[derive(Default)]
struct Row {
    runs: usize,
    killed: usize,
    lost: usize,
    strange: usize,
    again: usize,
    most_again: usize,
    builds_again: usize,
    unreadable: usize,
    left_over: usize,
}

impl Row {
    fn add(&mut self, kills: &Kills, outcome: &Outcome) {
        let Outcome { killed, unreadable, left_over, difference, ledger } = outcome;
        for (what, which) in [("lost", &difference.lost), ("strange", &difference.strange), ("ledger", ledger)] {
            for it in which {
                println!("{kills:?}: {what}: {it}");
            }
        }
        self.runs += 1;
        self.killed += killed;
        self.lost += difference.lost.len();
        self.strange += difference.strange.len() + ledger.len();
        self.again += difference.again;
        self.most_again = self.most_again.max(difference.again);
        self.builds_again += difference.builds_again;
        self.unreadable += unreadable;
        self.left_over += left_over;
        // Each channel may have accepted a message whose acknowledgement was not recorded, and one call may be under way.
        assert!(difference.again <= CHANNELS.len() * killed, "{kills:?}: {difference:?}");
        assert!(difference.builds_again <= *killed, "{kills:?}: {difference:?}");
    }

    fn print(&self, of: &str) {
        let Self { runs, killed, lost, strange, again, most_again, builds_again, unreadable, left_over } = self;
        println!(
            "| {of:34} | {runs:5} | {killed:5} | {lost:4} | {strange:7} | {again:5} | {most_again:4} | \
             {builds_again:8} | {unreadable:10} | {left_over:9} |"
        );
    }

    fn check(&self) {
        assert_eq!((self.lost, self.strange, self.unreadable), (0, 0, 0));
    }
}

fn header() {
    println!(
        "| killed                             | runs  | kills | lost | strange | again | most | builds   | \
         unreadable | left over |\n\
         |------------------------------------|-------|-------|------|---------|-------|------|----------|\
         ------------|-----------|"
    );
}

/// Describes a point.
fn class(kind: Kind, kill: Kill) -> String {
    let of = match kill {
        Kill::Moment(nth) if nth % 2 == 0 => "before a write or lock".to_owned(),
        Kill::Moment(_) => "after a write or lock".to_owned(),
        Kill::Call(_, during) => format!("call {during:?}"),
        Kill::After(_) => "at any time".to_owned(),
    };
    format!("{kind:?}, {of}")
}

/// Fortnights that cover `points`: one each, or those of every other day combined.
fn plans(points: &[(usize, Kill)], is_alone: bool) -> Vec<Kills> {
    if is_alone {
        return points.iter().map(|point| Kills::from([*point])).collect();
    }
    let mut plans: [Vec<Kills>; 2] = Default::default();
    for (day, kill) in points {
        let plans = &mut plans[day % 2];
        match plans.iter_mut().find(|plan| !plan.contains_key(day)) {
            Some(plan) => drop(plan.insert(*day, *kill)),
            None => plans.push(Kills::from([(*day, *kill)])),
        }
    }
    plans.into_iter().flatten().collect()
}

/// Kills at every point, or at every `step`th; prints the matrix.
fn matrix(kind: Kind, step: usize) {
    let begun = Instant::now();
    let undisturbed = Runner::new().undisturbed(kind);
    let all = points(&undisturbed);
    let is_all = env::var_os(ALL).is_some();
    let mut by_class: BTreeMap<String, Vec<(usize, Kill)>> = BTreeMap::new();
    for (day, kill) in &all {
        by_class.entry(class(kind, *kill)).or_default().push((*day, *kill));
    }
    let mut rows = Vec::new();
    for (of, points) in by_class {
        let points: Vec<_> = points.into_iter().step_by(if is_all { 1 } else { step }).collect();
        let plans = plans(&points, is_all);
        let mut row = Row::default();
        plans.iter().zip(run(&undisturbed, &plans)).for_each(|(kills, outcome)| row.add(kills, &outcome));
        // A caller that has the response may end before it is killed.
        assert!(row.killed == points.len() || of.contains("Responded"), "{of}: {} of {}", row.killed, points.len());
        rows.push((of, row));
    }
    header();
    for (of, row) in &rows {
        row.print(of);
    }
    let killed: usize = rows.iter().map(|(_, row)| row.killed).sum();
    println!("killed at {killed} of {} points in {:?}", all.len(), begun.elapsed());
    for (_, row) in &rows {
        row.check();
    }
}

#[test]
fn a_run_over_a_folder_killed_at_any_moment_loses_nothing() {
    matrix(Kind::Folder, 1);
}

#[test]
fn a_run_over_a_bucket_killed_at_any_moment_loses_nothing() {
    matrix(Kind::Bucket, 2);
}

#[test]
fn a_run_killed_every_day_at_any_moment_loses_nothing() {
    let seed = env::var("BASEWATCH_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("BASEWATCH_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    header();
    for kind in [Kind::Folder, Kind::Bucket] {
        let undisturbed = Runner::new().undisturbed(kind);
        let any = |random: &mut fastrand::Rng| Kill::After(Duration::from_micros(random.u64(20_000..300_000)));
        let plans: Vec<Kills> = (0..4).map(|_| (0..DAYS).map(|day| (day, any(&mut random))).collect()).collect();
        let known = |random: &mut fastrand::Rng, day: usize| {
            let of: Vec<_> = points(&undisturbed).into_iter().filter(|(at, _)| *at == day).collect();
            random.choice(of).unwrap()
        };
        let points: Vec<Kills> = (0..4).map(|_| (0..DAYS).map(|day| known(&mut random, day)).collect()).collect();
        for (of, plans) in [("every day at any time", plans), ("every day at a point", points)] {
            let mut row = Row::default();
            plans.iter().zip(run(&undisturbed, &plans)).for_each(|(kills, outcome)| row.add(kills, &outcome));
            row.print(&format!("{kind:?}, {of}"));
            row.check();
            assert!(row.left_over <= row.killed, "a killed run leaves one file at most");
        }
    }
}

#[test]
fn the_fortnight_covers_every_kind_of_event() {
    let undisturbed = Runner::new().undisturbed(Kind::Folder);
    let bodies = || undisturbed.arrivals.iter().filter(|arrival| arrival.is_taken).map(|arrival| &arrival.body);
    let count = |event: EventKind| {
        let counts = bodies().filter_map(|body| body["events"].get(event.as_str())?.as_u64());
        counts.sum::<u64>()
    };
    for event in [EventKind::Triggered, EventKind::Escalated, EventKind::Reminded, EventKind::Resolved] {
        assert!(count(event) >= 2, "{event:?}: {}", count(event));
    }
    for kind in ["backlog", "findings", "rebuilds", "watch"] {
        assert!(bodies().any(|body| body["kind"] == kind), "{kind}");
    }
    assert!(undisturbed.arrivals.iter().any(|arrival| !arrival.is_taken), "a channel was down");
    let outcomes: Vec<_> = undisturbed.ledger.rebuilds.values().filter_map(|rebuild| rebuild.outcome).collect();
    for outcome in [basewatch::rebuild::RebuildConclusion::Rebuilt, basewatch::rebuild::RebuildConclusion::Overdue] {
        assert!(outcomes.contains(&outcome), "{outcome:?}");
    }
    assert!(undisturbed.ledger.outbox.is_empty());
    let on_the_incomplete_day = undisturbed.arrivals.iter().filter(|arrival| arrival.day == 4);
    assert!(on_the_incomplete_day.into_iter().all(|arrival| arrival.body["events"].get("resolved").is_none()));
    let keys: Vec<_> = bodies().map(crate::compare::key).collect();
    assert_eq!(keys.len(), keys.iter().collect::<std::collections::BTreeSet<_>>().len(), "no message is repeated");
}
