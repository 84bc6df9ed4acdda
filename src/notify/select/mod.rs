//! Which alerts are due? Findings, ledger and settings in; messages out. Pure: no clock, no network, no files.

mod absence;
mod changes;
mod grouping;
mod images;
mod part;
#[cfg(test)]
mod tests;
mod upgrade;
mod upkeep;

use chrono::{DateTime, Utc};

pub(super) use self::{
    changes::is_to_be_reminded,
    grouping::{empty as blank_message, key as message_key},
};
use self::{
    changes::{Change, changes},
    grouping::messages,
};
pub use self::{images::same_image, part::plan_part};
use super::{AlertKey, Due, EventKind, Item, Ledger, Message, MessageKind, Receiver, Settings};
use crate::{judge::Severity, rebuild, report::Report};

/// A report, as something to tell about.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// The report; its `generated_at` is now.
    pub report: &'a Report,
    /// Where people find it: `s3://bucket/prefix/reports/latest.json`.
    pub place: Option<&'a str>,
}

impl News<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.report.generated_at
    }
}

/// What came of planning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// How many things wait for the end of the quiet hours.
    pub waiting: usize,
    /// How many changes an earlier message about another tag of the same image covers.
    pub joined: usize,
    /// A later run has told already: nothing was planned.
    pub is_outrun: bool,
}

/// Records in `ledger` what `news` make due, as messages in its outbox.
///
/// A base that could not be judged neither triggers nor ends the alert about it, and what is absent from a report has
/// ended only if no error of the inventory may hide it.
pub fn plan(ledger: &mut Ledger, news: News<'_>, settings: &Settings) -> Planned {
    let now = news.now();
    // What waits for a base is told as one alert about that base.
    let report = news.report.with_company_bases();
    let news = News { report: &report, ..news };
    if ledger.last_run.as_ref().is_some_and(|last| last.at > now) {
        return Planned { is_outrun: true, ..Planned::default() };
    }
    upkeep::observe(ledger, news.report, settings);
    let mut planned = Planned::default();
    for receiver in &settings.receivers {
        plan_for(receiver, ledger, news, settings, &mut planned);
    }
    upkeep::prune(ledger, now);
    planned
}

fn plan_for(receiver: &Receiver, ledger: &mut Ledger, news: News<'_>, settings: &Settings, planned: &mut Planned) {
    let now = news.now();
    let all = changes(receiver, ledger, news.report, settings);
    let (all, joined) = images::join(all, receiver, ledger, now);
    planned.joined += joined;
    let (due, waiting) = awake(all, settings, now);
    planned.waiting += waiting.len();
    let is_new = ledger.receivers.get(&receiver.id).is_none_or(|state| state.known_since.is_none());
    let triggered = due.iter().filter(|change| change.kind == EventKind::Triggered);
    let is_backlog = is_new && images::count(triggered, ledger) > settings.backlog;
    tell(receiver, due, ledger, news, settings, is_backlog);
    if is_new && waiting.is_empty() {
        let state = ledger.receivers.entry(receiver.id.clone()).or_default();
        state.known_since = Some(now);
    }
}

/// What may be told at `now`, and what waits for the end of the quiet hours.
fn awake<'a>(all: Vec<Change<'a>>, settings: &Settings, now: DateTime<Utc>) -> (Vec<Change<'a>>, Vec<Change<'a>>) {
    let quiet = settings.quiet_hours.as_ref().filter(|hours| hours.hold(now));
    all.into_iter().partition(|change| quiet.is_none_or(|hours| change.urgency() >= Some(hours.except)))
}

/// Records that `receiver` is told what is `due`.
fn tell(
    receiver: &Receiver,
    due: Vec<Change<'_>>,
    ledger: &mut Ledger,
    news: News<'_>,
    settings: &Settings,
    is_backlog: bool,
) {
    let now = news.now();
    for change in &due {
        change.record(&receiver.id, ledger, now);
    }
    let told = due.into_iter().filter(|change| receiver.resolved || change.kind != EventKind::Resolved).collect();
    let occasion = Occasion { run_id: &news.report.run_id, at: now, complete: news.report.complete, place: news.place };
    for (message, findings) in messages(told, receiver, ledger, occasion, settings, is_backlog) {
        enqueue(ledger, &receiver.id, message, findings, now);
    }
}

