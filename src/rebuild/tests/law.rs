//! Invariants for any behavior of the fleet, builds, network and crashes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::outbox::DeliveryError;

/// What happens between two runs, or in one.
#[derive(Clone, Debug)]
enum Happens {
    /// A new release of the line is published.
    Published,
    /// An image of the repository is pushed, on the current release.
    Pushed(usize),
    /// The newest image of a repository is deployed everywhere.
    Deployed(usize),
    /// A function is there or gone, readable or not.
    Flips(usize, usize, bool),
    /// Hours pass, and a run comes.
    Run { hours: i64, is_complete: bool, ends: Ends },
}

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Accepted,
    Refused {
        is_about_call: bool,
    },
    /// Killed before the ledger was saved.
    Unsaved,
    /// Killed between the save and the call.
    Uncalled,
    /// Killed after the call was received and before that was saved.
    Unheard,
}

#[derive(Clone, Debug)]
struct Function {
    base: u32,
    is_there: bool,
    is_readable: bool,
}

/// A few repositories with a few functions each.
#[derive(Debug)]
struct Fleet {
    current: u32,
    newest: Vec<u32>,
    functions: Vec<Vec<Function>>,
}

const REPOSITORIES: usize = 3;
const FUNCTIONS: usize = 3;

impl Fleet {
    fn new() -> Self {
        let function = Function { base: 1, is_there: true, is_readable: true };
        Self { current: 2, newest: vec![1; REPOSITORIES], functions: vec![vec![function; FUNCTIONS]; REPOSITORIES] }
    }

    fn happens(&mut self, what: &Happens) {
        match what {
            Happens::Published => self.current += 1,
            Happens::Pushed(repository) => self.newest[*repository] = self.current,
            Happens::Deployed(repository) => {
                for function in &mut self.functions[*repository] {
                    function.base = self.newest[*repository];
                }
            }
            Happens::Flips(repository, number, is_about_reading) => {
                let function = &mut self.functions[*repository][*number];
                let flipped = if *is_about_reading { &mut function.is_readable } else { &mut function.is_there };
                *flipped = !*flipped;
            }
            Happens::Run { .. } => {}
        }
    }

    fn report(&self, is_complete: bool) -> Report {
        let mut findings = Vec::new();
        for (repository, functions) in self.functions.iter().enumerate() {
            let name = format!("r{repository}");
            for (number, there) in functions.iter().enumerate().filter(|(_, function)| function.is_there) {
                let finding = function(&name, &format!("{name}-{number}"), there.base, self.current);
                findings.push(match self.newest[repository] {
                    _ if !there.is_readable => unknown(finding),
                    newest if newest > there.base => with_replacement(finding, &name, newest),
                    _ => finding,
                });
            }
        }
        if is_complete { report(findings) } else { incomplete(findings) }
    }

    /// The repositories with a listed function that needs a rebuild.
    fn needing(&self) -> BTreeSet<String> {
        let needs = |repository: usize, function: &Function| {
            let is_seen = function.is_there && function.is_readable;
            is_seen && function.base < self.current && self.newest[repository] <= function.base
        };
        let repositories = self.functions.iter().enumerate();
        let needing = repositories.filter(|(number, functions)| functions.iter().any(|f| needs(*number, f)));
        needing.map(|(number, _)| format!("r{number}")).collect()
    }
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        6 => Just(Ends::Accepted),
        2 => any::<bool>().prop_map(|is_about_call| Ends::Refused { is_about_call }),
        1 => Just(Ends::Unsaved),
        1 => Just(Ends::Uncalled),
        1 => Just(Ends::Unheard),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => Just(Happens::Published),
        1 => (0..REPOSITORIES).prop_map(Happens::Pushed),
        1 => (0..REPOSITORIES).prop_map(Happens::Deployed),
        1 => (0..REPOSITORIES, 0..FUNCTIONS, any::<bool>()).prop_map(|(r, f, reading)| Happens::Flips(r, f, reading)),
        8 => (0_i64..60, prop::bool::weighted(0.8), ends())
            .prop_map(|(hours, is_complete, ends)| Happens::Run { hours, is_complete, ends }),
    ]
}

/// The requests that the build service received.
#[derive(Debug, Default)]
struct Received {
    by_key: BTreeMap<String, RebuildRequest>,
    /// When each target of a repository was first requested under a new key.
    first: BTreeMap<(String, String), Vec<i64>>,
    accepted: BTreeSet<String>,
}

