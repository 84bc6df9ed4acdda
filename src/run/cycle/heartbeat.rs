//! Tells a service that waits for it that a run took place. What comes of it changes nothing about the run.

use std::{sync::Arc, time::Duration};

use super::World;
use crate::{
    report::harmless,
    secret::SecretSource,
    webhook::{Settings, Webhooks},
};

/// How the service is called: a run is over, and nobody wants to wait for what only says so.
fn settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        retries: 2,
        retry_wait: Duration::from_secs(1),
        ..Settings::default()
    }
}

/// Calls `url`, if there is one.
pub(super) async fn beat(world: &World, url: Option<&SecretSource>) {
    let Some(url) = url else { return };
    if let Err(why) = call(world, url).await {
        tracing::warn!("the heartbeat was not taken: {}", harmless(&why));
    }
}

async fn call(world: &World, url: &SecretSource) -> Result<(), String> {
    let url = world.receivers.aws.secret(url).await.map_err(|failure| failure.message)?;
    let webhooks = Webhooks::new(settings(), Arc::clone(&world.ports.requests))?;
    webhooks.get(&url).await.map(drop).map_err(|refused| refused.why)
}
