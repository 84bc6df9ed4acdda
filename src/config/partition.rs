//! Which of AWS's partitions do settings belong to? Read from every ARN and region in them.

use super::Settings;
use crate::{
    image::Partition,
    inventory::{ImageSource, Regions},
    notify::Channel,
    registry::EcrHost,
    secret::SecretSource,
};

impl Settings {
    /// The partition that the settings name: by the role of the accounts, else by a region, topic, secret or image of
    /// theirs, else by the region of the environment. Credentials belong to one partition, so the first name decides.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        let role = || Partition::from_arn(&self.accounts.as_ref()?.role);
        let listed = || self.regions().into_iter().find_map(Regions::as_listed)?.first();
        let named = || self.topic_arns().chain(self.secret_arns()).find_map(Partition::from_arn);
        let of_image = |source: &ImageSource| {
            let host = &source.repository()?.registry;
            EcrHost::parse(host).map(|host| host.partition())
        };
        role()
            .or_else(|| listed().map(|region| Partition::from_region(region)))
            .or_else(named)
            .or_else(|| self.images.iter().find_map(of_image))
            .or_else(|| self.environment_region.as_deref().map(Partition::from_region))
    }

    /// The ARNs of the SNS topics, in the order of their tables.
    pub fn topic_arns(&self) -> impl Iterator<Item = &str> {
        self.notify.channels.iter().filter_map(|receiver| match &receiver.kind {
            Channel::Sns(topic) => Some(topic.topic_arn.as_str()),
            Channel::Webhook(_) => None,
        })
    }

    /// The ARNs of the secrets in AWS Secrets Manager, without the key within them.
    pub fn secret_arns(&self) -> impl Iterator<Item = &str> {
        let webhooks = self.notify.channels.iter().filter_map(|receiver| match &receiver.kind {
            Channel::Webhook(webhook) => webhook.secret.as_ref(),
            Channel::Sns(_) => None,
        });
        let rebuilds = self.rebuild.rules.iter().filter_map(|rule| rule.secret.as_ref());
        let watch = self.watch.heartbeat.iter().chain(&self.watch.heartbeat_fail);
        webhooks.chain(rebuilds).chain(watch).chain(&self.serve.token).filter_map(|source| match source {
            SecretSource::SecretsManager(name) => Some(name.split('#').next().unwrap_or(name)),
            SecretSource::Here(_) => None,
        })
    }
}
