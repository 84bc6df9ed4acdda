//! The AWS partition that the settings belong to, derived from their ARNs and regions.

use super::Settings;
use crate::{
    image::{Arn, AwsPartition},
    inventory::{ImageSource, RegionSelection},
    notify::ChannelKind,
    registry::EcrHost,
    secret::SecretSource,
};

impl Settings {
    /// The partition of the role in `[accounts]`, else of a region, topic, secret or image, else of the region of the
    /// environment. Credentials belong to one partition, so the first value decides.
    #[must_use]
    pub fn partition(&self) -> Option<AwsPartition> {
        let role = || self.accounts.as_ref()?.role.partition();
        let listed = || self.regions().into_iter().find_map(RegionSelection::as_listed)?.first();
        let named = || self.topic_arns().chain(self.secret_arns()).find_map(Arn::partition);
        let of_image = |source: &ImageSource| {
            let host = &source.repository()?.registry;
            EcrHost::parse(host).map(|host| host.partition())
        };
        role()
            .or_else(|| listed().map(|region| AwsPartition::from_region(region)))
            .or_else(named)
            .or_else(|| self.images.iter().find_map(of_image))
            .or_else(|| self.environment_region.as_deref().map(AwsPartition::from_region))
    }

    /// The ARNs of the SNS topics, in the order of the file.
    pub fn topic_arns(&self) -> impl Iterator<Item = &Arn> {
        self.notify.channels.iter().filter_map(|channel| match &channel.kind {
            ChannelKind::Sns(topic) => Some(&topic.topic_arn),
            _ => None,
        })
    }

    /// The ARNs of the secrets in AWS Secrets Manager, without the `#KEY` suffix.
    pub fn secret_arns(&self) -> impl Iterator<Item = &Arn> {
        self.secret_sources().filter_map(|source| match source {
            SecretSource::SecretsManager { arn, .. } => Some(arn),
            SecretSource::Here(_) => None,
        })
    }

    /// The secrets of channels, build services, heartbeats and `serve`.
    pub fn secret_sources(&self) -> impl Iterator<Item = &SecretSource> {
        let channels = self.notify.channels.iter().flat_map(|channel| channel.kind.secrets());
        let rebuilds = self.rebuild.rules.iter().filter_map(|rule| rule.secret.as_ref());
        let watch = self.watch.heartbeat.iter().chain(&self.watch.heartbeat_fail);
        channels.chain(rebuilds).chain(watch).chain(&self.serve.token)
    }
}
