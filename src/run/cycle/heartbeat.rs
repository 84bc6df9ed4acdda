//! Heartbeat calls to a monitoring service after each run. A failure does not affect the run.

use std::{sync::Arc, time::Duration};

use super::World;
use crate::{
    report::harmless,
    secret::SecretSource,
    webhook::{Settings, Webhooks},
};

/// Short timeouts, because the run is over and only the heartbeat remains.
fn settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        retries: 2,
        retry_wait: Duration::from_secs(1),
        ..Settings::default()
    }
}

/// Calls `url`, if set.
pub(super) async fn beat(world: &World, url: Option<&SecretSource>) {
    let Some(url) = url else { return };
    if let Err(why) = call(world, url).await {
        tracing::warn!("the heartbeat call failed: {}", harmless(&why));
    }
}

async fn call(world: &World, url: &SecretSource) -> Result<(), String> {
    let url = world.receivers.aws.secret(url).await.map_err(|failure| failure.message)?;
    let webhooks = Webhooks::new(settings(), Arc::clone(&world.ports.requests))?;
    webhooks.get(&url).await.map(drop).map_err(|error| error.why)
}
