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
    notify::{NotifySettings, SelfMonitorSettings},
    secret::SecretSource,
};

/// Notifications about basewatch's own runs. `0` disables a threshold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWatch {
    /// Notify after this many consecutive failed runs.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    failed_runs: Option<i64>,
    /// Notify after this many consecutive runs that found no deployments.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    empty_runs: Option<i64>,
    /// Notify after this many consecutive runs below `policy.min_known`.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    blind_runs: Option<i64>,
    /// Notify after this many consecutive runs with errors in reading the inventory, storing the report or sending
    /// alerts.
    #[schemars(range(min = 0, max = 1000), extend("default" = 3))]
    incomplete_runs: Option<i64>,
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
    let standard = SelfMonitorSettings::default();
    let number = |number: Option<i64>, standard| number.and_then(|number| number.try_into().ok()).unwrap_or(standard);
    let channels = raw.channels.as_deref().unwrap_or_default();
    let known = |name: &str| {
        let is_known = notify.channels.iter().any(|channel| channel.id == name);
        let why = || format!("{name:?} is not a channel: write the name of a [[notify.sns]] or [[notify.webhook]]");
        is_known.then(|| name.to_owned()).ok_or_else(why)
    };
    SelfMonitorSettings {
        failed_runs: number(raw.failed_runs, standard.failed_runs),
        empty_runs: number(raw.empty_runs, standard.empty_runs),
        blind_runs: number(raw.blind_runs, standard.blind_runs),
        incomplete_runs: number(raw.incomplete_runs, standard.incomplete_runs),
        channels: check.each(&at.key("channels"), channels, known),
        heartbeat: raw.heartbeat.as_ref().and_then(|raw| url(raw, &at.key("heartbeat"), check)),
        heartbeat_fail: raw.heartbeat_fail.as_ref().and_then(|raw| url(raw, &at.key("heartbeat_fail"), check)),
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
