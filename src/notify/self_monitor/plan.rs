//! Self-monitoring alerts: which channels receive which, from the state of past runs. Reads no clock and does no I/O.

use chrono::{DateTime, Duration, SubsecRound as _, Utc};

use super::{
    SEVERITY, SelfMonitorSettings,
    state::{MonitorHistory, SelfMonitor, TroubleStreak},
};
use crate::{
    judge::Severity,
    notify::{
        AlertEvent, DeliveryHistory, EventKind, Message, MessageKind, NotificationChannel, NotifySettings, OutboxEntry,
        SelfMonitorFields, page_links,
        run_health::RunHealth,
        select::{blank_message, is_reminder_due, message_key, threshold},
    },
    outbox::DeliveryState,
};

/// How long the history of a channel is kept after its last notification.
const HISTORY_RETENTION: Duration = Duration::days(90);

/// The channels that receive self-monitoring alerts: those that `monitor_settings` names; else those subscribed to all owners; else
/// all. Without an explicit list, only channels whose threshold lets [`SEVERITY`] through.
#[must_use]
pub fn addressed<'a>(
    settings: &'a NotifySettings,
    monitor_settings: &SelfMonitorSettings,
) -> Vec<&'a NotificationChannel> {
    let channels = || settings.channels.iter().filter(|channel| channel.kind.can_report_runs());
    if !monitor_settings.channels.is_empty() {
        return channels().filter(|channel| monitor_settings.channels.contains(&channel.id)).collect();
    }
    let listeners: Vec<_> = channels().filter(|channel| threshold(channel, settings) <= SEVERITY).collect();
    let general: Vec<_> = listeners.iter().copied().filter(|channel| channel.owners.is_empty()).collect();
    if general.is_empty() { listeners } else { general }
}

/// Records in `monitor` what is due at `now`, as messages in its outbox.
pub(super) fn plan(
    monitor: &mut SelfMonitor,
    settings: &NotifySettings,
    monitor_settings: &SelfMonitorSettings,
    run_id: &str,
    report_location: &str,
    now: DateTime<Utc>,
) {
    for channel in addressed(settings, monitor_settings) {
        let Some(kind) = change(monitor, channel, settings, monitor_settings, now) else { continue };
        let Some(fields) = record(monitor, channel, monitor_settings, kind, now) else { continue };
        let is_subscribed = channel.resolved || kind != EventKind::Resolved;
        let key = key(monitor, channel, kind);
        let Some(event) = monitor.deliveries.get_mut(&channel.id).and_then(|known| known.history.events.last_mut())
        else {
            continue;
        };
        if !is_subscribed {
            event.sent_at = Some(now);
            continue;
        }
        event.dedup_key = key.as_str().into();
        let mut message = Message { dedup_key: key, ..message(fields, channel, run_id, report_location, now) };
        page_links::add(&mut message, settings.dashboard.as_deref());
        let delivery = DeliveryState::new(now);
        monitor.outbox.push(OutboxEntry { channel: channel.id.clone(), message, alerts: Vec::new(), delivery });
    }
    let is_recent = |known: &MonitorHistory| known.history.last_at().is_some_and(|last| now - last < HISTORY_RETENTION);
    let is_known = |id: &String| settings.channels.iter().any(|channel| channel.id == *id);
    monitor.deliveries.retain(|id, known| is_recent(known) || (is_known(id) && known.history.is_open()));
}

/// The event that `channel` is notified of now, if any.
fn change(
    monitor: &SelfMonitor,
    channel: &NotificationChannel,
    settings: &NotifySettings,
    monitor_settings: &SelfMonitorSettings,
    now: DateTime<Utc>,
) -> Option<EventKind> {
    let open = monitor.deliveries.get(&channel.id).filter(|known| known.history.is_open());
    let due = monitor.due(monitor_settings);
    let kind = match open {
        None => due.map(|_| EventKind::Triggered),
        // Only a healthy run resolves it: a problem that alternates would otherwise notify on every run.
        Some(_) if monitor.trouble.is_none() => Some(EventKind::Resolved),
        Some(known) if due > Some(known.worst) => Some(EventKind::Escalated),
        Some(known) => is_reminder_due(&known.history, settings, now).then_some(EventKind::Reminded),
    }?;
    let urgency = (kind != EventKind::Resolved).then_some(SEVERITY);
    let quiet = settings.quiet_hours.as_ref().filter(|hours| hours.hold(now));
    quiet.is_none_or(|hours| urgency >= Some(hours.except)).then_some(kind)
}

