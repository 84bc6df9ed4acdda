//! How long may a cycle take, and what is left of it when that is over?

use tokio::time::{Instant, timeout_at};

use super::Cycle;

/// Until when a cycle may do what; without an instant, for as long as it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Until {
    /// Look at what runs.
    pub audit: Option<Instant>,
    /// Record it, tell people and ask for rebuilds.
    pub tell: Option<Instant>,
    /// Keep what was learned.
    pub end: Option<Instant>,
}

/// What was not done when there was no time left.
#[derive(Clone, Debug)]
pub enum Unfinished {
    /// The audit: nothing was concluded.
    Audit,
    /// Not everybody was told: what is due is in the ledger.
    Telling(Box<Cycle>),
}

/// What `work` comes to, unless it takes longer than until `at`: then it is dropped where it is.
pub async fn within<T>(at: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match at {
        Some(at) => timeout_at(at, work).await.ok(),
        None => Some(work.await),
    }
}
