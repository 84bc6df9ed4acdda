//! How many bytes of answers are in memory at once, over all registries? Each document has a limit of its own, but one
//! image may have hundreds of them.

use std::{fmt, ops::Deref, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this size waits for nothing: all but hostile ones are this small, and connections are few.
pub(super) const FREE_BYTES: u64 = 64 * 1024;

/// How much memory larger bodies take together. Each counts twice, for the buffer that it is decoded in.
const TOTAL_BYTES: usize = 64 << 20;
const COUNTS: u64 = 2;

/// What all registries share.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    total: Arc<Semaphore>,
    bytes: usize,
}

/// What one registry may take of it: half, so that one that sends slowly leaves the rest to the others.
#[derive(Clone, Debug)]
pub(super) struct Share {
    total: Arc<Semaphore>,
    own: Arc<Semaphore>,
    bytes: usize,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    _own: OwnedSemaphorePermit,
    _total: OwnedSemaphorePermit,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(TOTAL_BYTES)
    }
}

impl Budget {
    fn new(bytes: usize) -> Self {
        Self { total: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// The share of one registry.
    pub(super) fn share(&self) -> Share {
        let bytes = self.bytes / 2;
        Share { total: Arc::clone(&self.total), own: Arc::new(Semaphore::new(bytes)), bytes }
    }
}

impl Share {
    /// Waits until a body of `bytes` may be held. Nobody may wait here while holding another one.
    ///
    /// A body that is larger than the share takes all of it. `None` after the client was shut down.
    pub(super) async fn reserve(&self, bytes: u64) -> Option<Reserved> {
        let counted = usize::try_from(bytes.saturating_mul(COUNTS)).unwrap_or(usize::MAX).min(self.bytes);
        let counted = u32::try_from(counted).unwrap_or(u32::MAX);
        let own = Arc::clone(&self.own).acquire_many_owned(counted).await.ok()?;
        let total = Arc::clone(&self.total).acquire_many_owned(counted).await.ok()?;
        Some(Reserved { _own: own, _total: total })
    }
}

/// The bytes of an answer. As long as they are there they count as being in memory, so they are best read and dropped.
pub struct Body {
    bytes: Vec<u8>,
    reserved: Option<Reserved>,
}

impl Body {
    pub(super) fn new(bytes: Vec<u8>, reserved: Option<Reserved>) -> Self {
        Self { bytes, reserved }
    }

    /// The same with `bytes` in place of these.
    pub(super) fn replaced_by(self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..self }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes, None)
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Without the content: it may be a token.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes, reserved: {})", self.bytes.len(), self.reserved.is_some())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Body {
    fn eq(&self, other: &T) -> bool {
        self.bytes == other.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn bodies_wait_until_there_is_room_for_them() {
        let share = Budget::new(400).share();
        let first = share.reserve(60).now_or_never().flatten().expect("there is room");
        assert!(share.reserve(60).now_or_never().is_none(), "each counts twice, and a registry has half");
        drop(first);
        assert!(share.reserve(60).now_or_never().is_some());
    }

    #[test]
    fn a_registry_that_holds_its_share_leaves_the_rest_to_others() {
        let budget = Budget::new(400);
        let (slow, other) = (budget.share(), budget.share());
        let _held = slow.reserve(u64::MAX).now_or_never().flatten().expect("no body is too large to be held alone");
        assert!(slow.reserve(1).now_or_never().is_none());
        assert!(other.reserve(100).now_or_never().is_some());
    }
}
