//! Which failures are retried, and the wait before the next attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest first wait; it doubles with each retry.
const BASE: Duration = Duration::from_millis(250);

/// The wait after `tries` attempts: exponential with full jitter, at least the requested wait, at most `cap`.
pub(super) fn wait(tries: u32, retry_after: Option<Duration>, cap: Duration) -> Duration {
    let ceiling = BASE.saturating_mul(1 << tries.min(16)).min(cap);
    let jittered = ceiling.mul_f64(fastrand::f64());
    // A little jitter, so that clients with the same `Retry-After` do not return at the same instant.
    retry_after.map_or(jittered, |requested| requested.saturating_add(jittered / 10)).max(jittered).min(cap)
}

/// Whether a response with `status` may pass, so that the request is retried.
pub(super) fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Whether the rate limit of a host is used up, as GitHub and others report it, by the headers that `header` finds.
pub(crate) fn is_used_up<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> bool {
    header("x-ratelimit-remaining") == Some("0")
}

/// The wait that a host requests.
pub(super) fn requested_wait<'a>(
    header: impl Fn(&'static str) -> Option<&'a str>,
    now: DateTime<Utc>,
) -> Option<Duration> {
    header("retry-after").and_then(|value| retry_after(value, now)).or_else(|| {
        // GitHub sends the reset time with every response: it counts only once the limit is used up.
        let reset: i64 = header("x-ratelimit-reset").filter(|_| is_used_up(&header))?.parse().ok()?;
        u64::try_from(reset - now.timestamp()).ok().map(Duration::from_secs)
    })
}

/// The wait of a `Retry-After` header: seconds or an HTTP date (RFC 9110, section 10.2.3).
fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?;
    Some(at.to_utc().signed_duration_since(now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn waits_are_jittered_over_the_whole_of_a_doubling_span() {
        for tries in 0..12 {
            let ceiling = (BASE * (1 << tries)).min(CAP);
            let waits: Vec<_> = (0..200).map(|_| wait(tries, None, CAP)).collect();
            assert!(waits.iter().all(|span| *span <= ceiling), "{tries}");
            assert!(waits.iter().any(|span| *span < ceiling / 2) && waits.iter().any(|span| *span > ceiling / 2));
        }
        assert!(wait(u32::MAX, None, CAP) <= CAP);
    }

    #[test]
    fn retry_after_is_honoured_and_capped() {
        let requested = Duration::from_secs(3);
        assert!((0..100).all(|_| wait(0, Some(requested), CAP) >= requested));
        assert_eq!(wait(0, Some(Duration::from_hours(24)), CAP), CAP);
        assert_eq!(wait(0, Some(Duration::MAX), CAP), CAP);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = "2026-11-20T06:00:00Z".parse().expect("valid");
        let after = |value| retry_after(value, now);
        assert_eq!(after("120"), Some(Duration::from_mins(2)));
        assert_eq!(after(" 0 "), Some(Duration::ZERO));
        assert_eq!(after("Fri, 20 Nov 2026 06:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Fri, 20 Nov 2026 05:00:00 GMT"), Some(Duration::ZERO));
        for garbage in ["", "-1", "1.5", "soon", "2026-11-20T06:00:30Z", "99999999999999999999"] {
            assert_eq!(after(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn the_reset_time_counts_only_once_the_rate_limit_is_used_up() {
        let now: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("valid");
        let wait = |remaining: &'static str, reset: &str| {
            let header = |name: &'static str| match name {
                "x-ratelimit-remaining" => Some(remaining),
                "x-ratelimit-reset" => Some(reset),
                _ => None,
            };
            requested_wait(header, now)
        };
        let reset = (now.timestamp() + 3000).to_string();
        assert_eq!(wait("0", &reset), Some(Duration::from_mins(50)));
        assert_eq!(wait("4999", &reset), None, "GitHub sends it with every response");
        assert_eq!(wait("0", "30"), None, "seconds, where GitHub has an instant");
    }
}
