//! `[network]`: connection settings for all registries.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Concurrency,
    check::ConfigValidator,
    tree::KeyPath,
    values::{DurationText, host_pattern},
};
use crate::registry::{HostSettings, NetworkSettings};

/// Connection settings for all registries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNetwork {
    /// Registries that labels and annotations may name, in addition to `public.ecr.aws`, audited ECR registries and
    /// registries named in this file. `*` matches one or more characters. Redirects and token requests may reach an
    /// exact host here even at a private address.
    #[schemars(extend("default" = []), example = ["ghcr.io", "*.dkr.ecr.eu-west-1.amazonaws.com"])]
    allow: Option<Vec<String>>,
    /// Timeout for opening a connection.
    #[schemars(extend("default" = "5s"))]
    connect_timeout: Option<DurationText>,
    /// Timeout of one request, including the body. All pages of a tag list together may take six times as long.
    #[schemars(extend("default" = "30s"))]
    request_timeout: Option<DurationText>,
    /// How many times to retry a transient failure.
    #[schemars(range(min = 0, max = 20), extend("default" = 4))]
    retries: Option<i64>,
    /// Maximum wait between retries, even if the registry requests a longer one.
    #[schemars(extend("default" = "30s"))]
    retry_wait: Option<DurationText>,
    /// Maximum number of tag list pages to read, each with 1,000 tags.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 100))]
    tag_pages: Option<i64>,
    /// How many images and bases to process concurrently, over all registries.
    #[schemars(range(min = 1, max = 1024), extend("default" = 128))]
    concurrency: Option<i64>,
}

pub(super) fn validate(
    raw: &RawNetwork,
    hosts: BTreeMap<String, HostSettings>,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> (NetworkSettings, Concurrency) {
    let standard = NetworkSettings::default();
    let mut allow = standard.allow;
    let named = check.each(&at.key("allow"), raw.allow.as_deref().unwrap_or_default(), host_pattern);
    for host in named.iter().chain(hosts.keys()) {
        if !allow.contains(host) {
            allow.push(host.clone());
        }
    }
    let mut span = |key: &str, text: &Option<DurationText>, standard| {
        check.duration(&at.key(key), text.as_ref(), Duration::from_secs(1)).unwrap_or(standard)
    };
    let network = NetworkSettings {
        allow,
        hosts,
        connect_timeout: span("connect_timeout", &raw.connect_timeout, standard.connect_timeout),
        request_timeout: span("request_timeout", &raw.request_timeout, standard.request_timeout),
        retry_wait: span("retry_wait", &raw.retry_wait, standard.retry_wait),
        retries: raw.retries.and_then(|retries| retries.try_into().ok()).unwrap_or(standard.retries),
        tag_pages: raw.tag_pages.and_then(|pages| pages.try_into().ok()).unwrap_or(standard.tag_pages),
    };
    let concurrency = raw.concurrency.and_then(|count| count.try_into().ok());
    (network, concurrency.map_or_else(Concurrency::default, Concurrency))
}
