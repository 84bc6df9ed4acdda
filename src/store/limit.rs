//! How large may something in a store be? One limit for whoever writes and whoever reads: what is written can be read
//! again.

use super::{Error, Result};

/// The limit of every store: a report on fifty thousand deployments is half as large.
const MOST_BYTES: u64 = 256 << 20;

/// The limit of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit(u64);

impl Default for Limit {
    fn default() -> Self {
        Self(MOST_BYTES)
    }
}

impl Limit {
    pub(super) fn new(most_bytes: u64) -> Self {
        Self(most_bytes)
    }

    pub(super) fn most_bytes(self) -> u64 {
        self.0
    }

    /// Fails if something has more `bytes`. `what` is what was tried: `cannot write ledger.json`.
    pub(super) fn check(self, bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
        if bytes <= self.0 { Ok(()) } else { Err(Error::TooLarge { what: what(), most_bytes: self.0 }) }
    }
}
