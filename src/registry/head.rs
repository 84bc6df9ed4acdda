//! Support of `HEAD` by a registry: Nexus and others answer some with 404, 403, 400 or 501 although a `GET` returns the
//! manifest (<https://github.com/crazy-max/diun/issues/1614>).

use std::sync::atomic::{AtomicU8, Ordering};

use super::Error;

const UNPROVEN: u8 = 0;
const WORKS: u8 = 1;
const LIES: u8 = 2;

/// The `HEAD` support of one registry, as observed by this process.
#[derive(Debug, Default)]
pub(super) struct HeadSupport(AtomicU8);

impl HeadSupport {
    /// Whether to try `HEAD`.
    pub(super) fn is_useful(&self) -> bool {
        self.0.load(Ordering::Acquire) != LIES
    }

    /// Records a successful `HEAD`. It does not restore trust after a wrong refusal.
    pub(super) fn succeeded(&self) {
        let _ = self.0.compare_exchange(UNPROVEN, WORKS, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Records a refused `HEAD` whose `GET` succeeded.
    pub(super) fn contradicted(&self) {
        self.0.store(LIES, Ordering::Release);
    }

    /// Whether `error`, the response to a `HEAD`, has to be verified by a `GET`.
    pub(super) fn is_doubtful(&self, error: &Error) -> bool {
        match error {
            // Responses of registries without complete HEAD support. 400 has no body with the reason.
            Error::Status { status: 400 | 405 | 501, .. } => true,
            // The credentials are refused, which a `GET` does not change.
            Error::Denied { status: 401, .. } => false,
            Error::NotFound { .. } | Error::Denied { .. } => self.0.load(Ordering::Acquire) != WORKS,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Error {
        Error::Status { registry: "r.test".into(), status, what: "r.test/x:1".into() }
    }

    fn missing() -> Error {
        Error::not_found(&"r.test/x:1".parse().expect("a reference"))
    }

    fn denied(status: u16) -> Error {
        Error::Denied { registry: "r.test".into(), status, what: "r.test/x:1".into(), message: String::new() }
    }

    #[test]
    fn a_refusal_is_trusted_after_a_successful_head() {
        let support = HeadSupport::default();
        assert!([missing(), status(400), status(405), status(501), denied(403)].iter().all(|e| support.is_doubtful(e)));
        assert!(![status(410), status(503), denied(401)].iter().any(|error| support.is_doubtful(error)));
        support.succeeded();
        assert!(!support.is_doubtful(&missing()) && !support.is_doubtful(&denied(403)));
        assert!(support.is_doubtful(&status(501)), "a method that is refused says nothing about the manifest");
    }

    #[test]
    fn a_registry_with_a_wrong_head_refusal_is_read_by_get_from_then_on() {
        let support = HeadSupport::default();
        assert!(support.is_useful());
        support.succeeded();
        support.contradicted();
        support.succeeded();
        assert!(!support.is_useful());
    }
}