impl Received {
    fn call(&mut self, request: &RebuildRequest, hours: i64) -> Result<(), TestCaseError> {
        let key = &request.dedup_key;
        if let Some(before) = self.by_key.get(key) {
            prop_assert_eq!(before, request, "one key is one request");
            return Ok(());
        }
        self.by_key.insert(key.clone(), request.clone());
        let target = (request.repository.clone(), request.base_digest.clone());
        self.first.entry(target).or_default().push(hours);
        Ok(())
    }
}

fn run(
    runs: &mut Runs,
    received: &mut Received,
    fleet: &Fleet,
    hours: i64,
    is_complete: bool,
    ends: Ends,
) -> Result<(), TestCaseError> {
    let saved = runs.known.clone();
    let report = fleet.report(is_complete);
    let planned = runs.plan(hours, &report);
    let again = {
        let mut known = runs.known.clone();
        let again = plan_rebuilds(&report, &mut known, &runs.settings, "again", at(hours));
        prop_assert_eq!(&known, &runs.known, "a plan over an unchanged world records nothing new");
        again
    };
    prop_assert_eq!(&again.due, &planned.due);
    prop_assert_eq!((again.followed, again.paused, again.unaccepted), (vec![], vec![], vec![]));
    prop_assert!(planned.due.len() <= runs.settings.max_per_run);
    let needing = fleet.needing();
    for key in &planned.due {
        let rebuild = &runs.known[key];
        prop_assert!(needing.contains(&rebuild.request.repository), "only needed rebuilds are requested");
        prop_assert!(rebuild.is_open() && rebuild.sent_at.is_none());
        prop_assert_eq!(key, &rebuild.request.dedup_key);
    }
    let mut open = BTreeSet::new();
    for rebuild in runs.known.values().filter(|rebuild| rebuild.is_open()) {
        prop_assert!(open.insert(&rebuild.request.repository), "at most one is open");
    }
    if let Ends::Unsaved = ends {
        runs.known = saved;
        return Ok(());
    }
    for key in &planned.due {
        let rebuild = runs.known.get_mut(key).unwrap();
        match ends {
            Ends::Accepted => {
                received.call(&rebuild.request, hours)?;
                prop_assert!(received.accepted.insert(key.clone()), "accepted once");
                rebuild.record(at(hours), &Ok(DeliveryReceipt::default()));
            }
            Ends::Refused { is_about_call } => {
                let error = DeliveryError { is_about_entry: is_about_call, ..DeliveryError::for_target(String::new()) };
                rebuild.record(at(hours), &Err(error));
            }
            Ends::Unheard => received.call(&rebuild.request, hours)?,
            Ends::Uncalled | Ends::Unsaved => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn each_rebuild_is_accepted_once_for_any_history(story in prop::collection::vec(happens(), 1..60)) {
        let mut runs = Runs::new();
        runs.settings.max_per_run = 2;
        let mut fleet = Fleet::new();
        let mut received = Received::default();
        let mut hours = 0;
        for what in &story {
            fleet.happens(what);
            if let Happens::Run { hours: passed, is_complete, ends } = what {
                hours += passed;
                run(&mut runs, &mut received, &fleet, hours, *is_complete, *ends)?;
            }
        }
        let pause = i64::try_from(runs.settings.pause.as_secs() / 3600).unwrap();
        for (target, times) in &received.first {
            for pair in times.windows(2) {
                prop_assert!(pair[1] - pair[0] >= pause, "{:?} was requested at {:?}", target, times);
            }
        }
    }

    #[test]
    fn a_fleet_that_honors_requests_ends_without_open_rebuilds(published in prop::collection::vec(0_u32..3, 1..20)) {
        let mut runs = Runs::new();
        let mut fleet = Fleet::new();
        let mut received = Received::default();
        let mut hours = 0;
        for releases in published.iter().copied().chain([0, 0]) {
            fleet.current += releases;
            hours += 24;
            let before = received.by_key.len();
            run(&mut runs, &mut received, &fleet, hours, true, Ends::Accepted)?;
            let request_count = received.by_key.len() - before;
            prop_assert!(request_count <= REPOSITORIES);
            for repository in 0..REPOSITORIES {
                fleet.happens(&Happens::Pushed(repository));
                fleet.happens(&Happens::Deployed(repository));
            }
        }
        prop_assert!(runs.known.values().all(|rebuild| rebuild.outcome == Some(RebuildConclusion::Rebuilt)));
    }
}
