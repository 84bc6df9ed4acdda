//! Requests to build services: the rule and the call of each, and its outcome in the ledger. Makes no call itself.

use chrono::{DateTime, Utc};

use super::{Rebuild, RebuildRule, RebuildSettings, presets};
use crate::{
    outbox::{DeliveryError, DeliveryOutcome},
    secret::Secret,
    webhook::WebhookCall,
};

/// The rule of `rebuild`: the one it was recorded with, or else the first that matches now.
#[must_use]
pub fn rule_for<'a>(rebuild: &Rebuild, settings: &'a RebuildSettings) -> Option<&'a RebuildRule> {
    let recorded = settings.rules.iter().find(|rule| rule.name == rebuild.rule);
    recorded.or_else(|| first_rule(settings, &rebuild.request.repository))
}

/// The rule for a repository.
pub(super) fn first_rule<'a>(settings: &'a RebuildSettings, repository: &str) -> Option<&'a RebuildRule> {
    settings.rules.iter().find(|rule| rule.repositories.iter().any(|glob| glob.matches(repository)))
}

/// The call that requests `rebuild`, with the secret of its rule.
///
/// # Errors
///
/// When it cannot be built. That counts as a refusal of this request.
pub fn call_for(
    rebuild: &Rebuild,
    rule: &RebuildRule,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, DeliveryError> {
    let call = presets::call(rule, &rebuild.request, secret, at);
    call.map_err(|why| DeliveryError::for_entry(format!("cannot build the call of rule {}: {why}", rule.name)))
}

impl Rebuild {
    /// Records the outcome of an attempt at `at`.
    ///
    /// A request that may have arrived counts as accepted, so that no build is started twice. If it has not, the deadline
    /// expires.
    pub fn record(&mut self, at: DateTime<Utc>, outcome: &DeliveryOutcome) {
        let (message_id, last_error) = match outcome {
            Ok(receipt) => (receipt.message_id.clone(), None),
            Err(error) if error.may_have_arrived => (None, Some(error.why.clone())),
            Err(error) => return self.delivery.failed(error, at),
        };
        self.sent_at = Some(at);
        self.message_id = message_id;
        self.delivery.last_error = last_error;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rebuild::tests::rebuild;

    #[test]
    fn a_request_that_may_have_arrived_is_not_repeated() {
        let at: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().expect("an instant");
        let error = DeliveryError { may_have_arrived: true, ..DeliveryError::for_target("503".to_owned()) };
        let mut rebuild = rebuild("orders", at);
        rebuild.record(at, &Err(error));
        assert!(!rebuild.is_due(), "an accepted rebuild is not requested again");
        assert_eq!((rebuild.sent_at, rebuild.delivery.last_error.as_deref()), (Some(at), Some("503")));
    }
}
