//! Maps the status and body of an error response to an [`Error`].

use serde::Deserialize;

use super::{
    Error,
    transport::{AttemptError, RegistryResponse},
};
use crate::http::{WANTS_LOGIN, one_line};

/// The longest quoted message of a registry, in characters.
const MESSAGE_CHARS: usize = 200;

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
            return Self { code: String::new(), message: shorten(&String::from_utf8_lossy(body)) };
        };
        let entry = read.errors.into_iter().next().unwrap_or_default();
        let message = [entry.message.unwrap_or_default(), read.error_description, entry.code.clone()]
            .into_iter()
            .find(|text| !text.is_empty());
        Self { code: entry.code, message: shorten(&message.unwrap_or_default()) }
    }
}

/// The message in the body of an error response, for the fuzz targets.
#[cfg(test)]
pub(crate) fn message(body: &[u8]) -> String {
    ErrorMessage::read(body).message
}

/// One printable line of at most [`MESSAGE_CHARS`] characters.
fn shorten(text: &str) -> String {
    let mut words = one_line(text);
    if let Some((end, _)) = words.char_indices().nth(MESSAGE_CHARS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// The failure for the error response `response` to a request for `what`.
pub(super) fn failure(registry: &str, what: &str, response: &RegistryResponse) -> AttemptError {
    let (registry, what, status) = (registry.to_owned(), what.to_owned(), response.status.as_u16());
    let retry_after = response.retry_after();
    let details = ErrorMessage::read(&response.body);
    let mut is_lasting = false;
    let error = match status {
        407 => {
            is_lasting = true;
            Error::Unreachable { registry, why: WANTS_LOGIN.to_owned() }
        }
        429 => Error::RateLimited { registry, retry_after },
        400..500 if details.code == "TOOMANYREQUESTS" => Error::RateLimited { registry, retry_after },
        401 | 403 => denied(registry, what, details, status),
        400 if matches!(details.code.as_str(), "DENIED" | "UNAUTHORIZED") => denied(registry, what, details, status),
        _ => Error::Status { registry, status, what },
    };
    AttemptError { error, retry_after, is_lasting }
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

    fn response(status: u16, body: &str) -> RegistryResponse {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
        RegistryResponse { status, headers, body: Vec::from(body).into(), redacted: None, is_from_registry: true }
    }

    fn error(status: u16, body: &str) -> Error {
        failure("r.io", "r.io/x:1", &response(status, body)).error
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
        ] {
            let denied = Error::Denied { registry: "r.io".into(), status, what: what(), message: message.into() };
            assert_eq!(error(status, body), denied);
        }
        assert!(error(407, "<html>").to_string().contains("the proxy requires a login"));
        for status in [302, 400, 404, 405, 500, 503] {
            assert_eq!(error(status, "{}"), Error::Status { registry: "r.io".into(), status, what: what() });
        }
    }

    #[test]
    fn only_temporary_failures_are_transient() {
        for (status, is_transient) in
            [(429, true), (500, true), (502, true), (503, true), (504, true), (408, true), (501, false), (404, false)]
        {
            assert_eq!(error(status, "").is_transient(), is_transient, "{status}");
        }
        assert!(!error(401, "").is_transient() && !error(403, "").is_transient() && !error(400, "").is_transient());
    }

    #[test]
    fn the_message_of_a_registry_becomes_one_short_printable_line() {
        let details = ErrorMessage::read(format!("\u{1b}[31mred\r\n\u{202e}{}", "é".repeat(500)).as_bytes());
        assert!(details.message.starts_with("[31mred é") && details.message.ends_with("é…"), "{}", details.message);
        assert_eq!(details.message.chars().count(), MESSAGE_CHARS + 1);
        assert_eq!(ErrorMessage::read(&[0xff, 0xfe]).code, "");
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ErrorMessage::read(&body).message.chars().all(|c| !c.is_control()));
        }
    }
}
