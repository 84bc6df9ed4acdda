//! Classification of failed attempts by status, headers and error: whether to retry, and when.

use std::time::Duration;

use chrono::Utc;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use super::WebhookError;
use crate::http::{Redactor, WANTS_LOGIN, one_line, proxy_failure, retry};

/// Maximum length of a quoted response, in characters.
const QUOTED_CHARS: usize = 200;

/// A failed attempt.
pub(super) struct CallFailure {
    pub(super) error: WebhookError,
    /// Whether a retry may succeed.
    pub(super) is_transient: bool,
    /// Whether the service certainly did nothing, so that a retry causes no repeat.
    pub(super) is_undone: bool,
    /// Whether it indicates that the host is down.
    pub(super) is_about_host: bool,
}

impl CallFailure {
    /// The call itself is invalid.
    pub(super) fn of_call(why: String) -> Self {
        let error = WebhookError { why, retry_after: None, is_about_call: true, may_have_arrived: false };
        Self { error, is_transient: false, is_undone: true, is_about_host: false }
    }

    /// The host is down.
    fn of_host(why: String, may_have_arrived: bool) -> Self {
        let error = WebhookError { why, retry_after: None, is_about_call: false, may_have_arrived };
        Self { error, is_transient: true, is_undone: !may_have_arrived, is_about_host: true }
    }

    /// No complete response within `limit`.
    pub(super) fn of_silence(host: &str, limit: Duration) -> Self {
        Self::of_host(format!("{host} gave no complete answer within {limit:?}"), true)
    }

    pub(super) fn of_transport(host: &str, error: &reqwest::Error) -> Self {
        // The message of reqwest contains the URL; its causes do not.
        let cause = proxy_failure(error).unwrap_or_else(|| innermost(error));
        if error.is_connect() {
            return Self::of_host(format!("{host} cannot be reached: {cause}"), false);
        }
        Self::of_host(format!("{host} gave no complete answer: {cause}"), true)
    }

    pub(super) fn of_status(
        host: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        hidden: &Redactor,
    ) -> Self {
        let quote = quoted(body, hidden);
        let quote = if quote.is_empty() { quote } else { format!(": {quote}") };
        let why = match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => format!("{host} cannot be reached: {WANTS_LOGIN}"),
            _ if status.is_redirection() => {
                format!("{host} answered {}: redirects are not followed, check the URL", status.as_u16())
            }
            _ => format!("{host} answered {}{quote}", status.as_u16()),
        };
        let is_throttled = status == StatusCode::TOO_MANY_REQUESTS || is_limited(status, headers);
        let is_about_call = matches!(status.as_u16(), 400 | 413 | 415 | 422);
        // These refuse before processing (RFC 9110, sections 15.5.9 and 15.6.4; RFC 8470, section 5.2). With the others, the
        // call may have been processed.
        let is_undone = is_throttled || matches!(status.as_u16(), 408 | 425 | 503);
        let is_transient = is_undone || matches!(status.as_u16(), 500 | 502 | 504);
        let retry_after = requested_wait(headers).filter(|_| is_transient);
        // A gateway error only means that the response was lost.
        let may_have_arrived = status == StatusCode::GATEWAY_TIMEOUT;
        Self {
            error: WebhookError { why, retry_after, is_about_call, may_have_arrived },
            is_transient,
            is_undone: is_undone || !is_transient,
            is_about_host: is_transient,
        }
    }
}

/// Whether the rate limit is used up, as GitHub and others report it.
fn is_used_up(headers: &HeaderMap) -> bool {
    headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0")
}

/// GitHub throttles with 403 as well
/// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
fn is_limited(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::FORBIDDEN && (is_used_up(headers) || headers.contains_key(RETRY_AFTER))
}

/// The wait that the service requests.
fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let retry_after = text("retry-after").and_then(|value| retry::retry_after(value, Utc::now()));
    retry_after.or_else(|| {
        // GitHub sends the reset time with every response: it counts only once the limit is used up.
        let reset: i64 = text("x-ratelimit-reset").filter(|_| is_used_up(headers))?.parse().ok()?;
        u64::try_from(reset - Utc::now().timestamp()).ok().map(Duration::from_secs)
    })
}

/// The response body as one readable line without secrets; empty for HTML.
pub(crate) fn quoted(body: &[u8], hidden: &Redactor) -> String {
    let text = hidden.redact(&String::from_utf8_lossy(body));
    let visible: String = one_line(&text).chars().take(QUOTED_CHARS).collect();
    if visible.starts_with('<') { String::new() } else { visible }
}

/// The innermost cause of a reqwest error, whose own message contains the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut innermost = None;
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        innermost = Some(current.to_string());
        cause = current.source();
    }
    // Such as `Connection refused (os error 111)`.
    innermost.unwrap_or_else(|| "no answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, headers: &[(&'static str, String)]) -> CallFailure {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().expect("a value of a header"))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        CallFailure::of_status("hooks.example.com", status, &headers.collect(), b"", &Redactor::default())
    }

    #[test]
    fn a_response_is_quoted_as_one_short_readable_line() {
        let body = format!("denied\r\n\u{1b}[31m\u{202e}nwod \u{feff}{}", "é".repeat(500));
        let quoted_text = quoted(body.as_bytes(), &Redactor::default());
        assert!(
            quoted_text.starts_with("denied [31m nwod éé") && quoted_text.chars().count() == QUOTED_CHARS,
            "{quoted_text}"
        );
        assert_eq!(quoted(b"\n<html>", &Redactor::default()), "");
    }

    #[test]
    fn removing_control_characters_does_not_reveal_a_secret() {
        let mut hidden = Redactor::default();
        hidden.hide_secret("correct-horse-battery-staple");
        for mark in ['\0', '\u{200b}', '\u{1b}'] {
            let body = format!("bad token correct-horse{mark}-battery-sta{mark}ple");
            assert!(!quoted(body.as_bytes(), &hidden).contains("correct-horse-battery"), "{mark:?}");
        }
    }

    #[test]
    fn only_statuses_that_refuse_before_processing_are_safe_to_repeat() {
        let table = [
            (400, false, true),
            (408, true, true),
            (425, true, true),
            (429, true, true),
            (500, true, false),
            (501, false, true),
            (502, true, false),
            (503, true, true),
            (504, true, false),
        ];
        for (status, is_transient, is_undone) in table {
            let failure = failure(status, &[]);
            assert_eq!((failure.is_transient, failure.is_undone), (is_transient, is_undone), "{status}");
        }
    }

    #[test]
    fn the_reset_time_counts_only_once_the_rate_limit_is_used_up() {
        let reset = ("x-ratelimit-reset", (Utc::now().timestamp() + 3000).to_string());
        let left = |left: &str| ("x-ratelimit-remaining", left.to_owned());
        let github_is_ill = failure(502, &[reset.clone(), left("4999")]);
        assert_eq!(github_is_ill.error.retry_after, None);
        for status in [403, 429] {
            let wait = failure(status, &[reset.clone(), left("0")]).error.retry_after.expect("a span");
            assert!((2990..=3000).contains(&wait.as_secs()), "{wait:?}");
        }
        assert!(!failure(403, &[reset, left("17")]).is_transient, "it is forbidden, and not throttled");
        let elsewhere = [("x-ratelimit-reset", "30".to_owned()), left("0")];
        assert_eq!(failure(429, &elsewhere).error.retry_after, None, "seconds, where GitHub has an instant");
    }
}