/// Records in `ledger` that every receiver for which the alert `key` is open is notified again, as it is in `report` or
/// else as it is remembered. Returns the number of messages. Of an image in ECR all tags are included.
pub fn resend(
    ledger: &mut Ledger,
    key: &AlertKey,
    report: Option<&Report>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> usize {
    let keys = same_image(ledger, key);
    let report = report.map(Report::with_company_bases);
    let report = report.as_deref();
    let found = |key: &AlertKey| report?.findings.iter().find(|known| known.id == key.finding);
    let run_id = report.map_or("resend", |report| &report.run_id);
    let occasion = Occasion { run_id, at: now, complete: true, place: None };
    let mut count = 0;
    for receiver in &settings.receivers {
        let again = keys.iter().filter_map(|key| changes::again(key, found(key), receiver, ledger));
        let again: Vec<_> = again.collect();
        for change in &again {
            change.record(&receiver.id, ledger, now);
        }
        for (message, findings) in messages(again, receiver, ledger, occasion, settings, false) {
            enqueue(ledger, &receiver.id, message, findings, now);
            count += 1;
        }
    }
    count
}

/// Records in `ledger` that the receivers of each owner are told what became of rebuilds.
pub fn tell_of_rebuilds(ledger: &mut Ledger, told: &[rebuild::Told], news: News<'_>, settings: &Settings) {
    for of_owner in told {
        let is_for = |receiver: &&Receiver| receiver.is_for(of_owner.owner.as_deref());
        for receiver in settings.receivers.iter().filter(is_for) {
            let mut told = of_owner.clone();
            told.rebuilds.retain(|rebuild| rebuild.severity >= threshold(receiver, settings));
            if told.rebuilds.is_empty() {
                continue;
            }
            let message = grouping::of_rebuilds(&told, receiver, news, settings.max_items);
            enqueue(ledger, &receiver.id, message, Vec::new(), news.now());
        }
    }
}

/// Records `message` as due.
fn enqueue(ledger: &mut Ledger, receiver: &str, message: Message, findings: Vec<AlertKey>, now: DateTime<Utc>) {
    mark(ledger, receiver, &findings, &message.dedup_key);
    ledger.outbox.push(Due {
        receiver: receiver.to_owned(),
        message,
        due_at: now,
        findings,
        attempts: 0,
        not_before: None,
        last_error: None,
    });
}

/// When and where messages come from.
#[derive(Clone, Copy, Debug)]
struct Occasion<'a> {
    run_id: &'a str,
    at: DateTime<Utc>,
    complete: bool,
    place: Option<&'a str>,
}

/// Notes which message covers the last event of each of the alerts `findings`.
fn mark(ledger: &mut Ledger, receiver: &str, findings: &[AlertKey], key: &str) {
    for finding in findings {
        let told = ledger.alerts.get_mut(finding).and_then(|alert| alert.told.get_mut(receiver));
        if let Some(event) = told.and_then(|told| told.events.last_mut()) {
            key.clone_into(&mut event.dedup_key);
            event.sent_at = None;
        }
    }
}

/// The least severity that `receiver` is told.
pub(super) fn threshold(receiver: &Receiver, settings: &Settings) -> Severity {
    receiver.threshold.map_or(settings.threshold, |own| own.max(settings.threshold))
}

/// A message to try templates on.
#[must_use]
pub fn sample_message() -> Message {
    let mut message = grouping::empty(MessageKind::Findings, "01JCZZZZZZZZZZZZZZZZZZZZZZ", DateTime::UNIX_EPOCH);
    message.owner = Some("payments".to_owned());
    message.events.insert(EventKind::Triggered, 1);
    message.items.push(Item::sample());
    message
}

/// A message that only tries whether messages arrive.
#[must_use]
pub fn test_message(receiver: &Receiver, run_id: &str, now: DateTime<Utc>) -> Message {
    let mut message = grouping::empty(MessageKind::Test, run_id, now);
    message.because = grouping::because(receiver);
    message.dedup_key = grouping::key(&receiver.id, [run_id.to_owned()].into_iter());
    message
}
