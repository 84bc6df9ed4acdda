//! `[watch]`: notifications about basewatch's own runs.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::ConfigValidator,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::webhook_url,
};
use crate::{
    notify::{NotificationChannel, NotifySettings, SelfMonitorSettings},
    secret::SecretSource,
};

/// Notifications about basewatch's own runs: those that failed, found no deployments or are below `policy.min_known`, and
/// the third in a row with errors in reading the inventory, storing the report or sending alerts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWatch {
    /// Names of the channels to notify. Defaults to the channels without `owners`, or to all if each has `owners`.
    #[schemars(extend("default" = []), example = ["on-call"])]
    channels: Option<Vec<String>>,
    /// URL that is requested with `GET` after each completed run, for a dead man's switch.
    heartbeat: Option<RawSecretSource>,
    /// URL that is requested after a failed run. Without it, no request is sent.
    heartbeat_fail: Option<RawSecretSource>,
}

pub(super) fn validate(
    raw: &RawWatch,
    at: &KeyPath,
    notify: &NotifySettings,
    check: &mut ConfigValidator<'_>,
) -> SelfMonitorSettings {
    let channels = raw.channels.as_deref().unwrap_or_default();
    let known = |name: &str| {
        let is_it = |channel: &NotificationChannel| channel.id == name && channel.kind.can_report_runs();
        let is_known = notify.channels.iter().any(is_it);
        let why =
            || format!("{name:?} is not a channel for messages about runs: write the name of a topic, webhook or mail");
        is_known.then(|| name.to_owned()).ok_or_else(why)
    };
    SelfMonitorSettings {
        channels: check.each(&at.key("channels"), channels, known),
        heartbeat: raw.heartbeat.as_ref().and_then(|raw| url(raw, &at.key("heartbeat"), check)),
        heartbeat_fail: raw.heartbeat_fail.as_ref().and_then(|raw| url(raw, &at.key("heartbeat_fail"), check)),
        ..SelfMonitorSettings::default()
    }
}

/// The source of a URL. A URL in a variable or file is validated now.
fn url(raw: &RawSecretSource, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<SecretSource> {
    let source = source(raw, at, check)?;
    if let SecretSource::Here(secret) = &source {
        check.accept(at, webhook_url(secret.reveal()))?;
    }
    Some(source)
}
