//! What is remembered of runs: how many in a row went wrong, since when, and who was told. Pure data.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{MOST_ERRORS, Observed, RunError, Trouble, WatchSettings};
use crate::{
    notify::{Due, LastRun, Told, journal::Answer, shed::shed},
    report::NoteCode,
    store::Document,
};

/// So many names of what cannot be seen are remembered.
const MOST_SCOPES: usize = 200;

/// The memory of how basewatch itself does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The last run that was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// What was wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The last run with which nothing was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good_at: Option<DateTime<Utc>>,
    /// The last run that found anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_report_at: Option<DateTime<Utc>>,
    /// The runs since the last good one, whatever was wrong with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spell: Option<Row>,
    /// The last such spell that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Row>,
    /// The runs in a row with each trouble. A worse run does not end the row of a milder trouble, nor count in it.
    #[serde(default)]
    pub rows: BTreeMap<Trouble, Row>,
    /// What went wrong in the last run that went wrong, the first few.
    #[serde(default)]
    pub errors: Vec<RunError>,
    /// How many more errors it had.
    #[serde(default)]
    pub errors_left_out: u64,
    /// Since which run each thing could not be seen.
    #[serde(default)]
    pub unseen: BTreeMap<String, DateTime<Utc>>,
    /// What each receiver was told, by the receiver's id.
    #[serde(default)]
    pub told: BTreeMap<String, WatchTold>,
    /// Messages that no receiver has acknowledged yet, oldest first.
    #[serde(default)]
    pub outbox: Vec<Due>,
}

impl Document for Watch {
    const SCHEMA: &'static str = "basewatch.watch/v1";
    const NAME: &'static str = "watch.json";

    fn shed(&mut self) -> bool {
        shed(self.told.values_mut().map(|told| &mut told.told), &mut self.outbox)
    }
}

/// Runs in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How many.
    pub runs: u32,
    /// The first of them.
    pub since: DateTime<Utc>,
}

/// What one receiver was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchTold {
    /// The events, as those of a finding.
    pub told: Told,
    /// The worst that was told since it was last well.
    pub worst: Trouble,
}

impl Watch {
    /// Takes note of `run`. One that was noted already, or that a later one has outrun, changes nothing.
    pub fn note(&mut self, run: &Observed, settings: &WatchSettings) {
        if self.last_run.as_ref().is_some_and(|last| last.id == run.run_id || last.at > run.at) {
            return;
        }
        self.last_run = Some(LastRun { id: run.run_id.clone(), at: run.at });
        self.trouble = counting(run, settings);
        if !matches!(run.trouble, Some(Trouble::Failed | Trouble::Empty)) {
            self.last_report_at = Some(run.at);
        }
        let Some(trouble) = self.trouble else {
            self.last_good_at = Some(run.at);
            self.ended = self.spell.take().or(self.ended);
            self.rows.clear();
            self.unseen.clear();
            return;
        };
        extend(self.spell.get_or_insert(Row { runs: 0, since: run.at }));
        // A run that went better has ended what is worse.
        self.rows.retain(|known, _| *known <= trouble);
        extend(self.rows.entry(trouble).or_insert(Row { runs: 0, since: run.at }));
        self.note_errors(run, trouble);
    }

    fn note_errors(&mut self, run: &Observed, trouble: Trouble) {
        let since = |scope: &String| self.unseen.get(scope).copied().unwrap_or(run.at);
        let scopes = run.errors.iter().take(MOST_SCOPES).map(|error| (error.scope.clone(), since(&error.scope)));
        let unseen: BTreeMap<_, _> = scopes.collect();
        self.errors = run.errors.iter().take(MOST_ERRORS).cloned().collect();
        for error in &mut self.errors {
            error.since = unseen.get(&error.scope).copied().unwrap_or(run.at);
        }
        self.errors_left_out = run.errors.len().saturating_sub(MOST_ERRORS) as u64;
        if trouble == Trouble::Failed {
            // It has looked at nothing: what was not seen before is not seen still.
            self.unseen.extend(unseen);
        } else {
            self.unseen = unseen;
        }
    }

    /// The worst trouble that has lasted for long enough to be told.
    #[must_use]
    pub fn due(&self, settings: &WatchSettings) -> Option<Trouble> {
        let lasts =
            |(trouble, row): (&Trouble, &Row)| settings.threshold(*trouble).is_some_and(|most| row.runs >= most);
        self.rows.iter().rev().find(|(trouble, row)| lasts((trouble, row))).map(|(trouble, _)| *trouble)
    }

    /// Takes in what a receiver said to a message.
    pub(in crate::notify) fn take(&mut self, answer: &Answer) {
        let (Answer::Sent { receiver, dedup_key, .. } | Answer::NotSent { receiver, dedup_key, .. }) = answer else {
            return;
        };
        let is_it = |due: &Due| due.receiver == *receiver && due.message.dedup_key == *dedup_key;
        let Some(place) = self.outbox.iter().position(is_it) else { return };
        match answer {
            Answer::Sent { at, message_id, .. } => {
                self.outbox.remove(place);
                let events = self.told.get_mut(receiver).map(|told| &mut told.told.events);
                for event in events.into_iter().flatten().filter(|event| event.dedup_key == *dedup_key) {
                    event.sent_at = Some(*at);
                    event.message_id.clone_from(message_id);
                }
            }
            Answer::NotSent { at, why, retry_after, .. } => self.outbox[place].failed(*at, why, *retry_after),
            Answer::Asked { .. } | Answer::NotAsked { .. } => {}
        }
    }
}

/// What is wrong with `run` as far as anybody wants to know: what is never told is no trouble.
fn counting(run: &Observed, settings: &WatchSettings) -> Option<Trouble> {
    let counts = |trouble: &Trouble| *trouble == Trouble::Failed || settings.threshold(*trouble).is_some();
    let trouble = run.trouble?;
    let is_incomplete = run.errors.iter().any(|error| error.code != NoteCode::MostUnknown.as_str());
    let has_milder = matches!(trouble, Trouble::Empty | Trouble::Blind) && is_incomplete;
    let milder = has_milder.then_some(Trouble::Incomplete);
    Some(trouble).filter(counts).or(milder.filter(counts))
}

fn extend(row: &mut Row) {
    row.runs = row.runs.saturating_add(1);
}
