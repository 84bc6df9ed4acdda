//! Heartbeat calls to a monitoring service after each run. A failure does not affect the run.

use std::{sync::Arc, time::Duration};

use crate::{
    app::AppContext,
    report::sanitize,
    secret::SecretSource,
    webhook::{WebhookClient, WebhookClientSettings},
};

/// Short timeouts, because the run is over and only the heartbeat remains.
fn settings() -> WebhookClientSettings {
    WebhookClientSettings {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        retries: 2,
        retry_wait: Duration::from_secs(1),
        ..WebhookClientSettings::default()
    }
}

/// Calls `url`, if set.
pub(super) async fn beat(context: &AppContext, url: Option<&SecretSource>) {
    let Some(url) = url else { return };
    if let Err(why) = call(context, url).await {
        tracing::warn!("the heartbeat call failed: {}", sanitize(&why));
    }
}

async fn call(context: &AppContext, url: &SecretSource) -> Result<(), String> {
    let url = context.outbound.aws.secret(url).await.map_err(|failure| failure.message)?;
    let webhooks = WebhookClient::new(settings(), Arc::clone(&context.clients.requests))?;
    webhooks.get(&url).await.map(drop).map_err(|error| error.why)
}
