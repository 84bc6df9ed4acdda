//! A memory budget for responses of all registries. Each document has its own limit, but one image may have hundreds of
//! documents.

use std::{fmt, ops::Deref, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this size, in bytes, needs no reservation: nearly all are smaller, and the number of connections is
/// limited.
pub(crate) const FREE_BYTES: u64 = 64 * 1024;

/// The memory of all larger bodies, in bytes. Each counts twice, for the buffer that it is decoded in.
const TOTAL_BYTES: usize = 64 << 20;
const COUNTS: u64 = 2;

/// The budget that all registries share.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget {
    total: Arc<Semaphore>,
    bytes: usize,
}

/// The share of one registry: half of the budget, so that a slow registry does not block others.
#[derive(Clone, Debug)]
pub(crate) struct MemoryShare {
    total: Arc<Semaphore>,
    own: Arc<Semaphore>,
    bytes: usize,
}

/// A reserved part of a share and of the budget, released when dropped.
#[derive(Debug)]
pub(crate) struct MemoryReservation(#[expect(dead_code, reason = "held")] [OwnedSemaphorePermit; 2]);

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(TOTAL_BYTES)
    }
}

impl MemoryBudget {
    fn new(bytes: usize) -> Self {
        Self { total: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// A share for one registry.
    pub(crate) fn share(&self) -> MemoryShare {
        let bytes = self.bytes / 2;
        MemoryShare { total: Arc::clone(&self.total), own: Arc::new(Semaphore::new(bytes)), bytes }
    }
}

impl MemoryShare {
    /// Reserves memory for a body of `bytes`. Must not be called while holding another reservation.
    ///
    /// A body larger than the share takes the whole share. `None` after the client was shut down.
    pub(crate) async fn reserve(&self, bytes: u64) -> Option<MemoryReservation> {
        let counted = usize::try_from(bytes.saturating_mul(COUNTS)).unwrap_or(usize::MAX).min(self.bytes);
        let counted = u32::try_from(counted).unwrap_or(u32::MAX);
        let own = Arc::clone(&self.own).acquire_many_owned(counted).await.ok()?;
        let total = Arc::clone(&self.total).acquire_many_owned(counted).await.ok()?;
        Some(MemoryReservation([own, total]))
    }
}

/// The bytes of a response, which count against the budget until dropped.
pub struct ResponseBody {
    bytes: Vec<u8>,
    reserved: Option<MemoryReservation>,
}

impl ResponseBody {
    pub(crate) fn new(bytes: Vec<u8>, reserved: Option<MemoryReservation>) -> Self {
        Self { bytes, reserved }
    }

    /// The same reservation with other `bytes`.
    pub(crate) fn replaced_by(self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..self }
    }
}

impl From<Vec<u8>> for ResponseBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes, None)
    }
}

impl Deref for ResponseBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Without the content, which may be a token.
impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes, reserved: {})", self.bytes.len(), self.reserved.is_some())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for ResponseBody {
    fn eq(&self, other: &T) -> bool {
        self.bytes == other.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_large_body_waits_for_memory() {
        let share = MemoryBudget::new(400).share();
        let first = share.reserve(60).now_or_never().flatten().expect("there is room");
        assert!(share.reserve(60).now_or_never().is_none(), "each counts twice, and a registry has half");
        drop(first);
        assert!(share.reserve(60).now_or_never().is_some());
    }

    #[test]
    fn a_registry_that_uses_its_share_does_not_block_others() {
        let budget = MemoryBudget::new(400);
        let (slow, other) = (budget.share(), budget.share());
        let _held = slow.reserve(u64::MAX).now_or_never().flatten().expect("no body is too large to be held alone");
        assert!(slow.reserve(1).now_or_never().is_none());
        assert!(other.reserve(100).now_or_never().is_some());
    }
}
