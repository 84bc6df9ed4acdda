//! Selection of due alerts: findings, ledger and settings in, messages out. Reads no clock and does no I/O.

mod absence;
mod changes;
mod group_ids;
mod grouping;
mod images;
mod part;
#[cfg(test)]
mod tests;
mod upkeep;

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};

pub(super) use self::{
    changes::is_reminder_due,
    grouping::{empty as blank_message, key as message_key},
};
use self::{
    changes::{AlertChange, changes},
    grouping::{PlannedMessage, messages},
};
pub use self::{
    images::{snooze, with_other_tags},
    part::plan_part,
};
use super::{
    AlertItem, AlertKey, EventKind, Ledger, Message, MessageKind, NotificationChannel, NotifySettings, OutboxEntry,
    SummarySchedule, page_links,
};
use crate::{judge::Severity, outbox::DeliveryState, rebuild, report::Report};

/// A report from which notifications are planned.
#[derive(Clone, Copy, Debug)]
pub struct NotificationContext<'a> {
    /// The report. Its `generated_at` counts as now.
    pub report: &'a Report,
    /// Location of the report for people: `s3://bucket/prefix/reports/latest.json`.
    pub report_location: Option<&'a str>,
}

impl NotificationContext<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.report.generated_at
    }
}

/// Result of planning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertPlan {
    /// Number of changes held until the end of the quiet hours or the next scheduled summary.
    pub waiting: usize,
    /// Number of changes covered by an earlier message about another tag of the same image.
    pub joined: usize,
    /// Whether a later run has already planned notifications. Nothing was planned then.
    pub is_superseded: bool,
}

/// Records in the outbox of `ledger` the messages that are due for `context`.
///
/// A base that could not be judged neither triggers nor resolves the alert about it. A finding that is absent from the
/// report is resolved only if no inventory error can hide it.
pub fn plan(ledger: &mut Ledger, context: NotificationContext<'_>, settings: &NotifySettings) -> AlertPlan {
    let now = context.now();
    // Findings that wait for the same base are one alert about that base.
    let report = context.report.with_company_bases();
    let context = NotificationContext { report: &report, ..context };
    if ledger.last_run.as_ref().is_some_and(|last| last.at > now) {
        return AlertPlan { is_superseded: true, ..AlertPlan::default() };
    }
    upkeep::observe(ledger, context.report, settings);
    let mut planned = AlertPlan::default();
    for channel in &settings.channels {
        plan_for(channel, ledger, context, settings, &mut planned);
    }
    upkeep::prune(ledger, now);
    planned
}

fn plan_for(
    channel: &NotificationChannel,
    ledger: &mut Ledger,
    context: NotificationContext<'_>,
    settings: &NotifySettings,
    planned: &mut AlertPlan,
) {
    let now = context.now();
    let all = changes(channel, ledger, context.report, settings);
    if !is_summary_due(channel, ledger, settings, now) {
        planned.waiting += all.len();
        return;
    }
    let (all, joined) = joined(all, channel, ledger, now);
    planned.joined += joined;
    let (due, waiting) = split_by_quiet_hours(all, settings, now);
    planned.waiting += waiting.len();
    let is_new = !ledger.channels.contains_key(&channel.id);
    let triggered = due.iter().filter(|change| change.kind == EventKind::Triggered);
    let is_backlog = is_new && images::count(triggered, ledger) > settings.backlog;
    notify_channel(channel, due, ledger, context, settings, is_backlog);
    if is_new && waiting.is_empty() {
        ledger.channels.insert(channel.id.clone(), now);
    }
}

