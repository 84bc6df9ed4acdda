//! `[watch]`: when basewatch tells of itself, and to whom.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::webhook_url,
};
use crate::{
    notify::{Settings, WatchSettings},
    secret::SecretSource,
};

/// When basewatch tells of itself, and to whom.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWatch {
    /// So many failed runs in a row are told; `0` is never.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    failed_runs: Option<i64>,
    /// So many runs in a row that find nothing at all are told, although something is to be audited; `0` is never.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    empty_runs: Option<i64>,
    /// Notify after so many consecutive runs that judged less of the fleet than `policy.min_known`; `0` is never.
    #[schemars(range(min = 0, max = 1000), extend("default" = 1))]
    blind_runs: Option<i64>,
    /// So many runs in a row that could not see, record or tell everything are told; `0` is never.
    #[schemars(range(min = 0, max = 1000), extend("default" = 3))]
    incomplete_runs: Option<i64>,
    /// Who is told, by the names of receivers. Without it, those who are told about everybody's findings; if all are
    /// for some owners only, each of them.
    #[schemars(extend("default" = []), example = ["on-call"])]
    receivers: Option<Vec<String>>,
    /// A URL that is called by `GET` after each run that took place: where calls are missed, somebody is told of it.
    heartbeat: Option<RawSecretSource>,
    /// A URL that is called after a run that failed; without it none is, which is missed as well.
    heartbeat_fail: Option<RawSecretSource>,
}

pub(super) fn validate(raw: &RawWatch, at: &KeyPath, notify: &Settings, check: &mut Check<'_>) -> WatchSettings {
    let standard = WatchSettings::default();
    let number = |number: Option<i64>, standard| number.and_then(|number| number.try_into().ok()).unwrap_or(standard);
    let receivers = raw.receivers.as_deref().unwrap_or_default();
    let known = |name: &str| {
        let is_known = notify.channels.iter().any(|receiver| receiver.id == name);
        let why = || format!("{name:?} is no receiver: write the name of a [[notify.sns]] or [[notify.webhook]]");
        is_known.then(|| name.to_owned()).ok_or_else(why)
    };
    WatchSettings {
        failed_runs: number(raw.failed_runs, standard.failed_runs),
        empty_runs: number(raw.empty_runs, standard.empty_runs),
        blind_runs: number(raw.blind_runs, standard.blind_runs),
        incomplete_runs: number(raw.incomplete_runs, standard.incomplete_runs),
        channels: check.each(&at.key("receivers"), receivers, known),
        heartbeat: raw.heartbeat.as_ref().and_then(|raw| url(raw, &at.key("heartbeat"), check)),
        heartbeat_fail: raw.heartbeat_fail.as_ref().and_then(|raw| url(raw, &at.key("heartbeat_fail"), check)),
    }
}

/// The place of a URL; where the URL is here, it has to be one that is called.
fn url(raw: &RawSecretSource, at: &KeyPath, check: &mut Check<'_>) -> Option<SecretSource> {
    let source = source(raw, at, check)?;
    if let SecretSource::Here(secret) = &source {
        check.accept(at, webhook_url(secret.reveal()))?;
    }
    Some(source)
}
