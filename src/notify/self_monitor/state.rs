//! Stored state of self-monitoring: streaks of unhealthy runs and what each channel was notified of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_ERRORS, ObservedRun, PROBLEM, SelfMonitorSettings};
use crate::{
    notify::{
        DeliveryHistory, OutboxEntry, RecordedRun,
        due_messages::MessageDocument,
        run_health::{RUN, RunError, RunHealth},
    },
    report::NoteCode,
    store::StoredDocument,
};

/// Maximum number of unreadable scopes that are stored.
const MAX_SCOPES: usize = 200;

/// Stored state of self-monitoring: `watch.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfMonitor {
    /// The last run that was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RecordedRun>,
    /// How the last run over the whole configuration ended; unlike `last_run`, never the audit of a pushed image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_finished: Option<FinishedRun>,
    /// Its health; absent if it was healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<RunHealth>,
    /// When the last healthy run was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_at: Option<DateTime<Utc>>,
    /// When the last run was that found deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_report_at: Option<DateTime<Utc>>,
    /// The unhealthy runs since the last healthy one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_streak: Option<TroubleStreak>,
    /// The last such streak that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_streak: Option<TroubleStreak>,
    /// The streak of each problem. A worse run neither ends the streak of a milder problem nor extends it.
    #[serde(default)]
    pub streaks: BTreeMap<RunHealth, TroubleStreak>,
    /// The errors of the last unhealthy run, up to `MAX_ERRORS`.
    #[serde(default)]
    pub errors: Vec<RunError>,
    /// Number of further errors of that run.
    #[serde(default)]
    pub errors_left_out: u64,
    /// First run in a row that could not read each scope.
    #[serde(default)]
    pub unreadable: BTreeMap<String, DateTime<Utc>>,
    /// Notifications by channel id.
    #[serde(default)]
    pub deliveries: BTreeMap<String, MonitorHistory>,
    /// Messages not yet acknowledged, oldest first.
    #[serde(default)]
    pub outbox: Vec<OutboxEntry>,
}

impl StoredDocument for SelfMonitor {
    const SCHEMA: &'static str = "basewatch.watch/v1";
    const NAME: &'static str = "watch.json";
}

/// How a run over the whole configuration ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FinishedRun {
    /// The start of the run.
    pub began_at: DateTime<Utc>,
    /// The end of the run.
    pub ended_at: DateTime<Utc>,
    /// Whether the run completed, possibly with an incomplete report.
    pub succeeded: bool,
    /// Error messages.
    pub problems: Vec<String>,
}

/// Consecutive runs with a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleStreak {
    /// Number of runs.
    pub runs: u32,
    /// When the first of them was.
    pub since: DateTime<Utc>,
}

/// Self-monitoring notifications of one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorHistory {
    /// The events, as for an alert.
    pub history: DeliveryHistory,
    /// The worst problem notified since the last healthy run.
    pub worst: RunHealth,
}

impl SelfMonitor {
    /// Records `run`. A run that is already recorded, or that a later run has superseded, changes nothing.
    pub fn note(&mut self, run: &ObservedRun, settings: &SelfMonitorSettings) {
        if self.last_run.as_ref().is_some_and(|last| last.id == run.run_id || last.at > run.at) {
            return;
        }
        self.last_run = Some(RecordedRun { id: run.run_id.clone(), at: run.at });
        self.last_finished = finished(run).or(self.last_finished.take());
        self.trouble = counted_problem(run, settings);
        if !matches!(run.trouble, Some(RunHealth::Failed | RunHealth::Empty)) {
            self.last_report_at = Some(run.at);
        }
        let Some(trouble) = self.trouble else {
            self.last_good_at = Some(run.at);
            self.last_streak = self.current_streak.take().or(self.last_streak);
            self.streaks.clear();
            self.unreadable.clear();
            return;
        };
        extend(self.current_streak.get_or_insert(TroubleStreak { runs: 0, since: run.at }));
        // A milder run ends the streaks of worse problems.
        self.streaks.retain(|known, _| *known <= trouble);
        extend(self.streaks.entry(trouble).or_insert(TroubleStreak { runs: 0, since: run.at }));
        self.note_errors(run, trouble);
    }

    fn note_errors(&mut self, run: &ObservedRun, trouble: RunHealth) {
        let since = |scope: &String| self.unreadable.get(scope).copied().unwrap_or(run.at);
        let scopes = run.errors.iter().take(MAX_SCOPES).map(|error| (error.scope.clone(), since(&error.scope)));
        let unseen: BTreeMap<_, _> = scopes.collect();
        self.errors = run.errors.iter().take(MAX_ERRORS).cloned().collect();
        for error in &mut self.errors {
            error.since = unseen.get(&error.scope).copied().unwrap_or(run.at);
        }
        self.errors_left_out = run.errors.len().saturating_sub(MAX_ERRORS) as u64;
        if trouble == RunHealth::Failed {
            // It read nothing: scopes that were unreadable before still are.
            self.unreadable.extend(unseen);
        } else {
            self.unreadable = unseen;
        }
    }

    /// The worst problem whose streak has reached its threshold.
    #[must_use]
    pub fn due(&self, settings: &SelfMonitorSettings) -> Option<RunHealth> {
        let lasts = |(trouble, streak): (&RunHealth, &TroubleStreak)| {
            settings.threshold(*trouble).is_some_and(|most| streak.runs >= most)
        };
        self.streaks.iter().rev().find(|(trouble, streak)| lasts((trouble, streak))).map(|(trouble, _)| *trouble)
    }
}

impl MessageDocument for SelfMonitor {
    fn outbox(&mut self) -> &mut Vec<OutboxEntry> {
        &mut self.outbox
    }

    fn change_histories(&mut self, entry: &OutboxEntry, change: impl Fn(&mut DeliveryHistory)) {
        let Some(known) = self.deliveries.get_mut(&entry.channel) else { return };
        let before = known.history.events.len();
        change(&mut known.history);
        if known.history.events.is_empty() {
            self.deliveries.remove(&entry.channel);
        } else if known.history.events.len() < before {
            // A problem that persists counts as not notified.
            known.worst = RunHealth::Incomplete;
        }
    }
}

/// How `run` ended; `None` for the audit of a pushed image.
fn finished(run: &ObservedRun) -> Option<FinishedRun> {
    let is_problem = |error: &&RunError| error.scope == RUN && (error.code == PROBLEM || run.is_failed());
    let (began_at, ended_at) = run.lasted?;
    Some(FinishedRun {
        began_at,
        ended_at,
        succeeded: !run.is_failed(),
        problems: run.errors.iter().filter(is_problem).map(|error| error.message.clone()).collect(),
    })
}

/// The problem of `run` that counts. A problem whose threshold is 0 does not; a milder one of the same run may.
fn counted_problem(run: &ObservedRun, settings: &SelfMonitorSettings) -> Option<RunHealth> {
    let counts = |trouble: &RunHealth| *trouble == RunHealth::Failed || settings.threshold(*trouble).is_some();
    let trouble = run.trouble?;
    let is_incomplete = run.errors.iter().any(|error| error.code != NoteCode::MostUnknown.as_str());
    let has_milder = matches!(trouble, RunHealth::Empty | RunHealth::Blind) && is_incomplete;
    let milder = has_milder.then_some(RunHealth::Incomplete);
    Some(trouble).filter(counts).or(milder.filter(counts))
}

fn extend(streak: &mut TroubleStreak) {
    streak.runs = streak.runs.saturating_add(1);
}
