//! Requests due rebuilds and records the outcomes.

use chrono::{DateTime, Utc};

use super::RebuildOutcome;
use crate::{
    app::AppContext,
    config::Settings,
    notify::{DeliveryRecord, LedgerSession},
    rebuild::{Rebuild, RebuildPlan, call_for, presets, rule_for},
    store,
    webhook::WebhookError,
};

/// Makes the calls of `planned` one by one. Each outcome is stored before the next call.
pub(super) async fn request(
    settings: &Settings,
    context: &AppContext,
    session: &LedgerSession,
    planned: &RebuildPlan,
    now: DateTime<Utc>,
) -> store::Result<Vec<RebuildOutcome>> {
    let mut outcomes = Vec::new();
    for key in &planned.due {
        session.check()?;
        let Some(rebuild) = session.look(|ledger| ledger.rebuilds.get(key).cloned()).await else { continue };
        let result = call(&rebuild, settings, context).await;
        session.record(vec![DeliveryRecord::from_rebuild_call(key, &result, now)]).await?;
        let outcome = RebuildOutcome::from_rebuild(&rebuild);
        outcomes.push(match result {
            Ok(message_id) => RebuildOutcome { sent: true, message_id, ..outcome },
            Err(error) => RebuildOutcome { error: Some(error.why), ..outcome },
        });
    }
    Ok(outcomes)
}

async fn call(rebuild: &Rebuild, settings: &Settings, context: &AppContext) -> Result<Option<String>, WebhookError> {
    let lasting = |why: String| WebhookError { why, retry_after: None, is_about_call: false, may_have_arrived: false };
    let rule = rule_for(rebuild, &settings.rebuild)
        .ok_or_else(|| lasting(format!("no [[rebuild]] rule matches {} any more", rebuild.request.repository)))?;
    let secret = match &rule.secret {
        Some(source) => Some(context.outbound.aws.secret(source).await.map_err(|failure| lasting(failure.message))?),
        None => None,
    };
    let call = call_for(rebuild, rule, secret.as_ref(), Utc::now())?;
    let result = context.outbound.webhooks.call(&call).await?;
    Ok(presets::read(rule.preset, &result))
}

impl RebuildOutcome {
    /// The outcome of a request that was not sent yet.
    #[must_use]
    pub fn from_rebuild(rebuild: &Rebuild) -> Self {
        let request = &rebuild.request;
        Self {
            repository: format!("{}/{}", request.registry, request.repository),
            base: request.base.clone(),
            base_release: request.base_release.clone(),
            rule: rebuild.rule.clone(),
            deployments: request.deployment_count,
            sent: false,
            message_id: None,
            error: None,
        }
    }
}