/// Whether `channel` is notified now: unless it receives scheduled summaries, it always is. Records that a summary was due.
///
/// A new channel waits for its first one. Quiet hours hold a summary as a whole.
fn is_summary_due(
    channel: &NotificationChannel,
    ledger: &mut Ledger,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> bool {
    let Some(SummarySchedule::Scheduled(timetable)) = &channel.summary else { return true };
    let last = ledger.summaries.entry(channel.id.clone()).or_insert(now);
    let is_quiet = settings.quiet_hours.as_ref().is_some_and(|hours| hours.hold(now));
    let is_due = !is_quiet && timetable.has_missed(*last, now);
    if is_due {
        *last = now;
    }
    is_due
}

/// `changes` without those that an earlier message about another tag of the same image covers, and the number of these. A
/// channel that tracks alerts has one for each tag.
fn joined<'a>(
    changes: Vec<AlertChange<'a>>,
    channel: &NotificationChannel,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> (Vec<AlertChange<'a>>, usize) {
    if channel.kind.tracks_alerts() { (changes, 0) } else { images::join(changes, channel, ledger, now) }
}

/// Splits changes into those that may be sent at `now` and those that wait for the end of the quiet hours.
fn split_by_quiet_hours<'a>(
    all: Vec<AlertChange<'a>>,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> (Vec<AlertChange<'a>>, Vec<AlertChange<'a>>) {
    let quiet = settings.quiet_hours.as_ref().filter(|hours| hours.hold(now));
    all.into_iter().partition(|change| quiet.is_none_or(|hours| change.urgency() >= Some(hours.except)))
}

/// Records that `channel` is notified of `due`.
fn notify_channel(
    channel: &NotificationChannel,
    due: Vec<AlertChange<'_>>,
    ledger: &mut Ledger,
    context: NotificationContext<'_>,
    settings: &NotifySettings,
    is_backlog: bool,
) {
    let now = context.now();
    for change in &due {
        change.record(&channel.id, ledger, now);
    }
    let sent = due.into_iter().filter(|change| channel.resolved || change.kind != EventKind::Resolved).collect();
    let message_context = MessageContext {
        run_id: &context.report.run_id,
        at: now,
        complete: context.report.complete,
        report_location: context.report_location,
    };
    for message in messages(sent, channel, ledger, message_context, settings, is_backlog) {
        enqueue(ledger, &channel.id, message, settings, now);
    }
}

