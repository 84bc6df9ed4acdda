//! A client for faulty registries, with short timeouts.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use basewatch::{
    http::RequestCounter,
    registry::{AwsLogins, DistributionClient, HostSettings, NetworkSettings},
};

/// Settings that allow `registry`, with short timeouts.
pub fn settings(registry: &str) -> NetworkSettings {
    NetworkSettings {
        allow: vec![registry.to_owned()],
        connect_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(10),
        retry_wait: Duration::from_millis(20),
        ..NetworkSettings::default()
    }
}

/// The same with settings for that registry.
pub fn settings_with(registry: &str, host: HostSettings) -> NetworkSettings {
    NetworkSettings { hosts: BTreeMap::from([(registry.to_owned(), host)]), ..settings(registry) }
}

/// A client and its count of requests.
pub struct Rig {
    pub client: DistributionClient,
    pub requests: Arc<RequestCounter>,
}

impl Rig {
    pub fn new(settings: NetworkSettings) -> Self {
        Self::with_aws(settings, None)
    }

    pub fn with_aws(settings: NetworkSettings, aws: Option<Arc<dyn AwsLogins>>) -> Self {
        let requests = Arc::new(RequestCounter::default());
        let client = DistributionClient::new(settings, aws, Arc::clone(&requests)).expect("valid settings");
        Self { client, requests }
    }

    /// Number of requests of `kind` to `registry`.
    pub fn count(&self, registry: &str, kind: &str) -> u64 {
        self.requests.snapshot().get(registry).and_then(|kinds| kinds.get(kind).copied()).unwrap_or(0)
    }
}
