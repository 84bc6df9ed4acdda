//! Clients of notification channels and build services, built once from the settings.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, anyhow};

use crate::{
    aws::Aws,
    config::Settings,
    http::RequestCounter,
    notify::{ChannelKind, EmailNotifier, Notifier, SecurityHubNotifier, SnsNotifier, WebhookNotifier},
    webhook::{self, WebhookClient},
};

/// The outbound clients of a run.
pub struct OutboundClients {
    /// Clients of notification channels, by channel id.
    pub notifiers: BTreeMap<String, Arc<dyn Notifier>>,
    /// Client of webhooks: build services and heartbeats.
    pub webhooks: Arc<WebhookClient>,
    /// Reads secrets from Secrets Manager.
    pub aws: Arc<Aws>,
}

impl OutboundClients {
    /// The clients of `settings`, counting into `requests`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// When this machine has no TLS.
    pub fn open(settings: &Settings, aws: &Arc<Aws>, requests: &Arc<RequestCounter>) -> Result<Self> {
        let webhooks = WebhookClient::new(webhook::WebhookClientSettings::default(), Arc::clone(requests))
            .map_err(|why| anyhow!(why))?;
        let webhooks = Arc::new(webhooks);
        let mut notifiers: BTreeMap<String, Arc<dyn Notifier>> = BTreeMap::new();
        for channel in &settings.notify.channels {
            let id = channel.id.clone();
            let notifier: Arc<dyn Notifier> = match channel.kind.clone() {
                ChannelKind::Sns(topic) => Arc::new(SnsNotifier::new(Arc::clone(aws), topic)),
                ChannelKind::Webhook(webhook) => {
                    Arc::new(WebhookNotifier::new(id.clone(), webhook, Arc::clone(&webhooks), Arc::clone(aws)))
                }
                ChannelKind::Email(email) => Arc::new(EmailNotifier::new(id.clone(), email, Arc::clone(aws))),
                ChannelKind::SecurityHub => Arc::new(SecurityHubNotifier::new(Arc::clone(aws))),
            };
            notifiers.insert(id, notifier);
        }
        Ok(Self { notifiers, webhooks, aws: Arc::clone(aws) })
    }
}
