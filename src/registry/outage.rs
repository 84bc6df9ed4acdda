//! Is a registry away? Once a request has failed through all its tries and nothing else was answered
//! meanwhile, the rest fail at once with the same error: thousands of images must not each wait in vain.
//! Now and then one goes out to see whether the registry is back.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Error;

/// How long nothing is sent to a registry that is away.
const REST: Duration = Duration::from_secs(30);

/// Whether a registry answers.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answered_at: Option<Instant>,
    away: Option<Away>,
}

#[derive(Debug)]
struct Away {
    error: Error,
    until: Instant,
}

impl Outage {
    /// Fails while the registry is away; lets one request through at the end of each rest.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut state = self.state();
        let now = Instant::now();
        match &mut state.away {
            Some(away) if now < away.until => Err(away.error.clone()),
            Some(away) => {
                away.until = now + REST;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The registry answered as one does that works.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.answered_at = Some(Instant::now());
        state.away = None;
    }

    /// A request that began at `begun` was given up with a transient `error`.
    pub(super) fn gave_up(&self, begun: Instant, error: &Error) {
        let mut state = self.state();
        if state.answered_at.is_none_or(|answered_at| answered_at < begun) {
            state.away = Some(Away { error: error.clone(), until: Instant::now() + REST });
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
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
    fn after_one_has_given_up_the_others_fail_at_once_until_there_is_an_answer() {
        let outage = Outage::default();
        assert_eq!(outage.check(), Ok(()));
        outage.gave_up(Instant::now(), &away());
        assert_eq!(outage.check(), Err(away()));
        outage.answered();
        assert_eq!(outage.check(), Ok(()));
    }

    #[test]
    fn one_document_that_hangs_does_not_make_a_registry_away_that_answers_for_others() {
        let outage = Outage::default();
        let begun = Instant::now();
        outage.answered();
        outage.gave_up(begun, &away());
        assert_eq!(outage.check(), Ok(()));
    }

    #[test]
    fn at_the_end_of_a_rest_one_goes_out_to_see() {
        let outage = Outage::default();
        outage.gave_up(Instant::now(), &away());
        outage.state().away.as_mut().expect("away").until = Instant::now();
        assert_eq!(outage.check(), Ok(()));
        assert_eq!(outage.check(), Err(away()));
    }
}
