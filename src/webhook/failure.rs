//! What error responses and failed attempts mean for a call.

use std::time::Duration;

use reqwest::{StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use super::WebhookError;
use crate::http::{self, HttpResponse, Redactor, is_used_up};

/// Whether `response` means throttling. GitHub throttles with 403 as well
/// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
pub(super) fn is_limited(response: &HttpResponse) -> bool {
    response.status == StatusCode::FORBIDDEN
        && (is_used_up(|name| response.header(name)) || response.headers.contains_key(RETRY_AFTER))
}

/// A failure that concerns the host, of a call that was not sent.
pub(super) fn unsent(why: String) -> WebhookError {
    WebhookError { why, retry_after: None, is_about_call: false, may_have_arrived: false }
}

/// The error for `response`, quoted without what `hidden` hides.
pub(super) fn refused(host: &str, response: &HttpResponse, hidden: &Redactor) -> WebhookError {
    let status = response.status.as_u16();
    let why = match quoted(&response.body, hidden) {
        _ if response.status.is_redirection() => {
            format!("{host} answered {status}: redirects are not followed, check the URL")
        }
        quote if quote.is_empty() => format!("{host} answered {status}"),
        quote => format!("{host} answered {status}: {quote}"),
    };
    WebhookError { is_about_call: matches!(status, 400 | 413 | 415 | 422), ..unsent(why) }
}

/// The error for a call that failed in all attempts.
pub(super) fn failed(host: &str, error: &http::Error, hidden: &Redactor) -> WebhookError {
    let retry_after = error.retry_after().or_else(|| retry_after_in_body(error));
    let may_have_arrived = error.may_have_arrived();
    let error = match error {
        http::Error::Refused(response) => refused(host, response, hidden),
        http::Error::Suspended { cause, rest } if cause.retry_after().is_some() => {
            let why = format!("{host} requested a wait of another {} s", rest.as_secs() + 1);
            return WebhookError { retry_after: Some(*rest), ..unsent(why) };
        }
        http::Error::Suspended { .. } => unsent(format!("{host} failed repeatedly in this run")),
        error => unsent(format!("{host} {error}")),
    };
    WebhookError { retry_after, may_have_arrived, ..error }
}

/// The wait that a 429 requests in its body, as Discord does
/// (<https://docs.discord.com/developers/topics/rate-limits#exceeding-a-rate-limit>).
fn retry_after_in_body(error: &http::Error) -> Option<Duration> {
    let http::Error::Refused(response) = error else { return None };
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let body = body.filter(|_| response.status == StatusCode::TOO_MANY_REQUESTS)?;
    Duration::try_from_secs_f64(body["retry_after"].as_f64()?).ok()
}

/// The response body as one readable line without secrets; empty for HTML.
pub(crate) fn quoted(body: &[u8], hidden: &Redactor) -> String {
    http::quoted(&hidden.redact(&String::from_utf8_lossy(body)))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use reqwest::header::HeaderMap;

    use super::*;

    fn response(status: u16, headers: &[(&'static str, String)]) -> HttpResponse {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().expect("a value of a header"))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        HttpResponse { status, headers: headers.collect::<HeaderMap>(), body: Vec::new().into(), is_from_origin: true }
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
    fn a_403_means_throttling_only_once_the_rate_limit_is_used_up() {
        let left = |left: &str| ("x-ratelimit-remaining", left.to_owned());
        assert!(is_limited(&response(403, &[left("0")])));
        assert!(is_limited(&response(403, &[("retry-after", "60".to_owned())])));
        assert!(!is_limited(&response(403, &[left("17")])), "it is forbidden, and not throttled");
        assert!(!is_limited(&response(500, &[left("0")])));
    }

    #[test]
    fn a_call_that_was_not_sent_cannot_have_arrived() {
        const REST: Duration = Duration::from_secs(30);
        let failed = |error: &http::Error| failed("hooks.example.com", error, &Redactor::default());
        let after = |cause| failed(&http::Error::Suspended { cause: Arc::new(cause), rest: REST });
        assert!(failed(&http::Error::TimedOut(REST)).may_have_arrived);
        let unsent = after(http::Error::TimedOut(REST));
        assert_eq!((unsent.may_have_arrived, unsent.retry_after), (false, None));
        assert_eq!(unsent.why, "hooks.example.com failed repeatedly in this run");
        let throttled = http::Error::Refused(Arc::new(response(429, &[("retry-after", "3600".to_owned())])));
        let unsent = after(throttled);
        assert_eq!((unsent.may_have_arrived, unsent.retry_after), (false, Some(REST)));
        assert_eq!(unsent.why, "hooks.example.com requested a wait of another 31 s");
    }
}
