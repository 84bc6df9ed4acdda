//! A circuit breaker for an unreachable registry: after one request has failed with all its retries and no other has
//! succeeded meanwhile, further requests fail at once with the same error, so that thousands of images do not each wait
//! for a timeout. At intervals one request tests whether the registry has recovered.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Error;

/// The interval between test requests to an unreachable registry.
const REST: Duration = Duration::from_secs(30);

/// The circuit breaker of one registry.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker(Mutex<BreakerState>);

#[derive(Debug, Default)]
struct BreakerState {
    answered_at: Option<Instant>,
    open: Option<OpenCircuit>,
}

#[derive(Debug)]
struct OpenCircuit {
    error: Error,
    until: Instant,
}

impl CircuitBreaker {
    /// Fails while the circuit is open; lets one request through at the end of each interval.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut state = self.state();
        let now = Instant::now();
        match &mut state.open {
            Some(away) if now < away.until => Err(away.error.clone()),
            Some(away) => {
                away.until = now + REST;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Records a response of a working registry.
    pub(super) fn record_success(&self) {
        let mut state = self.state();
        state.answered_at = Some(Instant::now());
        state.open = None;
    }

    /// Records that a request that began at `begun` failed with a transient `error` after all retries.
    pub(super) fn record_failure(&self, begun: Instant, error: &Error) {
        let mut state = self.state();
        if state.answered_at.is_none_or(|answered_at| answered_at < begun) {
            state.open = Some(OpenCircuit { error: error.clone(), until: Instant::now() + REST });
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, BreakerState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::Unreachable { registry: "r.test".into(), why: "refused".into() }
    }

    #[test]
    fn after_one_request_has_failed_others_fail_at_once_until_a_response() {
        let breaker = CircuitBreaker::default();
        assert_eq!(breaker.check(), Ok(()));
        breaker.record_failure(Instant::now(), &away());
        assert_eq!(breaker.check(), Err(away()));
        breaker.record_success();
        assert_eq!(breaker.check(), Ok(()));
    }

    #[test]
    fn one_hanging_document_does_not_open_the_circuit_if_others_succeed() {
        let breaker = CircuitBreaker::default();
        let begun = Instant::now();
        breaker.record_success();
        breaker.record_failure(begun, &away());
        assert_eq!(breaker.check(), Ok(()));
    }

    #[test]
    fn at_the_end_of_an_interval_one_request_tests_the_registry() {
        let breaker = CircuitBreaker::default();
        breaker.record_failure(Instant::now(), &away());
        breaker.state().open.as_mut().expect("away").until = Instant::now();
        assert_eq!(breaker.check(), Ok(()));
        assert_eq!(breaker.check(), Err(away()));
    }
}
