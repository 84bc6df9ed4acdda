//! Who is told and who is asked to rebuild, built once from the settings.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, anyhow};

use crate::{
    aws::Aws,
    config::Settings,
    notify::{Channel, Notifier, SnsNotifier, WebhookNotifier},
    registry::Requests,
    webhook::{self, Webhooks},
};

/// Everybody who may be told or asked something.
pub struct Receivers {
    /// Who is told, by the receivers' ids.
    pub notifiers: BTreeMap<String, Arc<dyn Notifier>>,
    /// Calls those who rebuild.
    pub webhooks: Arc<Webhooks>,
    /// Knows the secrets that prove who calls.
    pub aws: Arc<Aws>,
}

impl Receivers {
    /// The receivers of `settings`, counting into `requests`. Contacts nobody yet.
    ///
    /// # Errors
    ///
    /// When this machine has no TLS.
    pub fn open(settings: &Settings, aws: &Arc<Aws>, requests: &Arc<Requests>) -> Result<Self> {
        let webhooks = Webhooks::new(webhook::Settings::default(), Arc::clone(requests)).map_err(|why| anyhow!(why))?;
        let webhooks = Arc::new(webhooks);
        let mut notifiers: BTreeMap<String, Arc<dyn Notifier>> = BTreeMap::new();
        for receiver in &settings.notify.receivers {
            let id = receiver.id.clone();
            let notifier: Arc<dyn Notifier> = match receiver.channel.clone() {
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
