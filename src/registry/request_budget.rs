//! A budget of requests and time for a search.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

/// A number of requests and a duration for work that may use several registries.
///
/// Check [`is_used_up`](Self::is_used_up) before each unit of work. A unit that has begun may send all its requests:
/// otherwise one that needs two would never complete with a budget of one.
#[derive(Debug)]
pub struct RequestBudget {
    most: usize,
    span: Duration,
    sent: AtomicUsize,
    /// The time of the first request.
    ends_at: OnceLock<Instant>,
}

impl RequestBudget {
    /// A budget of `most` requests within `span` of the first one.
    #[must_use]
    pub fn new(most: usize, span: Duration) -> Self {
        Self { most, span, sent: AtomicUsize::new(0), ends_at: OnceLock::new() }
    }

    /// Whether no further work may begin.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.sent_count() >= self.most || self.ends_at.get().is_some_and(|ends_at| *ends_at <= Instant::now())
    }

    /// The number of requests sent.
    #[must_use]
    pub fn sent_count(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// The result of `request`; `None` if the time ends first.
    pub async fn send<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        let ends_at = *self.ends_at.get_or_init(|| {
            let now = Instant::now();
            now.checked_add(self.span).unwrap_or(now)
        });
        if ends_at <= Instant::now() {
            return None;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        timeout_at(ends_at, request).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn work_that_has_begun_is_finished_and_no_more_begins() {
        let allowance = RequestBudget::new(2, Duration::from_mins(5));
        assert_eq!(allowance.send(ready(1)).await, Some(1));
        assert!(!allowance.is_used_up());
        assert_eq!(allowance.send(ready(2)).await, Some(2));
        assert!(allowance.is_used_up());
        assert_eq!(allowance.send(ready(3)).await, Some(3));
        assert_eq!(allowance.sent_count(), 3);
        assert!(RequestBudget::new(0, Duration::from_mins(5)).is_used_up());
    }

    #[tokio::test]
    async fn the_time_starts_with_the_first_request_and_ends_a_pending_one() {
        let span = Duration::from_millis(100);
        let allowance = RequestBudget::new(100, span);
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
