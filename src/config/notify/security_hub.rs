//! `[[notify.security_hub]]`: AWS Security Hub.

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{check::ConfigValidator, policy::RawSeverity, tree::KeyPath},
    channel::ChannelKeys,
};
use crate::notify::{ChannelKind, NotificationChannel};

/// AWS Security Hub as a notification channel: a finding for each alert, in the account and region of the deployment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecurityHub {
    /// Name of the channel.
    #[schemars(extend("default" = "security-hub"))]
    name: Option<String>,
    /// As for `[[notify.sns]]`.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// As for `[[notify.sns]]`.
    threshold: Option<RawSeverity>,
}

pub(super) fn validate(
    raw: &RawSecurityHub,
    zone: Tz,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Option<NotificationChannel> {
    let RawSecurityHub { name, owners, threshold } = raw;
    let keys = ChannelKeys { name, owners, threshold: *threshold, resolved: None, summary: None };
    keys.channel(Some("security-hub".to_owned()), ChannelKind::SecurityHub, zone, at, check)
}
