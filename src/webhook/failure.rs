//! Why did a try to call a webhook not work, and may another one? Read from statuses, headers and errors.

use std::time::Duration;

use chrono::Utc;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use super::Refused;
use crate::{
    redact::Redactor,
    registry::{WANTS_LOGIN, one_line, proxy_failure},
    retry,
};

/// How much of a refusal is repeated to people, in characters.
const QUOTED_CHARS: usize = 200;

/// One try that did not give what was hoped for.
pub(super) struct Failure {
    pub(super) refused: Refused,
    /// Whether another try may help.
    pub(super) is_transient: bool,
    /// Whether it is certain that nothing was done: another try does not do it twice.
    pub(super) is_undone: bool,
    /// Whether it says that the host itself does not work.
    pub(super) is_about_host: bool,
}

impl Failure {
    /// The call itself is what is wrong.
    pub(super) fn of_call(why: String) -> Self {
        let refused = Refused { why, retry_after: None, is_about_call: true, may_have_arrived: false };
        Self { refused, is_transient: false, is_undone: true, is_about_host: false }
    }

    /// The host does not work.
    fn of_host(why: String, may_have_arrived: bool) -> Self {
        let refused = Refused { why, retry_after: None, is_about_call: false, may_have_arrived };
        Self { refused, is_transient: true, is_undone: !may_have_arrived, is_about_host: true }
    }

    /// No answer in time.
    pub(super) fn of_silence(host: &str, limit: Duration) -> Self {
        Self::of_host(format!("{host} gave no complete answer within {limit:?}"), true)
    }

    pub(super) fn of_transport(host: &str, error: &reqwest::Error) -> Self {
        // The URL is part of what reqwest says; the causes are not.
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
        let said = quoted(body, hidden);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let why = match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => format!("{host} cannot be reached: {WANTS_LOGIN}"),
            _ if status.is_redirection() => {
                format!("{host} answered {}: redirects are not followed; is its URL right?", status.as_u16())
            }
            _ => format!("{host} answered {}{said}", status.as_u16()),
        };
        let is_throttled = status == StatusCode::TOO_MANY_REQUESTS || is_limited(status, headers);
        let is_about_call = matches!(status.as_u16(), 400 | 413 | 415 | 422);
        // These refuse before they begin (RFC 9110, section 15.5.9 and 15.6.4; RFC 8470, section 5.2); behind the
        // others, something may have gone wrong on the way back.
        let is_undone = is_throttled || matches!(status.as_u16(), 408 | 425 | 503);
        let is_transient = is_undone || matches!(status.as_u16(), 500 | 502 | 504);
        let retry_after = asked(headers).filter(|_| is_transient);
        // Whoever answers for another has only lost its answer.
        let may_have_arrived = status == StatusCode::GATEWAY_TIMEOUT;
        Self {
            refused: Refused { why, retry_after, is_about_call, may_have_arrived },
            is_transient,
            is_undone: is_undone || !is_transient,
            is_about_host: is_transient,
        }
    }
}

/// Whether no request is left until the limit is reset, as GitHub and many others tell.
fn is_used_up(headers: &HeaderMap) -> bool {
    headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0")
}

/// GitHub throttles with 403 as well
/// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
fn is_limited(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::FORBIDDEN && (is_used_up(headers) || headers.contains_key(RETRY_AFTER))
}

/// How long the receiver wants to be left alone.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let told = text("retry-after").and_then(|value| retry::retry_after(value, Utc::now()));
    told.or_else(|| {
        // GitHub says with every answer when the limit is reset: it matters only once nothing is left.
        let reset: i64 = text("x-ratelimit-reset").filter(|_| is_used_up(headers))?.parse().ok()?;
        u64::try_from(reset - Utc::now().timestamp()).ok().map(Duration::from_secs)
    })
}

/// What a receiver says of a refusal, as far as people can read it and may know it.
pub(crate) fn quoted(body: &[u8], hidden: &Redactor) -> String {
    let text = hidden.redact(&String::from_utf8_lossy(body));
    let visible: String = one_line(&text).chars().take(QUOTED_CHARS).collect();
    if visible.starts_with('<') { String::new() } else { visible }
}

/// What lies behind an error of reqwest, whose own words hold the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut innermost = None;
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        innermost = Some(current.to_string());
        cause = current.source();
    }
    // It says what happened: `Connection refused (os error 111)`.
    innermost.unwrap_or_else(|| "no answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, headers: &[(&'static str, String)]) -> Failure {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().expect("a value of a header"))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        Failure::of_status("hooks.example.com", status, &headers.collect(), b"", &Redactor::default())
    }

    #[test]
    fn what_a_receiver_says_is_quoted_as_one_short_readable_line() {
        let body = format!("denied\r\n\u{1b}[31m\u{202e}nwod \u{feff}{}", "é".repeat(500));
        let said = quoted(body.as_bytes(), &Redactor::default());
        assert!(said.starts_with("denied [31m nwod éé") && said.chars().count() == QUOTED_CHARS, "{said}");
        assert_eq!(quoted(b"\n<html>", &Redactor::default()), "");
    }

    #[test]
    fn no_character_that_is_left_out_joins_a_secret_again() {
        let mut hidden = Redactor::default();
        hidden.hide_secret("correct-horse-battery-staple");
        for mark in ['\0', '\u{200b}', '\u{1b}'] {
            let body = format!("bad token correct-horse{mark}-battery-sta{mark}ple");
            assert!(!quoted(body.as_bytes(), &hidden).contains("correct-horse-battery"), "{mark:?}");
        }
    }

    #[test]
    fn only_what_was_certainly_not_done_may_be_done_again_without_asking() {
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
    fn when_a_limit_is_reset_matters_once_nothing_is_left() {
        let reset = ("x-ratelimit-reset", (Utc::now().timestamp() + 3000).to_string());
        let left = |left: &str| ("x-ratelimit-remaining", left.to_owned());
        let github_is_ill = failure(502, &[reset.clone(), left("4999")]);
        assert_eq!(github_is_ill.refused.retry_after, None);
        for status in [403, 429] {
            let asked = failure(status, &[reset.clone(), left("0")]).refused.retry_after.expect("a span");
            assert!((2990..=3000).contains(&asked.as_secs()), "{asked:?}");
        }
        assert!(!failure(403, &[reset, left("17")]).is_transient, "it is forbidden, and not throttled");
        let elsewhere = [("x-ratelimit-reset", "30".to_owned()), left("0")];
        assert_eq!(failure(429, &elsewhere).refused.retry_after, None, "seconds, where GitHub has an instant");
    }
}