/// Records that `channel` is notified of `kind`. Returns the fields of the message.
fn record(
    monitor: &mut SelfMonitor,
    channel: &NotificationChannel,
    monitor_settings: &SelfMonitorSettings,
    kind: EventKind,
    now: DateTime<Utc>,
) -> Option<SelfMonitorFields> {
    let due = monitor.due(monitor_settings).or(monitor.trouble);
    let known = monitor.deliveries.get(&channel.id);
    let trouble = due.or(known.map(|known| known.worst))?;
    let new = || DeliveryHistory { episode: 0, count: 0, severity: SEVERITY, events: Vec::new() };
    let known = monitor
        .deliveries
        .entry(channel.id.clone())
        .or_insert_with(|| MonitorHistory { history: new(), worst: trouble });
    match kind {
        EventKind::Triggered => {
            known.history.episode += 1;
            known.history.events.clear();
            known.worst = trouble;
        }
        EventKind::Escalated => known.worst = trouble,
        EventKind::Reminded | EventKind::Resolved => {}
    }
    let first_notified_at = known.history.since();
    known.history.push(AlertEvent::new(kind, SEVERITY, now));
    let trouble = if kind == EventKind::Resolved { known.worst } else { trouble };
    let streak = match kind {
        EventKind::Resolved => monitor.last_streak,
        _ => monitor.streaks.get(&trouble).copied().or(monitor.current_streak),
    };
    let TroubleStreak { runs, since } = streak.unwrap_or(TroubleStreak { runs: 1, since: now });
    Some(SelfMonitorFields {
        event: kind,
        trouble,
        runs,
        since: since.trunc_subsecs(0),
        first_notified_at: first_notified_at.map(|at| at.trunc_subsecs(0)),
        last_good_at: monitor.last_good_at.map(|at| at.trunc_subsecs(0)),
        last_report_at: monitor.last_report_at.map(|at| at.trunc_subsecs(0)),
        errors: if kind == EventKind::Resolved { Vec::new() } else { monitor.errors.clone() },
        errors_left_out: if kind == EventKind::Resolved { 0 } else { monitor.errors_left_out },
    })
}

/// The dedup key: a run repeated within the day yields the same key, every other event a different one.
fn key(monitor: &SelfMonitor, channel: &NotificationChannel, kind: EventKind) -> String {
    let history = monitor.deliveries.get(&channel.id).map(|known| &known.history);
    let since = history.and_then(DeliveryHistory::since).unwrap_or_default().date_naive();
    let (episode, count) = history.map_or((0, 0), |history| (history.episode, history.count));
    message_key(&channel.id, [format!("watch {episode} {count} {since} {}", kind.as_str())].into_iter())
}

fn message(
    fields: SelfMonitorFields,
    channel: &NotificationChannel,
    run_id: &str,
    report_location: &str,
    now: DateTime<Utc>,
) -> Message {
    let is_over = fields.event == EventKind::Resolved;
    let what = channel.kind.recipient();
    let mut message = blank_message(MessageKind::Watch, run_id, now);
    message.complete = is_over;
    message.subscription_reason = format!("{what} is subscribed to self-monitoring");
    message.severity = SEVERITY;
    message.events.insert(fields.event, 1);
    if !is_over {
        message.severities.insert(Severity::High, 1);
    }
    // A failed run has no report: the latest is of an earlier run.
    message.report = (fields.trouble != RunHealth::Failed || is_over).then(|| report_location.to_owned());
    message.watch = Some(fields);
    message
}
