//! Attempts to request a rebuild: the call, and its outcome in the ledger. Makes no call itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Rebuild, RebuildRule, RebuildSettings, presets, select::first_rule};
use crate::{
    secret::Secret,
    webhook::{WebhookCall, WebhookError},
};

/// Minimum wait after each failed attempt; the last value repeats.
const BACKOFF: [TimeDelta; 4] = [TimeDelta::zero(), TimeDelta::hours(1), TimeDelta::hours(4), TimeDelta::hours(24)];

/// Tolerance for runs that start early: without it, a daily run that starts a little earlier than the day before would skip
/// an attempt.
pub(super) const TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// Maximum `Retry-After` that is honored.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(7 * 24);

/// Whether it is due and may be attempted at `now`.
pub(super) fn is_callable(rebuild: &Rebuild, now: DateTime<Utc>) -> bool {
    rebuild.is_open() && rebuild.sent_at.is_none() && rebuild.not_before.is_none_or(|at| at <= now)
}

/// The rule of `rebuild`: the one it was recorded with, or else the first that matches now.
#[must_use]
pub fn rule_for<'a>(rebuild: &Rebuild, settings: &'a RebuildSettings) -> Option<&'a RebuildRule> {
    let recorded = settings.rules.iter().find(|rule| rule.name == rebuild.rule);
    recorded.or_else(|| first_rule(settings, &rebuild.request.repository))
}

/// The call that requests `rebuild`, with the secret of its rule. An error is a refusal for [`Rebuild::failed`].
pub fn call_for(
    rebuild: &Rebuild,
    rule: &RebuildRule,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, WebhookError> {
    presets::call(rule, &rebuild.request, secret, at).map_err(|why| WebhookError {
        why: format!("cannot build the call of rule {}: {why}", rule.name),
        retry_after: None,
        is_about_call: true,
        may_have_arrived: false,
    })
}

impl Rebuild {
    /// Records that it was accepted at `at`, with the id of the build.
    pub fn acknowledged(&mut self, at: DateTime<Utc>, message_id: Option<String>) {
        self.sent_at = Some(at);
        self.message_id = message_id;
        self.not_before = None;
        self.last_error = None;
        self.refusals = 0;
    }

    /// Records a failed attempt at `at` and when the next one may be made.
    ///
    /// A request that may have arrived counts as accepted, so that no build is started twice. If it has not, the deadline
    /// expires.
    pub fn failed(&mut self, at: DateTime<Utc>, error: &WebhookError) {
        if error.may_have_arrived {
            self.acknowledged(at, None);
            self.last_error = Some(error.why.clone());
            return;
        }
        let attempts = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let backoff = BACKOFF[attempts.min(BACKOFF.len() - 1)];
        let backoff = (backoff - TOLERANCE).max(TimeDelta::zero());
        let requested = error.retry_after.map(|span| span.min(MAX_RETRY_AFTER));
        let requested = requested.and_then(|span| TimeDelta::from_std(span).ok()).unwrap_or_default();
        self.attempts = self.attempts.saturating_add(1);
        self.refusals = if error.is_about_call { self.refusals.saturating_add(1) } else { 0 };
        self.not_before = at.checked_add_signed(backoff.max(requested));
        self.last_error = Some(error.why.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rebuild::tests::rebuild;

    fn error(retry_after: Option<u64>, is_about_call: bool) -> WebhookError {
        WebhookError {
            why: "503".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
            is_about_call,
            may_have_arrived: false,
        }
    }

    #[test]
    fn failed_attempts_back_off() {
        let at: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("an instant");
        let mut rebuild = rebuild("orders", at);
        let mut minutes = Vec::new();
        for _ in 0..6 {
            rebuild.failed(at, &error(None, false));
            minutes.push((rebuild.not_before.expect("a next try") - at).num_minutes());
        }
        assert_eq!(minutes, [0, 50, 230, 1430, 1430, 1430]);
        assert_eq!((rebuild.attempts, rebuild.refusals), (6, 0));
        assert!(!is_callable(&rebuild, at) && is_callable(&rebuild, at + TimeDelta::hours(24)));
        rebuild.acknowledged(at, Some("1".to_owned()));
        assert!(!is_callable(&rebuild, at + TimeDelta::days(9)), "an accepted rebuild is not requested again");
        assert_eq!(rebuild.last_error, None);
    }

    #[test]
    fn a_request_that_may_have_arrived_is_not_repeated() {
        let at: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("an instant");
        let mut rebuild = rebuild("orders", at);
        rebuild.failed(at, &WebhookError { may_have_arrived: true, ..error(None, false) });
        assert!(!is_callable(&rebuild, at + TimeDelta::days(9)));
        assert_eq!((rebuild.sent_at, rebuild.last_error.as_deref()), (Some(at), Some("503")));
    }

    #[test]
    fn retry_after_is_honored_up_to_a_maximum() {
        let at: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("an instant");
        for (seconds, expected) in [(1, 1), (7200, 7200), (u64::MAX, 7 * 24 * 3600)] {
            let mut rebuild = rebuild("orders", at);
            rebuild.failed(at, &error(Some(seconds), false));
            assert_eq!(rebuild.not_before, Some(at + TimeDelta::seconds(expected)));
        }
    }

    #[test]
    fn only_consecutive_refusals_of_the_call_itself_are_counted() {
        let at: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("an instant");
        let mut rebuild = rebuild("orders", at);
        for (is_about_call, refusals) in [(true, 1), (true, 2), (false, 0), (true, 1)] {
            rebuild.failed(at, &error(None, is_about_call));
            assert_eq!(rebuild.refusals, refusals);
        }
    }
}
