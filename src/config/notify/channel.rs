//! The keys that all notification channels have.

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    super::{check::ConfigValidator, policy::RawSeverity, tree::KeyPath},
    name,
};
use crate::{
    glob::Glob,
    judge::Severity,
    notify::{ChannelKind, NotificationChannel, SummarySchedule},
    schedule::Timetable,
};

/// When a channel receives a summary.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "true, false or a cron expression")]
pub(super) enum RawSummary {
    /// After each run, or never.
    EveryRun(bool),
    /// By a cron expression.
    Scheduled(String),
}

/// The keys that all channels have.
pub(super) struct ChannelKeys<'a> {
    pub(super) name: &'a Option<String>,
    pub(super) owners: &'a Option<Vec<String>>,
    pub(super) threshold: Option<RawSeverity>,
    pub(super) resolved: Option<bool>,
    pub(super) summary: Option<&'a RawSummary>,
}

impl ChannelKeys<'_> {
    /// The channel with the id `default_id` unless it has a name.
    pub(super) fn channel(
        &self,
        default_id: Option<String>,
        kind: ChannelKind,
        zone: Tz,
        at: &KeyPath,
        check: &mut ConfigValidator<'_>,
    ) -> Option<NotificationChannel> {
        let owners = check.each(&at.key("owners"), self.owners.as_deref().unwrap_or_default(), str::parse::<Glob>);
        let id = match self.name {
            Some(text) => check.accept(&at.key("name"), name(text)),
            None if default_id.is_some() => default_id,
            None => {
                let why = "missing: the URL is not known before it is read, so write name = \"chat of payments\"";
                check.accept(&at.key("name"), Err(why))
            }
        };
        let summary = match self.summary {
            None | Some(RawSummary::EveryRun(false)) => None,
            Some(RawSummary::EveryRun(true)) => Some(SummarySchedule::EveryRun),
            Some(RawSummary::Scheduled(expression)) => {
                let timetable = check.accept(&at.key("summary"), Timetable::new(expression, zone));
                timetable.map(SummarySchedule::Scheduled)
            }
        };
        Some(NotificationChannel {
            id: id?,
            owners,
            threshold: self.threshold.map(Severity::from),
            resolved: self.resolved.unwrap_or(true),
            summary,
            kind,
        })
    }
}
