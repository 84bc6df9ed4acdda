//! Ledgers from before alerts had one subject each. An alert that covered a workload gets a second alert about the
//! workload, which counts as notified.

use super::{Ledger, NotificationChannel, NotifySettings, threshold, upkeep};
use crate::{
    judge::{Action, Severity, Verdict},
    notify::{Alert, AlertSubject, DeliveryHistory, FindingSnapshot, aspect::FindingAspect},
    report::Finding,
};

/// Splits the alert that an older basewatch recorded for `finding`, if there is one. Sends no notification.
pub(super) fn split(ledger: &mut Ledger, finding: &Finding, settings: &NotifySettings) {
    let base = FindingAspect::new(finding, AlertSubject::Base);
    let workload = FindingAspect::new(finding, AlertSubject::Workload);
    let Some(old) = ledger.alerts.get_mut(&base.key()).filter(|alert| alert.about.is_none()) else { return };
    old.about = Some(AlertSubject::Base);
    if workload.severity == Severity::None || !covers_workload(&old.subject, &base) {
        return;
    }
    let mut new = Alert { snoozed_until: old.snoozed_until, ..upkeep::new(&workload, old.seen_at) };
    new.alerting_since = old.alerting_since;
    old.deliveries.retain(|channel, history| {
        if !history.is_open() {
            return true;
        }
        let severity = history.severity.min(workload.severity);
        new.deliveries.get_or_insert(channel, DeliveryHistory { severity, ..history.clone() });
        let channel = settings.channels.iter().find(|known| known.id == channel);
        covers_base(&old.subject, &base, channel, settings)
    });
    for entry in ledger.outbox.iter_mut().filter(|entry| entry.alerts.contains(&base.key())) {
        entry.alerts.push(workload.key());
    }
    ledger.alerts.insert(workload.key(), new);
}

/// Whether an alert about `old` covered the workload: by its action, or because it was more severe than the base alone.
fn covers_workload(old: &FindingSnapshot, base: &FindingAspect<'_>) -> bool {
    let is_same_verdict = base.finding.verdict == old.verdict;
    old.action == Action::Restore || (is_same_verdict && old.severity > base.severity)
}

/// Whether an alert about `old` on `channel` covered the base as well.
fn covers_base(
    old: &FindingSnapshot,
    base: &FindingAspect<'_>,
    channel: Option<&NotificationChannel>,
    settings: &NotifySettings,
) -> bool {
    if base.finding.verdict == Verdict::Unknown {
        return !matches!(old.verdict, Verdict::Fresh | Verdict::Superseded);
    }
    base.severity >= channel.map_or(settings.threshold, |channel| threshold(channel, settings))
}
