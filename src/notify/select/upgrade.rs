//! Alerts of ledgers from before alerts had one subject each: where one covered a workload, an alert about the workload
//! is added that counts as notified.

use super::{Ledger, Receiver, Settings, threshold, upkeep};
use crate::{
    judge::{Action, Severity, Verdict},
    notify::{Alert, AlertSubject, Subject, Told, aspect::Aspect},
    report::Finding,
};

/// Splits the alert that an older basewatch recorded of `finding`, if it did. That sends no notification.
pub(super) fn split(ledger: &mut Ledger, finding: &Finding, settings: &Settings) {
    let base = Aspect::new(finding, AlertSubject::Base);
    let workload = Aspect::new(finding, AlertSubject::Workload);
    let Some(old) = ledger.alerts.get_mut(&base.key()).filter(|alert| alert.about.is_none()) else { return };
    old.about = Some(AlertSubject::Base);
    if workload.severity == Severity::None || !tells_of_workload(&old.subject, &base) {
        return;
    }
    let mut new = Alert { snoozed_until: old.snoozed_until, ..upkeep::new(&workload, old.seen_at) };
    new.alerting_since = old.alerting_since;
    old.told.retain(|receiver, told| {
        if !told.is_open() {
            return true;
        }
        let severity = told.severity.min(workload.severity);
        new.told.insert(receiver.clone(), Told { severity, ..told.clone() });
        let receiver = settings.receivers.iter().find(|known| known.id == *receiver);
        is_base_told(&old.subject, &base, receiver, settings)
    });
    for due in ledger.outbox.iter_mut().filter(|due| due.findings.contains(&base.key())) {
        due.findings.push(workload.key());
    }
    ledger.alerts.insert(workload.key(), new);
}

/// Whether an alert about `old` covered the workload: its action was about that, or it
/// was worse than the base alone would be.
fn tells_of_workload(old: &Subject, base: &Aspect<'_>) -> bool {
    let is_same_verdict = base.finding.verdict == old.verdict;
    old.action == Action::Restore || (is_same_verdict && old.severity > base.severity)
}

/// Whether an alert about `old` for `receiver` covered the base, too.
fn is_base_told(old: &Subject, base: &Aspect<'_>, receiver: Option<&Receiver>, settings: &Settings) -> bool {
    if base.finding.verdict == Verdict::Unknown {
        return !matches!(old.verdict, Verdict::Fresh | Verdict::Superseded);
    }
    base.severity >= receiver.map_or(settings.threshold, |receiver| threshold(receiver, settings))
}
