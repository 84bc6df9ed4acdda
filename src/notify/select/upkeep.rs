//! Upkeep of the ledger in every run, independent of channels: records findings and prunes old alerts.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::{Ledger, NotifySettings};
use crate::{
    image::Digest,
    judge::Severity,
    notify::{Alert, ByChannel, DeliveryHistory, FindingSnapshot, RecordedRun, aspect::FindingAspect},
    report::Report,
};

/// How long alerts are kept after they were last seen or notified.
const RETENTION: Duration = Duration::days(90);

/// Records the findings of `report` at or above the threshold, those recorded before, and the run.
pub(super) fn observe(ledger: &mut Ledger, report: &Report, settings: &NotifySettings) {
    observe_findings(ledger, report, settings, false);
    ledger.last_run = Some(RecordedRun { id: report.run_id.clone(), at: report.generated_at });
}

/// Records the findings of `report` at or above the threshold and those recorded before. `is_unlisted`: no inventory lists
/// them.
pub(super) fn observe_findings(ledger: &mut Ledger, report: &Report, settings: &NotifySettings, is_unlisted: bool) {
    let now = report.generated_at;
    for aspect in report.findings.iter().flat_map(FindingAspect::all) {
        let is_bad = aspect.severity >= settings.threshold && aspect.is_known(None);
        if let Some(alert) = ledger.alerts.get_mut(&aspect.key()) {
            alert.seen_at = now;
            alert.is_unlisted &= is_unlisted;
            if aspect.is_known(Some(&alert.subject)) {
                alert.subject = FindingSnapshot::from_aspect(&aspect);
                alert.alerting_since = alert.alerting_since.or(Some(now)).filter(|_| is_bad);
            }
        } else if is_bad {
            ledger.alerts.insert(aspect.key(), Alert { is_unlisted, ..new(&aspect, now) });
        }
    }
}

/// An alert that no channel has been notified of yet.
fn new(aspect: &FindingAspect<'_>, now: DateTime<Utc>) -> Alert {
    Alert {
        id: Digest::sha256(aspect.key().to_string().as_bytes()).short().to_owned(),
        subject: FindingSnapshot::from_aspect(aspect),
        alerting_since: Some(now),
        seen_at: now,
        is_unlisted: false,
        snooze: None,
        deliveries: ByChannel::default(),
    }
}

/// Removes alerts that no channel is notified of and those that ended or were last seen before [`RETENTION`].
pub(super) fn prune(ledger: &mut Ledger, now: DateTime<Utc>) {
    let pending: BTreeSet<_> = ledger.outbox.iter().flat_map(|entry| entry.alerts.iter().cloned()).collect();
    ledger.alerts.retain(|key, alert| {
        let is_bad = alert.alerting_since.is_some() && alert.subject.severity > Severity::None;
        let is_open = alert.deliveries.values().any(DeliveryHistory::is_open);
        let is_recent = now - alert.seen_at < RETENTION;
        let last_notified_at = alert.deliveries.values().filter_map(DeliveryHistory::last_at).max();
        let is_recently_notified = last_notified_at.is_some_and(|last| now - last < RETENTION);
        pending.contains(key) || (is_recent && (alert.is_snoozed(now) || is_bad || is_open)) || is_recently_notified
    });
}
