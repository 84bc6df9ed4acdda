//! A rate limiter: one queue of evenly spaced requests.

use std::{
    sync::{Mutex as StdMutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep_until},
};

/// From this interval on, spacing is measured from the response to the previous request instead of its start: a first
/// request that takes long to connect must not arrive together with the second.
const SLOW: Duration = Duration::from_millis(500);

/// Below this, timer inaccuracy is a considerable part of the interval.
const TICK: Duration = Duration::from_millis(20);

/// Spaces the requests to one service, and delays them while it throttles.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    times: StdMutex<LimiterState>,
    /// The holder sends the next request; the lock is fair.
    queue: Mutex<()>,
    eased: Notify,
}

#[derive(Debug)]
struct LimiterState {
    interval: Option<Duration>,
    next_at: Option<Instant>,
    paused_until: Option<Instant>,
}

impl LimiterState {
    fn ready_at(&self) -> Option<Instant> {
        self.next_at.max(self.paused_until)
    }

    /// When the request after one sent at `now` may be sent.
    fn next_after(&self, now: Instant, span: Duration) -> Instant {
        if span >= SLOW {
            // Until the response, assume arrival within one interval.
            return now + span * 2;
        }
        if span >= TICK {
            return now + span;
        }
        // Timers are inaccurate: the next requests make up for the delay.
        let due = self.next_at.unwrap_or(now).max(now.checked_sub(TICK).unwrap_or(now));
        due + span
    }
}

/// One request that was sent.
#[derive(Debug)]
pub(crate) struct RatePermit<'a> {
    limiter: &'a RateLimiter,
}

impl RateLimiter {
    /// At most `rate` requests a second; `None` is unlimited.
    pub(crate) fn new(rate: Option<f64>) -> Self {
        let times = LimiterState { interval: interval(rate), next_at: None, paused_until: None };
        Self { times: StdMutex::new(times), queue: Mutex::new(()), eased: Notify::new() }
    }

    /// Changes the rate for the requests to come.
    pub(crate) fn set_rate(&self, rate: Option<f64>) {
        self.times().interval = interval(rate);
    }

    /// Delays all requests for `wait`, unless a longer pause is in effect.
    pub(crate) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut times = self.times();
        times.paused_until = times.paused_until.max(Some(until));
    }

    /// Waits until the next request may be sent.
    pub(crate) async fn acquire(&self) -> RatePermit<'_> {
        let _next = self.queue.lock().await;
        loop {
            let ready_at = {
                let mut times = self.times();
                let now = Instant::now();
                let Some(at) = times.ready_at().filter(|at| *at > now) else {
                    times.next_at = times.interval.map(|span| times.next_after(now, span));
                    return RatePermit { limiter: self };
                };
                at
            };
            tokio::select! {
                () = sleep_until(ready_at) => {}
                () = self.eased.notified() => {}
            }
        }
    }

    fn times(&self) -> std::sync::MutexGuard<'_, LimiterState> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RatePermit<'_> {
    /// Records the response, so the request has certainly arrived.
    pub(crate) fn answered(self) {
        let mut times = self.limiter.times();
        if let Some(span) = times.interval.filter(|span| *span >= SLOW) {
            times.next_at = times.next_at.min(Some(Instant::now() + span));
            drop(times);
            self.limiter.eased.notify_one();
        }
    }
}

fn interval(rate: Option<f64>) -> Option<Duration> {
    rate.filter(|rate| *rate > 0.0).and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The slowest rate that is not waited for by hand: just over half a second.
    const RATE: f64 = 1.9;
    const INTERVAL: Duration = Duration::from_millis(526);

    #[tokio::test]
    async fn at_a_slow_rate_the_interval_is_measured_from_the_response() {
        let limiter = Arc::new(RateLimiter::new(Some(RATE)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let limiter = Arc::clone(&limiter);
            tasks.spawn(async move {
                let permit = limiter.acquire().await;
                let left_at = Instant::now();
                tokio::time::sleep(Duration::from_millis(100)).await;
                permit.answered();
                left_at
            });
        }
        let mut left = tasks.join_all().await;
        left.sort();
        for pair in left.windows(2) {
            let interval = pair[1] - pair[0];
            assert!(interval >= INTERVAL + Duration::from_millis(100) && interval < INTERVAL * 20, "{interval:?}");
        }
    }

    #[tokio::test]
    async fn a_request_without_a_response_blocks_the_queue_for_two_intervals_only() {
        let limiter = RateLimiter::new(Some(RATE));
        let start = Instant::now();
        for _ in 0..2 {
            let _ = limiter.acquire().await;
        }
        assert!(start.elapsed() >= INTERVAL * 2 && start.elapsed() < INTERVAL * 20, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_rate_finer_than_timers_is_kept_on_average() {
        let limiter = RateLimiter::new(Some(10_000.0));
        let start = Instant::now();
        for _ in 0..10_000 {
            let _ = limiter.acquire().await;
        }
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(900) && elapsed < Duration::from_secs(6), "{elapsed:?}");
    }

    #[tokio::test]
    async fn at_a_fast_rate_no_request_waits_for_responses() {
        let limiter = RateLimiter::new(Some(100.0));
        let start = Instant::now();
        for _ in 0..11 {
            let _ = limiter.acquire().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_pause_delays_every_request_of_the_host_and_is_never_shortened() {
        let limiter = RateLimiter::new(None);
        let start = Instant::now();
        limiter.acquire().await.answered();
        assert!(start.elapsed() < Duration::from_millis(100));
        limiter.pause(Duration::from_millis(200));
        limiter.pause(Duration::from_millis(20));
        limiter.acquire().await.answered();
        assert!(start.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_cancelled_waiter_does_not_use_a_permit() {
        let limiter = RateLimiter::new(Some(RATE));
        limiter.acquire().await.answered();
        let start = Instant::now();
        let gave_up = tokio::time::timeout(Duration::from_millis(50), limiter.acquire()).await;
        assert!(gave_up.is_err());
        limiter.acquire().await.answered();
        assert!(start.elapsed() < INTERVAL * 2, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_rate_can_be_raised_while_requests_wait() {
        let limiter = RateLimiter::new(Some(RATE));
        limiter.set_rate(Some(1000.0));
        let start = Instant::now();
        for _ in 0..5 {
            limiter.acquire().await.answered();
        }
        assert!(start.elapsed() < INTERVAL, "{:?}", start.elapsed());
    }
}
