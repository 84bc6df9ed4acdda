//! Maps the status and body of an error response to an [`Error`].

use serde::Deserialize;

use super::Error;
use crate::http::{self, HttpResponse, NO_TLS, UNKNOWN_AUTHORITY, quoted};

/// The error body of the OCI distribution specification.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorDetail>,
    /// The error of token servers (RFC 6749, section 5.2).
    #[serde(default)]
    error_description: String,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// The message of an error response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ErrorMessage {
    /// The first error code, `DENIED`.
    pub(super) code: String,
    /// The message, shortened and without control characters; the code if there is none.
    pub(super) message: String,
}

impl ErrorMessage {
    /// Parses the body of an error response.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(read) = serde_json::from_slice::<ErrorBody>(body) else {
            return Self { code: String::new(), message: quoted(&String::from_utf8_lossy(body)) };
        };
        let entry = read.errors.into_iter().next().unwrap_or_default();
        let message = [entry.message.unwrap_or_default(), read.error_description, entry.code.clone()]
            .into_iter()
            .find(|text| !text.is_empty());
        Self { code: entry.code, message: quoted(&message.unwrap_or_default()) }
    }
}

/// The message in the body of an error response, for the fuzz targets.
#[cfg(test)]
pub(crate) fn message(body: &[u8]) -> String {
    ErrorMessage::read(body).message
}

/// Whether `response` means throttling, whatever its status.
pub(super) fn is_throttled(response: &HttpResponse) -> bool {
    response.status.is_client_error() && ErrorMessage::read(&response.body).code == "TOOMANYREQUESTS"
}

/// The error of `registry` for its error response to a request for `what`.
pub(super) fn refused(registry: &str, what: &str, response: &HttpResponse) -> Error {
    let (registry, what, status) = (registry.to_owned(), what.to_owned(), response.status.as_u16());
    let details = ErrorMessage::read(&response.body);
    match status {
        _ if status == 429 || is_throttled(response) => {
            Error::RateLimited { registry, retry_after: response.retry_after() }
        }
        401 | 403 => denied(registry, what, details, status),
        400 if matches!(details.code.as_str(), "DENIED" | "UNAUTHORIZED") => denied(registry, what, details, status),
        _ => Error::Status { registry, status, what },
    }
}

/// The error of `registry` for a request for `what` without a usable response, with the remedy if there is one.
pub(super) fn failed(registry: &str, what: &str, error: &http::Error) -> Error {
    let why = match error {
        http::Error::Refused(response) => return refused(registry, what, response),
        // It fails as the request did that was sent.
        http::Error::Suspended { cause, .. } => return failed(registry, what, cause),
        http::Error::TooLarge(limit_bytes) => {
            return Error::TooLarge { what: what.to_owned(), limit_bytes: *limit_bytes };
        }
        http::Error::Redirected(why) => {
            return Error::Redirected { registry: registry.to_owned(), what: what.to_owned(), why: why.clone() };
        }
        http::Error::TimedOut(limit) => format!("{what} was not complete within {limit:?}"),
        http::Error::Forbidden(address) if address.is_private() => {
            format!("{address}; add the host to network.allow if it is yours")
        }
        http::Error::Forbidden(address) => address.to_string(),
        http::Error::Unreachable(why) if why == UNKNOWN_AUTHORITY => format!("{why}: set ca_file"),
        http::Error::Unreachable(why) if why == NO_TLS => {
            format!("{why}; should its endpoint be http:// instead of https://?")
        }
        http::Error::Unreachable(why) | http::Error::Interrupted(why) => why.clone(),
    };
    Error::Unreachable { registry: registry.to_owned(), why }
}

fn denied(registry: String, what: String, details: ErrorMessage, status: u16) -> Error {
    let message = if details.message.is_empty() { format!("HTTP status {status}") } else { details.message };
    Error::Denied { registry, status, what, message }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use reqwest::{StatusCode, header::HeaderMap};

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
        HttpResponse { status, headers, body: Vec::from(body).into(), is_from_origin: true }
    }

    fn error(status: u16, body: &str) -> Error {
        refused("r.io", "r.io/x:1", &response(status, body))
    }

    #[test]
    fn every_error_response_has_its_error() {
        let expired = r#"{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}"#;
        let throttled = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}"#;
        let limited = Error::RateLimited { registry: "r.io".into(), retry_after: Some(Duration::from_secs(7)) };
        let what = || "r.io/x:1".to_owned();
        assert_eq!(error(429, ""), limited);
        assert_eq!(error(400, throttled), limited);
        for (status, body, message) in [
            (400, expired, "Your Authorization Token is invalid."),
            (403, r#"{"errors":[{"code":"DENIED","message":null}]}"#, "DENIED"),
            (401, r#"{"error_description":"wrong password"}"#, "wrong password"),
            (401, "", "HTTP status 401"),
            (403, "<html>Sign in", "HTTP status 403"),
        ] {
            let denied = Error::Denied { registry: "r.io".into(), status, what: what(), message: message.into() };
            assert_eq!(error(status, body), denied);
        }
        for status in [302, 400, 404, 405, 500, 503] {
            assert_eq!(error(status, "{}"), Error::Status { registry: "r.io".into(), status, what: what() });
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ErrorMessage::read(&body).message.chars().all(|c| !c.is_control()));
        }
    }
}
