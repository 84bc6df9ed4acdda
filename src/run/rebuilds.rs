//! Build services as delivery targets.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt as _};

use crate::{
    app::AppContext,
    aws::Aws,
    config::Settings,
    notify::LedgerSession,
    outbox::{self, DeliveryOutcome, DeliveryReceipt, DeliverySummary, DeliveryTarget, DueEntry},
    rebuild::{Rebuild, RebuildPlan, RebuildRule, call_for, presets, rule_for},
    store,
    webhook::WebhookClient,
};

/// Makes the calls of `planned`.
pub(super) async fn request(
    settings: &Settings,
    context: &AppContext,
    session: &LedgerSession,
    planned: &RebuildPlan,
    now: DateTime<Utc>,
) -> store::Result<DeliverySummary<Rebuild>> {
    let services = settings.rebuild.rules.iter().map(|rule| {
        let (webhooks, aws) = (Arc::clone(&context.outbound.webhooks), Arc::clone(&context.outbound.aws));
        (rule.name.clone(), Arc::new(BuildService { rule: rule.clone(), webhooks, aws }))
    });
    // A service that does not want calls yet gets none, not even for other images.
    let is_waiting = |rebuild: &Rebuild| rebuild.is_due() && !rebuild.delivery.is_ready(now);
    let due = session.look(|ledger| {
        let waiting = ledger.rebuilds.iter().filter(|(_, rebuild)| is_waiting(rebuild)).map(|(key, _)| key);
        let due = waiting.chain(&planned.due).filter_map(|key| Some((key.clone(), ledger.rebuilds.get(key)?.clone())));
        due.collect::<Vec<_>>()
    });
    let due = due.await;
    let due = due.iter().map(|(key, rebuild)| {
        let target = rule_for(rebuild, &settings.rebuild).map_or(&rebuild.rule, |rule| &rule.name);
        DueEntry { target, key, payload: rebuild, state: &rebuild.delivery, is_held: false }
    });
    outbox::deliver(session, due, &services.collect::<BTreeMap<_, _>>(), now).await
}

/// The build service of one rule.
#[derive(Debug)]
struct BuildService {
    rule: RebuildRule,
    webhooks: Arc<WebhookClient>,
    aws: Arc<Aws>,
}

impl BuildService {
    async fn request(&self, rebuild: &Rebuild) -> DeliveryOutcome {
        let secret = match &self.rule.secret {
            Some(source) => Some(self.aws.secret(source).await?),
            None => None,
        };
        let call = call_for(rebuild, &self.rule, secret.as_ref(), Utc::now())?;
        let response = self.webhooks.call(&call).await?;
        Ok(DeliveryReceipt { message_id: presets::read(self.rule.preset, &response) })
    }
}

impl DeliveryTarget<Rebuild> for BuildService {
    fn deliver<'a>(&'a self, rebuilds: &'a [&'a Rebuild]) -> BoxFuture<'a, Vec<DeliveryOutcome>> {
        async move {
            let mut outcomes = Vec::new();
            for rebuild in rebuilds {
                outcomes.push(self.request(rebuild).await);
            }
            outcomes
        }
        .boxed()
    }
}
