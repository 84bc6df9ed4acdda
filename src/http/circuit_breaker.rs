//! A circuit breaker for a host that is down: after some requests in a row have failed with all their retries, and no
//! other has succeeded meanwhile, further requests fail at once with the same error, so that thousands of them do not
//! each wait for a timeout. At intervals one request tests whether the host has recovered.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Error;

/// The interval between test requests to a host that is down.
const REST: Duration = Duration::from_secs(30);
/// The longest time that a host is left alone because it requests it.
const LONGEST_REST: Duration = Duration::from_hours(24);

/// The circuit breaker of one host.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    /// The number of failed requests in a row that opens it.
    failures_to_open: u32,
    state: Mutex<BreakerState>,
}

#[derive(Debug, Default)]
struct BreakerState {
    answered_at: Option<Instant>,
    /// The number of failed requests in a row.
    failures: u32,
    open: Option<OpenCircuit>,
}

#[derive(Debug)]
struct OpenCircuit {
    cause: Arc<Error>,
    until: Instant,
}

impl CircuitBreaker {
    /// A breaker that `failures_to_open` failed requests in a row open.
    pub(super) fn new(failures_to_open: u32) -> Self {
        Self { failures_to_open, state: Mutex::default() }
    }

    /// Fails while the circuit is open; lets one request through at the end of each interval.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut state = self.state();
        let now = Instant::now();
        match &mut state.open {
            Some(open) if now < open.until => {
                Err(Error::Suspended { cause: Arc::clone(&open.cause), rest: open.until - now })
            }
            Some(open) => {
                open.until = now + REST;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Records a response of a working host.
    pub(super) fn record_success(&self) {
        *self.state() = BreakerState { answered_at: Some(Instant::now()), ..BreakerState::default() };
    }

    /// Records that a request that began at `begun` failed with a transient `error`. If the host requested to be left
    /// alone for `rest`, one failure is enough.
    pub(super) fn record_failure(&self, begun: Instant, error: &Error, rest: Option<Duration>) {
        let mut state = self.state();
        if state.answered_at.is_some_and(|answered_at| answered_at >= begun) {
            return;
        }
        state.failures += 1;
        if rest.is_some() || state.failures >= self.failures_to_open {
            let until = Instant::now() + rest.unwrap_or(REST).min(LONGEST_REST);
            state.open = Some(OpenCircuit { cause: Arc::new(error.clone()), until });
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, BreakerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &CircuitBreaker, begun: Instant, rest: Option<Duration>) {
        breaker.record_failure(begun, &Error::Unreachable("refused".into()), rest);
    }

    #[test]
    fn after_one_request_has_failed_others_fail_at_once_until_a_response() {
        let breaker = CircuitBreaker::new(1);
        assert!(breaker.check().is_ok());
        fail(&breaker, Instant::now(), None);
        assert_eq!(breaker.check().expect_err("open").to_string(), "cannot be reached: refused");
        breaker.record_success();
        assert!(breaker.check().is_ok());
    }

    #[test]
    fn failures_are_counted_from_the_last_response_on() {
        let breaker = CircuitBreaker::new(2);
        for _ in 0..3 {
            fail(&breaker, Instant::now(), None);
            assert!(breaker.check().is_ok());
            breaker.record_success();
        }
        let begun = Instant::now();
        fail(&breaker, begun, None);
        fail(&breaker, begun, None);
        assert!(breaker.check().is_err());
    }

    #[test]
    fn one_hanging_document_does_not_open_the_circuit_if_others_succeed() {
        let breaker = CircuitBreaker::new(1);
        let begun = Instant::now();
        breaker.record_success();
        fail(&breaker, begun, None);
        assert!(breaker.check().is_ok());
    }

    #[test]
    fn a_host_that_requests_a_wait_is_left_alone_for_it() {
        let breaker = CircuitBreaker::new(2);
        fail(&breaker, Instant::now(), Some(Duration::from_mins(5)));
        let Err(Error::Suspended { rest, .. }) = breaker.check() else { unreachable!("it is open") };
        assert!(rest > Duration::from_mins(4) && rest <= Duration::from_mins(5), "{rest:?}");
        fail(&breaker, Instant::now(), Some(Duration::MAX));
        assert!(breaker.check().is_err());
    }

    #[test]
    fn at_the_end_of_an_interval_one_request_tests_the_host() {
        let breaker = CircuitBreaker::new(1);
        fail(&breaker, Instant::now(), None);
        breaker.state().open.as_mut().expect("open").until = Instant::now();
        assert!(breaker.check().is_ok());
        assert!(breaker.check().is_err());
    }
}
