//! Who has to be told how basewatch does, and what? Pure: no clock, no network, no files.

use chrono::{DateTime, Duration, Utc};

use super::{SEVERITY, Trouble, WatchFields, WatchSettings, state::Row, state::Watch, state::WatchTold};
use crate::{
    judge::Severity,
    notify::{
        Channel, Due, Event, EventKind, Message, MessageKind, Receiver, Settings, Told,
        deliver::is_hopeless,
        select::{blank_message, is_to_be_reminded, message_key, threshold},
    },
};

/// How long what was told to a receiver is remembered once nobody is told there any more.
const REMEMBERED: Duration = Duration::days(90);

/// Who is told how basewatch does: those whom `watch` names; else those who are told about everybody's findings; and if
/// there are none, everybody, for a watchman whom nobody hears is none.
#[must_use]
pub fn addressed<'a>(settings: &'a Settings, watch: &WatchSettings) -> Vec<&'a Receiver> {
    let receivers = || settings.receivers.iter();
    if !watch.receivers.is_empty() {
        return receivers().filter(|receiver| watch.receivers.contains(&receiver.id)).collect();
    }
    let listeners: Vec<_> = receivers().filter(|receiver| threshold(receiver, settings) <= SEVERITY).collect();
    let general: Vec<_> = listeners.iter().copied().filter(|receiver| receiver.owners.is_empty()).collect();
    if general.is_empty() { listeners } else { general }
}

/// Records in `watch` what is due at `now`, as messages in its outbox.
pub(super) fn plan(
    watch: &mut Watch,
    settings: &Settings,
    terms: &WatchSettings,
    run_id: &str,
    place: &str,
    now: DateTime<Utc>,
) {
    for receiver in addressed(settings, terms) {
        let Some(kind) = change(watch, receiver, settings, terms, now) else { continue };
        let Some(fields) = record(watch, receiver, terms, kind, now) else { continue };
        let is_told = receiver.resolved || kind != EventKind::Resolved;
        let key = key(watch, receiver, kind);
        let Some(event) = watch.told.get_mut(&receiver.id).and_then(|told| told.told.events.last_mut()) else {
            continue;
        };
        if !is_told {
            event.sent_at = Some(now);
            continue;
        }
        event.dedup_key.clone_from(&key);
        let message = Message { dedup_key: key, ..message(fields, receiver, run_id, place, now) };
        watch.outbox.push(Due {
            receiver: receiver.id.clone(),
            message,
            due_at: now,
            findings: Vec::new(),
            attempts: 0,
            not_before: None,
            last_error: None,
        });
    }
    let is_remembered = |told: &WatchTold| told.told.last_at().is_some_and(|last| now - last < REMEMBERED);
    let is_known = |id: &String| settings.receivers.iter().any(|receiver| receiver.id == *id);
    watch.told.retain(|id, told| is_remembered(told) || (is_known(id) && told.told.is_open()));
}

/// What has happened that `receiver` has to be told now.
fn change(
    watch: &Watch,
    receiver: &Receiver,
    settings: &Settings,
    terms: &WatchSettings,
    now: DateTime<Utc>,
) -> Option<EventKind> {
    let open = watch.told.get(&receiver.id).filter(|told| told.told.is_open());
    let due = watch.due(terms);
    let kind = match open {
        None => due.map(|_| EventKind::Triggered),
        // Only a good run ends it: what fails every other run would be told with each of them.
        Some(_) if watch.trouble.is_none() => Some(EventKind::Resolved),
        Some(told) if due > Some(told.worst) => Some(EventKind::Escalated),
        Some(told) => is_to_be_reminded(&told.told, settings, now).then_some(EventKind::Reminded),
    }?;
    let urgency = (kind != EventKind::Resolved).then_some(SEVERITY);
    let quiet = settings.quiet_hours.as_ref().filter(|hours| hours.hold(now));
    quiet.is_none_or(|hours| urgency >= Some(hours.except)).then_some(kind)
}

