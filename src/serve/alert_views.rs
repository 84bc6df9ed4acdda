//! The alerts of the ledger for the dashboard, read again when they may have changed.

use std::{
    cmp::Reverse,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures::lock::Mutex;

use crate::{
    dashboard::{AlertView, ChannelView, NotifiedEvent, SnoozeView},
    notify::{self, Alert, AlertKey, Ledger, OutboxEntry},
    store::Store,
};

/// How long alerts are shown before they are read again: other processes may snooze them.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// The alerts as they were last read.
#[derive(Debug, Default)]
pub(super) struct AlertCache(Mutex<Option<(Instant, Arc<[AlertView]>)>>);

impl AlertCache {
    /// The alerts, open ones first, the most severe first. If the ledger cannot be read, those that were last read.
    pub(super) async fn alerts(&self, store: &dyn Store, now: DateTime<Utc>) -> Arc<[AlertView]> {
        // Only one request reads them; the others wait for it.
        let mut cached = self.0.lock().await;
        if let Some((read_at, alerts)) = &*cached
            && read_at.elapsed() < FRESH_FOR
        {
            return Arc::clone(alerts);
        }
        let alerts = match notify::read(store).await {
            Ok(ledger) => views(&ledger, now).into(),
            Err(error) => {
                tracing::warn!("cannot read the alerts: {error}");
                cached.as_ref().map(|(_, alerts)| Arc::clone(alerts)).unwrap_or_default()
            }
        };
        *cached = Some((Instant::now(), Arc::clone(&alerts)));
        alerts
    }

    /// Makes the next request read them again.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

fn views(ledger: &Ledger, now: DateTime<Utc>) -> Vec<AlertView> {
    let is_shown = |alert: &Alert| !alert.deliveries.is_empty() || alert.is_snoozed(now);
    let shown = ledger.alerts.iter().filter(|(_, alert)| is_shown(alert));
    let mut views: Vec<_> = shown.map(|(key, alert)| view(key, alert, &ledger.outbox, now)).collect();
    views.sort_by_key(|alert| (Reverse(alert.is_open), Reverse(alert.severity), alert.since));
    views
}

fn view(key: &AlertKey, alert: &Alert, outbox: &[OutboxEntry], now: DateTime<Utc>) -> AlertView {
    let channels = alert.deliveries.iter().map(|(channel, history)| ChannelView {
        channel: channel.to_owned(),
        events: history.events.iter().map(event).collect(),
        last_error: history.last_error(channel, outbox),
    });
    AlertView {
        id: alert.id.clone(),
        finding: key.finding.clone(),
        about: key.about.as_str(),
        name: alert.subject.name.clone(),
        owner: alert.subject.owner.clone(),
        verdict: alert.subject.verdict,
        severity: alert.subject.severity,
        is_open: alert.deliveries.iter().any(|(_, history)| history.is_open()),
        since: alert.deliveries.iter().filter_map(|(_, history)| history.since()).min(),
        snooze: alert.snooze.as_ref().filter(|snooze| snooze.is_active(now)).map(|snooze| SnoozeView {
            until: snooze.until,
            by: snooze.by.clone(),
            reason: snooze.reason.clone(),
        }),
        channels: channels.collect(),
    }
}

fn event(event: &notify::AlertEvent) -> NotifiedEvent {
    NotifiedEvent { kind: event.kind.as_str(), severity: event.severity, due_at: event.due_at, sent_at: event.sent_at }
}
