//! The size limit of objects. It holds for writes and reads, so that everything written can be read again.

use super::{Error, Result, port::MOST_BYTES};

/// A size limit, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ObjectSizeLimit(u64);

impl Default for ObjectSizeLimit {
    fn default() -> Self {
        Self(MOST_BYTES)
    }
}

impl ObjectSizeLimit {
    pub(super) fn new(most_bytes: u64) -> Self {
        Self(most_bytes)
    }

    pub(super) fn most_bytes(self) -> u64 {
        self.0
    }

    /// Fails if `bytes` exceeds the limit. `what` describes the operation: `cannot write ledger.json`.
    pub(super) fn check(self, bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
        if bytes <= self.0 { Ok(()) } else { Err(Error::TooLarge { what: what(), most_bytes: self.0 }) }
    }
}
