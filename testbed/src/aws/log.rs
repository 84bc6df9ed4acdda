//! The call log: every call, counted, cheap enough for hundreds of thousands.

use std::collections::{BTreeMap, HashMap};

/// What was called by whom and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// The account whose key signed it.
    pub account: String,
    /// The region it was signed for.
    pub region: String,
    /// The service as it is signed for: `lambda`, `ecr-public`.
    pub service: String,
    /// The operation: `ListFunctions`; empty for one that is not known here.
    pub operation: String,
}

impl CallKey {
    /// As IAM calls it: `lambda:ListFunctions`.
    #[must_use]
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// How often something was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTally {
    /// All calls, however they ended.
    pub calls: u64,
    /// Those that were answered with too many requests.
    pub throttled: u64,
    /// Those that failed otherwise, refused connections among them.
    pub refused: u64,
}

/// The calls up to a moment, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls(BTreeMap<CallKey, CallTally>);

impl Calls {
    /// How often each thing was called.
    pub fn iter(&self) -> impl Iterator<Item = (&CallKey, &CallTally)> {
        self.0.iter()
    }

    /// What `action`, such as `lambda:ListFunctions`, came to in all accounts and regions.
    #[must_use]
    pub fn tally(&self, action: &str) -> CallTally {
        self.sum(|call| call.action() == action)
    }

    /// What all calls came to.
    #[must_use]
    pub fn total(&self) -> CallTally {
        self.sum(|_| true)
    }

    /// The outcomes of the calls that `requested` accepts.
    pub fn sum(&self, requested: impl Fn(&CallKey) -> bool) -> CallTally {
        let requested = self.0.iter().filter(|(call, _)| requested(call));
        requested.fold(CallTally::default(), |sum, (_, tally)| CallTally {
            calls: sum.calls + tally.calls,
            throttled: sum.throttled + tally.throttled,
            refused: sum.refused + tally.refused,
        })
    }

    /// How often each action was called.
    #[must_use]
    pub fn by_action(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (call, tally) in &self.0 {
            *counts.entry(call.action()).or_default() += tally.calls;
        }
        counts
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Answered,
    Throttled,
    Refused,
}

/// The calls so far: four bytes for each, and one entry for each different one.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    numbers: HashMap<CallKey, u32>,
    kinds: Vec<(CallKey, CallTally)>,
    list: Vec<u32>,
}

impl CallLog {
    pub(super) fn count(&mut self, call: &CallKey, ending: Ending) {
        let number = self.numbers.get(call).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.kinds.len()).expect("kinds of calls are few");
            self.numbers.insert(call.clone(), number);
            self.kinds.push((call.clone(), CallTally::default()));
            number
        });
        self.list.push(number);
        let Some((_, tally)) = self.kinds.get_mut(number as usize) else { return };
        tally.calls += 1;
        tally.throttled += u64::from(ending == Ending::Throttled);
        tally.refused += u64::from(ending == Ending::Refused);
    }

    pub(super) fn calls(&self) -> Calls {
        Calls(self.kinds.iter().cloned().collect())
    }

    pub(super) fn list(&self) -> Vec<CallKey> {
        self.list.iter().filter_map(|number| Some(self.kinds.get(*number as usize)?.0.clone())).collect()
    }
}
