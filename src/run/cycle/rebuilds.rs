//! Requests due rebuilds and records the outcomes.

use chrono::{DateTime, Utc};

use super::{RebuildOutcome, World};
use crate::{
    config::Settings,
    notify::{Answer, Keeper},
    rebuild::{Planned, Rebuild, call_for, presets, rule_for},
    store,
    webhook::Refused,
};

/// Makes the calls of `planned` one by one. Each outcome is stored before the next call.
pub(super) async fn request(
    settings: &Settings,
    world: &World,
    session: &Keeper,
    planned: &Planned,
    now: DateTime<Utc>,
) -> store::Result<Vec<RebuildOutcome>> {
    let mut outcomes = Vec::new();
    for key in &planned.due {
        session.check()?;
        let Some(rebuild) = session.ledger().await.rebuilds.remove(key) else { continue };
        let answer = call(&rebuild, settings, world).await;
        session.record(vec![Answer::from_rebuild_call(key, &answer, now)]).await?;
        let outcome = RebuildOutcome::of(&rebuild);
        outcomes.push(match answer {
            Ok(message_id) => RebuildOutcome { sent: true, message_id, ..outcome },
            Err(error) => RebuildOutcome { error: Some(error.why), ..outcome },
        });
    }
    Ok(outcomes)
}

async fn call(rebuild: &Rebuild, settings: &Settings, world: &World) -> Result<Option<String>, Refused> {
    let lasting = |why: String| Refused { why, retry_after: None, is_about_call: false, may_have_arrived: false };
    let rule = rule_for(rebuild, &settings.rebuild)
        .ok_or_else(|| lasting(format!("no [[rebuild]] rule matches {} any more", rebuild.request.repository)))?;
    let secret = match &rule.secret {
        Some(source) => Some(world.receivers.aws.secret(source).await.map_err(|failure| lasting(failure.message))?),
        None => None,
    };
    let call = call_for(rebuild, rule, secret.as_ref(), Utc::now())?;
    let answer = world.receivers.webhooks.call(&call).await?;
    Ok(presets::read(rule.preset, &answer))
}

impl RebuildOutcome {
    /// The outcome of a request that was not sent yet.
    #[must_use]
    pub fn of(rebuild: &Rebuild) -> Self {
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
