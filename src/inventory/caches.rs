//! The pull-through cache rules of private ECR registries.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::AwsScope;
use crate::{image::normalize_host, registry::EcrHost};

/// A pull-through cache rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PullThroughCacheRule {
    /// The prefix of the cached repositories: `123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public`.
    pub prefix: String,
    /// The prefix that replaces it upstream: `public.ecr.aws`.
    pub upstream: String,
}

/// The prefix of a rule for all repositories. In such a registry, its own repositories cannot be distinguished from
/// cached ones.
const ROOT: &str = "ROOT";

impl AwsScope {
    /// The rules of those registries of `hosts` that are in audited accounts. Without permission there are none; the
    /// caches can be configured instead.
    pub async fn pull_through_rules(&self, hosts: BTreeSet<String>) -> Vec<PullThroughCacheRule> {
        let audited: Vec<_> = hosts.into_iter().filter(|host| self.is_audited(host)).collect();
        let responses = stream::iter(audited).map(|host| async move {
            let rules = self.rules_of(&host).await;
            rules.inspect_err(|why| tracing::info!("the pull-through caches of {host} could not be listed: {why}"))
        });
        let rules: Vec<_> = responses.buffer_unordered(self.concurrency).collect().await;
        let mut rules: Vec<_> = rules.into_iter().flatten().flatten().collect();
        rules.sort();
        for rule in rules.iter().filter(|rule| !rule.upstream.contains('/')) {
            (self.register_cache)(&rule.upstream, &rule.prefix);
        }
        rules
    }

    fn is_audited(&self, host: &str) -> bool {
        EcrHost::parse(host).is_some_and(|host| self.is_allowed(host.account))
    }

    async fn rules_of(&self, host: &str) -> Result<Vec<PullThroughCacheRule>, String> {
        let EcrHost { account, region } = EcrHost::parse(host).ok_or("it is not an ECR registry")?;
        let session = self.aws.session_of(account).await.map_err(|failure| failure.message)?;
        let client = session.ecr(region);
        let mut pages = client.describe_pull_through_cache_rules().registry_id(account).into_paginator().send();
        let mut rules = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                let call = format!("ecr:DescribePullThroughCacheRules in {region}");
                crate::aws::AwsError::from_sdk(&call, &error).message
            })?;
            for rule in page.pull_through_cache_rules() {
                let below = |prefix: Option<&str>| match prefix {
                    None | Some(ROOT) => String::new(),
                    Some(prefix) => format!("/{}", prefix.trim_end_matches('/')),
                };
                let (Some(prefix), Some(url)) = (rule.ecr_repository_prefix(), rule.upstream_registry_url()) else {
                    continue;
                };
                // Rules call Docker Hub `registry-1.docker.io`.
                let upstream = normalize_host(url);
                if prefix != ROOT {
                    rules.push(PullThroughCacheRule {
                        prefix: format!("{host}/{}", prefix.trim_end_matches('/')),
                        upstream: format!("{upstream}{}", below(rule.upstream_repository_prefix())),
                    });
                }
            }
        }
        Ok(rules)
    }
}
