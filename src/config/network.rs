//! `[network]`: how registries are talked to in general.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Concurrency,
    check::Check,
    tree::KeyPath,
    values::{DurationText, host_pattern},
};
use crate::registry::{HostSettings, NetworkSettings};

/// How registries are talked to in general.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNetwork {
    /// Registries that may be contacted because a label or annotation names them, besides
    /// `public.ecr.aws`, the audited ECR registries, and the registries named elsewhere in this file.
    /// `*` stands for one or more characters. A host listed by its own name may also be at a private address when a
    /// registry redirects to it or has its tokens there.
    #[schemars(extend("default" = []), example = ["ghcr.io", "*.dkr.ecr.eu-west-1.amazonaws.com"])]
    allow: Option<Vec<String>>,
    /// How long a connection may take to open.
    #[schemars(extend("default" = "5s"))]
    connect_timeout: Option<DurationText>,
    /// How long one request may take, body included. A tag list may take six times as long, all pages together.
    #[schemars(extend("default" = "30s"))]
    request_timeout: Option<DurationText>,
    /// How many times a transient failure is tried again.
    #[schemars(range(min = 0, max = 20), extend("default" = 4))]
    retries: Option<i64>,
    /// The longest wait between tries, also where the registry asks for more.
    #[schemars(extend("default" = "30s"))]
    retry_wait: Option<DurationText>,
    /// How many pages of a tag list are read, of 1,000 tags each.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 100))]
    tag_pages: Option<i64>,
    /// How many images and bases are worked on at once, over all registries.
    #[schemars(range(min = 1, max = 1024), extend("default" = 128))]
    concurrency: Option<i64>,
}

pub(super) fn validate(
    raw: &RawNetwork,
    hosts: BTreeMap<String, HostSettings>,
    at: &KeyPath,
    check: &mut Check<'_>,
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
