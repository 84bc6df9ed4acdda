//! Deadlines of a run, and why it does not complete.

use tokio::time::{Instant, timeout_at};

/// Deadlines of the steps of a run; `None`: no deadline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadlines {
    /// For the audit.
    pub audit: Option<Instant>,
    /// For recording, notifications and rebuild requests.
    pub notify: Option<Instant>,
    /// For saving the catalog and self-monitoring.
    pub end: Option<Instant>,
}

/// Why a run did not complete.
#[derive(Debug, thiserror::Error)]
pub enum RunFailure {
    /// The audit did not finish in time. There is no report.
    #[error("timed out before the audit was complete")]
    AuditTimedOut,
    /// The notifications were not sent in time. Due messages are in the outbox.
    #[error("timed out before all notifications were sent")]
    NotifyingTimedOut,
    /// A step failed.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// The result of `work`, or `None` if it is not done by `at`. It is dropped then.
pub async fn within<T>(at: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match at {
        Some(at) => timeout_at(at, work).await.ok(),
        None => Some(work.await),
    }
}
