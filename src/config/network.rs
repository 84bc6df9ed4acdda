//! `[network]`: connection settings for all registries.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::host_pattern};
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
}

pub(super) fn validate(
    raw: &RawNetwork,
    hosts: BTreeMap<String, HostSettings>,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> NetworkSettings {
    let standard = NetworkSettings::default();
    let mut allow = standard.allow.clone();
    let named = check.each(&at.key("allow"), raw.allow.as_deref().unwrap_or_default(), host_pattern);
    for host in named.iter().chain(hosts.keys()) {
        if !allow.contains(host) {
            allow.push(host.clone());
        }
    }
    NetworkSettings { allow, hosts, ..standard }
}