/// Records in the outbox of `ledger` a reminder of the alerts `keys` for every channel on which they are open, with the
/// findings from `report` or else from the ledger. Covers all tags of an image in ECR. Returns the number of messages.
pub fn resend(
    ledger: &mut Ledger,
    keys: &[AlertKey],
    report: Option<&Report>,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> usize {
    let keys = with_other_tags(ledger, keys);
    let report = report.map(Report::with_company_bases);
    let report = report.as_deref();
    let found = |key: &AlertKey| report?.findings.iter().find(|known| known.id == key.finding);
    let run_id = report.map_or("resend", |report| &report.run_id);
    let message_context = MessageContext { run_id, at: now, complete: true, report_location: None };
    let mut count = 0;
    for channel in &settings.channels {
        let again = keys.iter().filter_map(|key| changes::again(key, found(key), channel, ledger));
        let again: Vec<_> = again.collect();
        for change in &again {
            change.record(&channel.id, ledger, now);
        }
        for message in messages(again, channel, ledger, message_context, settings, false) {
            enqueue(ledger, &channel.id, message, settings, now);
            count += 1;
            // Someone expects an attempt now, whatever the channel waits for.
            for entry in ledger.outbox.iter_mut().filter(|entry| entry.channel == channel.id) {
                entry.delivery.not_before = None;
            }
        }
    }
    count
}

/// Records in the outbox of `ledger` the `notices` about rebuilds for the channels of each owner.
pub fn notify_of_rebuilds(
    ledger: &mut Ledger,
    notices: &[rebuild::OwnerNotices],
    context: NotificationContext<'_>,
    settings: &NotifySettings,
) {
    for channel in settings.channels.iter().filter(|channel| !channel.kind.tracks_alerts()) {
        let of_channel = notices.iter().filter(|notices| channel.is_for(notices.owner.as_deref())).cloned();
        let mut of_channel: Vec<_> = of_channel.collect();
        for of_owner in &mut of_channel {
            of_owner.rebuilds.retain(|rebuild| rebuild.severity >= threshold(channel, settings));
        }
        of_channel.retain(|of_owner| !of_owner.rebuilds.is_empty());
        if channel.summary.is_some() {
            of_channel = summarized(of_channel);
        }
        for of_owner in of_channel {
            let message = grouping::rebuild_message(&of_owner, channel, context, settings.max_items);
            enqueue(ledger, &channel.id, (message, Vec::new()), settings, context.now());
            if let (Some(SummarySchedule::Scheduled(timetable)), Some(entry)) =
                (&channel.summary, ledger.outbox.last_mut())
            {
                entry.delivery.not_before = timetable.next(context.now());
            }
        }
    }
}

/// The notices of all owners as those of one, each rebuild once.
fn summarized(mut by_owner: Vec<rebuild::OwnerNotices>) -> Vec<rebuild::OwnerNotices> {
    if by_owner.len() < 2 {
        return by_owner;
    }
    let mut known = BTreeSet::new();
    let all = by_owner.drain(..).flat_map(|of_owner| of_owner.rebuilds);
    let rebuilds = all.filter(|rebuild| known.insert(rebuild.dedup_key.clone())).collect();
    vec![rebuild::OwnerNotices { owner: None, rebuilds }]
}

/// Adds a message to the outbox, with links to the dashboard.
fn enqueue(
    ledger: &mut Ledger,
    channel: &str,
    (mut message, alerts): PlannedMessage,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) {
    page_links::add(&mut message, settings.dashboard.as_deref());
    mark(ledger, channel, &alerts, &message.dedup_key);
    let alerts = alerts.into_iter().map(|(key, _)| key).collect();
    ledger.outbox.push(OutboxEntry { channel: channel.to_owned(), message, alerts, delivery: DeliveryState::new(now) });
}

/// The run that messages come from.
#[derive(Clone, Copy, Debug)]
struct MessageContext<'a> {
    run_id: &'a str,
    at: DateTime<Utc>,
    complete: bool,
    report_location: Option<&'a str>,
}

/// Records which message carries the latest event of each of `alerts`, and in which group.
fn mark(ledger: &mut Ledger, channel: &str, alerts: &[(AlertKey, Option<Arc<str>>)], key: &str) {
    let key: Arc<str> = key.into();
    for (alert, group) in alerts {
        let history = ledger.alerts.get_mut(alert).and_then(|alert| alert.deliveries.get_mut(channel));
        if let Some(event) = history.and_then(|history| history.events.last_mut()) {
            event.dedup_key.clone_from(&key);
            event.group.clone_from(group);
            event.sent_at = None;
        }
    }
}

/// Minimum severity of alerts on `channel`.
pub(super) fn threshold(channel: &NotificationChannel, settings: &NotifySettings) -> Severity {
    channel.threshold.map_or(settings.threshold, |own| own.max(settings.threshold))
}

/// A sample message to validate templates with.
#[must_use]
pub fn sample_message() -> Message {
    let mut message = grouping::empty(MessageKind::Findings, "01JCZZZZZZZZZZZZZZZZZZZZZZ", DateTime::UNIX_EPOCH);
    message.owner = Some("payments".to_owned());
    message.events.insert(EventKind::Triggered, 1);
    message.items.push(AlertItem::sample());
    message
}

/// A test message.
#[must_use]
pub fn test_message(channel: &NotificationChannel, run_id: &str, now: DateTime<Utc>) -> Message {
    let mut message = grouping::empty(MessageKind::Test, run_id, now);
    message.subscription_reason = grouping::subscription_reason(channel);
    message.dedup_key = grouping::key(&channel.id, [run_id.to_owned()].into_iter());
    message
}
