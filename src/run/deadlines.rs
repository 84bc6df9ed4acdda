//! Deadlines of a run, and what is left when they pass.

use tokio::time::{Instant, timeout_at};

use super::CompletedRun;

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

/// The step that did not finish in time.
#[derive(Clone, Debug)]
pub enum TimedOut {
    /// The audit. There is no report.
    Audit,
    /// Notifications. Due messages are in the outbox.
    Notifying(Box<CompletedRun>),
}

/// The result of `work`, or `None` if it is not done by `at`. It is dropped then.
pub async fn within<T>(at: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match at {
        Some(at) => timeout_at(at, work).await.ok(),
        None => Some(work.await),
    }
}
