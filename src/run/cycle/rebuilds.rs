//! Asks for the rebuilds that are due, and records what was answered.

use chrono::{DateTime, Utc};

use super::{RebuildOutcome, World};
use crate::{
    config::Settings,
    notify::{Answer, Keeper},
    rebuild::{Planned, Rebuild, call_for, presets, rule_for},
    store,
    webhook::Refused,
};

/// Makes the calls that `planned` names, one after the other: each is recorded before the next.
pub(super) async fn ask(
    settings: &Settings,
    world: &World,
    keeper: &Keeper,
    planned: &Planned,
    now: DateTime<Utc>,
) -> store::Result<Vec<RebuildOutcome>> {
    let mut outcomes = Vec::new();
    for key in &planned.due {
        keeper.check()?;
        let Some(rebuild) = keeper.ledger().await.rebuilds.remove(key) else { continue };
        let answer = ask_for(&rebuild, settings, world).await;
        keeper.answered(vec![Answer::of_rebuild(key, &answer, now)]).await?;
        let of = RebuildOutcome::of(&rebuild);
        outcomes.push(match answer {
            Ok(message_id) => RebuildOutcome { sent: true, message_id, ..of },
            Err(refused) => RebuildOutcome { error: Some(refused.why), ..of },
        });
    }
    Ok(outcomes)
}

async fn ask_for(rebuild: &Rebuild, settings: &Settings, world: &World) -> Result<Option<String>, Refused> {
    let lasting = |why: String| Refused { why, retry_after: None, is_about_call: false, may_have_arrived: false };
    let rule = rule_for(rebuild, &settings.rebuild)
        .ok_or_else(|| lasting(format!("no [[rebuild]] is for {} any more", rebuild.request.repository)))?;
    let secret = match &rule.secret {
        Some(source) => Some(world.receivers.aws.secret(source).await.map_err(|failure| lasting(failure.message))?),
        None => None,
    };
    let call = call_for(rebuild, rule, secret.as_ref(), Utc::now())?;
    let answer = world.receivers.webhooks.call(&call).await?;
    Ok(presets::read(rule.preset, &answer))
}

impl RebuildOutcome {
    /// What was, or would be, asked for.
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
