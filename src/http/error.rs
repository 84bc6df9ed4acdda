//! Why a request has no usable response.

use std::{sync::Arc, time::Duration};

use reqwest::StatusCode;

use super::{
    HttpResponse,
    proxy::{WANTS_LOGIN, proxy_failure},
    resolver::ForbiddenAddress,
    tls,
};

/// The failure of a request after all retries. It names no host and quotes no service: the caller does, and redacts.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The host must not be contacted.
    #[error("cannot be reached: {0}")]
    Forbidden(ForbiddenAddress),
    /// There is no connection, so nothing has arrived; with the innermost cause.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The connection ended before the response was complete; with the innermost cause.
    #[error("gave no complete answer: {0}")]
    Interrupted(String),
    /// No complete response within the timeout, or within the time budget.
    #[error("gave no complete answer within {0:?}")]
    TimedOut(Duration),
    /// A response whose status may pass: the host is throttling, or fails.
    #[error("answered {}", _0.status.as_u16())]
    Refused(Arc<HttpResponse>),
    /// The body exceeds the limit of the request, in bytes.
    #[error("answered with more than {0} bytes")]
    TooLarge(u64),
    /// A redirect that is not followed; with its kind and the remedy.
    #[error("answered with {0}")]
    Redirected(String),
    /// Nothing was sent, because an earlier request failed with `cause`; the next one is sent after `rest`.
    #[error("{cause}")]
    Suspended { cause: Arc<Error>, rest: Duration },
}

impl Error {
    /// The wait that the host requests.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(response) => response.retry_after(),
            _ => None,
        }
    }

    /// Whether the request may have been processed although there is no response.
    pub(crate) fn may_have_arrived(&self) -> bool {
        match self {
            Self::Interrupted(_) | Self::TimedOut(_) => true,
            // A gateway error only means that the response was lost.
            Self::Refused(response) => response.status == StatusCode::GATEWAY_TIMEOUT,
            _ => false,
        }
    }
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) error: Error,
    /// Whether a retry may succeed; if not, it says nothing about the health of the host.
    pub(super) is_transient: bool,
    /// Whether the host is throttling.
    pub(super) is_throttled: bool,
}

impl AttemptError {
    /// A failure that is not retried.
    pub(super) fn lasting(error: Error) -> Self {
        Self { is_transient: false, ..Self::transient(error) }
    }

    /// A failure that may pass.
    pub(super) fn transient(error: Error) -> Self {
        Self { error, is_transient: true, is_throttled: false }
    }

    /// Whether the request was certainly not processed, so that a retry causes no repeat.
    pub(super) fn is_undone(&self) -> bool {
        match &self.error {
            Error::Unreachable(_) => true,
            // These refuse before processing (RFC 9110, sections 15.5.9 and 15.6.4; RFC 8470, section 5.2). With the
            // others, the request may have been processed.
            Error::Refused(response) => self.is_throttled || matches!(response.status.as_u16(), 408 | 425 | 503),
            _ => false,
        }
    }
}

impl From<reqwest::Error> for AttemptError {
    /// The URL is left out: it may be presigned.
    fn from(error: reqwest::Error) -> Self {
        let failed = if error.is_connect() { Error::Unreachable } else { Error::Interrupted };
        if let Some(why) = proxy_failure(&error) {
            return Self { is_transient: why != WANTS_LOGIN, ..Self::transient(failed(why)) };
        }
        if error.is_connect() && error.is_timeout() {
            return Self::transient(failed("connection timed out".to_owned()));
        }
        let Some(cause) = innermost(&error) else { return Self::transient(failed("no answer".to_owned())) };
        if let Some(forbidden) = cause.downcast_ref::<ForbiddenAddress>() {
            return Self::lasting(Error::Forbidden(forbidden.clone()));
        }
        // Such as `Connection refused (os error 111)`.
        let cause = cause.to_string();
        match tls::trouble(&cause) {
            Some(why) => Self::lasting(Error::Unreachable(why)),
            None => Self::transient(failed(cause)),
        }
    }
}

/// The innermost cause of `error`, whose own message may have the URL.
pub(super) fn innermost<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause.source()).last()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn only_statuses_that_refuse_before_processing_are_safe_to_repeat() {
        for (status, is_undone) in [(408, true), (425, true), (503, true), (500, false), (502, false), (504, false)] {
            let refused = |is_throttled| {
                let status = StatusCode::from_u16(status).expect("a status");
                let (headers, body) = (HeaderMap::new(), Vec::new().into());
                let response = HttpResponse { status, headers, body, is_from_origin: true };
                AttemptError { is_throttled, ..AttemptError::transient(Error::Refused(Arc::new(response))) }
            };
            assert_eq!(refused(false).is_undone(), is_undone, "{status}");
            assert!(refused(true).is_undone(), "{status}");
            assert_eq!(refused(false).error.may_have_arrived(), status == 504);
        }
        assert!(AttemptError::transient(Error::Unreachable("refused".into())).is_undone());
        for error in [Error::TimedOut(Duration::from_secs(1)), Error::Interrupted("reset".into())] {
            assert!(error.may_have_arrived() && !AttemptError::transient(error).is_undone());
        }
    }
}
