//! How many requests a piece of work may send, and for how long: so that a search that finds nothing ends.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

/// A number of requests and a time that they must not exceed together, whichever registry they go to.
#[derive(Debug)]
pub struct RequestAllowance {
    most: usize,
    span: Duration,
    sent: AtomicUsize,
    /// The time runs from the first request on.
    ends_at: OnceLock<Instant>,
}

impl RequestAllowance {
    /// At most `most` requests within `span` of the first one.
    #[must_use]
    pub fn new(most: usize, span: Duration) -> Self {
        Self { most, span, sent: AtomicUsize::new(0), ends_at: OnceLock::new() }
    }

    /// Whether no request may be sent any more.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.sent_count() >= self.most || self.ends_at.get().is_some_and(|ends_at| *ends_at <= Instant::now())
    }

    /// How many requests were sent.
    #[must_use]
    pub fn sent_count(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// What `request` answers; `None` if it may not be sent, or if the time ends before the answer is there.
    pub async fn send<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        let ends_at = *self.ends_at.get_or_init(|| {
            let now = Instant::now();
            now.checked_add(self.span).unwrap_or(now)
        });
        let take = |sent: usize| (sent < self.most).then_some(sent + 1);
        if ends_at <= Instant::now() || self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return None;
        }
        timeout_at(ends_at, request).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn no_more_requests_are_sent_than_are_allowed() {
        let allowance = RequestAllowance::new(2, Duration::from_mins(5));
        assert_eq!(allowance.send(ready(1)).await, Some(1));
        assert!(!allowance.is_used_up());
        assert_eq!(allowance.send(ready(2)).await, Some(2));
        assert_eq!(allowance.send(ready(3)).await, None);
        assert!(allowance.is_used_up());
        assert_eq!(allowance.sent_count(), 2);
    }

    #[tokio::test]
    async fn the_time_runs_from_the_first_request_and_ends_one_that_is_not_answered() {
        let span = Duration::from_millis(100);
        let allowance = RequestAllowance::new(100, span);
        tokio::time::sleep(span).await;
        assert!(!allowance.is_used_up(), "nothing was sent yet");
        let start = Instant::now();
        assert_eq!(allowance.send(pending::<()>()).await, None);
        assert!(start.elapsed() >= span, "{:?}", start.elapsed());
        assert!(allowance.is_used_up());
        assert_eq!(allowance.send(ready(1)).await, None);
        assert_eq!(allowance.sent_count(), 1, "what may not be sent is not counted");
    }
}
