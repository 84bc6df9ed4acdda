//! Clients of notification channels and build services, built once from the settings.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, anyhow};

use crate::{
    aws::Aws,
    config::Settings,
    notify::{Channel, Notifier, SnsNotifier, WebhookNotifier},
    registry::Requests,
    webhook::{self, Webhooks},
};

/// The outbound clients of a run.
pub struct Receivers {
    /// Clients of notification channels, by channel id.
    pub notifiers: BTreeMap<String, Arc<dyn Notifier>>,
    /// Client of webhooks: build services and heartbeats.
    pub webhooks: Arc<Webhooks>,
    /// Reads secrets from Secrets Manager.
    pub aws: Arc<Aws>,
}

impl Receivers {
    /// The clients of `settings`, counting into `requests`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// When this machine has no TLS.
    pub fn open(settings: &Settings, aws: &Arc<Aws>, requests: &Arc<Requests>) -> Result<Self> {
        let webhooks = Webhooks::new(webhook::Settings::default(), Arc::clone(requests)).map_err(|why| anyhow!(why))?;
        let webhooks = Arc::new(webhooks);
        let mut notifiers: BTreeMap<String, Arc<dyn Notifier>> = BTreeMap::new();
        for channel in &settings.notify.channels {
            let id = channel.id.clone();
            let notifier: Arc<dyn Notifier> = match channel.kind.clone() {
                Channel::Sns(topic) => Arc::new(SnsNotifier::new(Arc::clone(aws), id.clone(), topic)),
                Channel::Webhook(webhook) => {
                    Arc::new(WebhookNotifier::new(id.clone(), webhook, Arc::clone(&webhooks), Arc::clone(aws)))
                }
            };
            notifiers.insert(id, notifier);
        }
        Ok(Self { notifiers, webhooks, aws: Arc::clone(aws) })
    }
}