/// Records that `receiver` is told of `kind`, and says what.
fn record(
    watch: &mut Watch,
    receiver: &Receiver,
    terms: &WatchSettings,
    kind: EventKind,
    now: DateTime<Utc>,
) -> Option<WatchFields> {
    let due = watch.due(terms).or(watch.trouble);
    let known = watch.told.get(&receiver.id);
    let trouble = due.or(known.map(|told| told.worst))?;
    let new = || Told { episode: 0, count: 0, severity: SEVERITY, events: Vec::new() };
    let told = watch.told.entry(receiver.id.clone()).or_insert_with(|| WatchTold { told: new(), worst: trouble });
    match kind {
        EventKind::Triggered => {
            told.told.episode += 1;
            told.told.events.clear();
            told.worst = trouble;
        }
        EventKind::Escalated => told.worst = trouble,
        EventKind::Reminded | EventKind::Resolved => {}
    }
    let told_since = told.told.since();
    let (severity, dedup_key) = (SEVERITY, String::new());
    told.told.push(Event { kind, severity, due_at: now, sent_at: None, message_id: None, dedup_key });
    let trouble = if kind == EventKind::Resolved { told.worst } else { trouble };
    let row = match kind {
        EventKind::Resolved => watch.ended,
        _ => watch.rows.get(&trouble).copied().or(watch.spell),
    };
    let Row { runs, since } = row.unwrap_or(Row { runs: 1, since: now });
    Some(WatchFields {
        event: kind,
        trouble,
        runs,
        since,
        told_since,
        last_good_at: watch.last_good_at,
        last_report_at: watch.last_report_at,
        errors: if kind == EventKind::Resolved { Vec::new() } else { watch.errors.clone() },
        errors_left_out: if kind == EventKind::Resolved { 0 } else { watch.errors_left_out },
    })
}

/// The same for a run that is repeated an hour later, another one for whatever else is told.
fn key(watch: &Watch, receiver: &Receiver, kind: EventKind) -> String {
    let told = watch.told.get(&receiver.id).map(|told| &told.told);
    let since = told.and_then(Told::since).unwrap_or_default().date_naive();
    let (episode, count) = told.map_or((0, 0), |told| (told.episode, told.count));
    message_key(&receiver.id, [format!("watch {episode} {count} {since} {}", kind.as_str())].into_iter())
}

fn message(fields: WatchFields, receiver: &Receiver, run_id: &str, place: &str, now: DateTime<Utc>) -> Message {
    let is_over = fields.event == EventKind::Resolved;
    let what = match receiver.channel {
        Channel::Sns(_) => "this topic",
        Channel::Webhook(_) => "this webhook",
    };
    let mut message = blank_message(MessageKind::Watch, run_id, now);
    message.complete = is_over;
    message.because = format!("{what} is told whether basewatch itself works");
    message.severity = SEVERITY;
    message.events.insert(fields.event, 1);
    if !is_over {
        message.severities.insert(Severity::High, 1);
    }
    // The report of a run that failed is that of an earlier one.
    message.report = (fields.trouble != Trouble::Failed || is_over).then(|| place.to_owned());
    message.watch = Some(fields);
    message
}

/// Forgets messages that were tried for too long, and that somebody was told by them: what lasts is told anew. Says how
/// many there were.
pub(super) fn give_up(watch: &mut Watch, settings: &Settings, now: DateTime<Utc>) -> usize {
    let (old, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut watch.outbox).into_iter().partition(|due| is_hopeless(due, settings, now));
    watch.outbox = kept;
    for due in &old {
        let Some(told) = watch.told.get_mut(&due.receiver) else { continue };
        told.told.untell(&due.message.dedup_key);
        told.worst = Trouble::Incomplete;
        if told.told.events.is_empty() {
            watch.told.remove(&due.receiver);
        }
    }
    old.len()
}
