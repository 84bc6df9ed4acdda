//! What the ledger notes of every run, whoever is told: what is there, since when it is bad, what can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::{Ledger, Settings, upgrade};
use crate::{
    image::Digest,
    judge::Severity,
    notify::{Alert, LastRun, Subject, Told, aspect::Aspect},
    report::Report,
};

/// How long what has ended, or was not seen any more, is remembered.
const REMEMBERED: Duration = Duration::days(90);

/// Notes what `report` says of every subject that is or was bad, and that it was a run.
pub(super) fn observe(ledger: &mut Ledger, report: &Report, settings: &Settings) {
    observe_findings(ledger, report, settings, false);
    ledger.last_run = Some(LastRun { id: report.run_id.clone(), at: report.generated_at });
}

/// Notes what `report` says of every subject that is or was bad; `is_unlisted` if no inventory will find them again.
pub(super) fn observe_findings(ledger: &mut Ledger, report: &Report, settings: &Settings, is_unlisted: bool) {
    let now = report.generated_at;
    for finding in &report.findings {
        upgrade::split(ledger, finding, settings);
    }
    for aspect in report.findings.iter().flat_map(Aspect::all) {
        let is_bad = aspect.severity >= settings.threshold && aspect.is_known(None);
        if let Some(alert) = ledger.alerts.get_mut(&aspect.key()) {
            alert.seen_at = now;
            alert.is_unlisted &= is_unlisted;
            if aspect.is_known(Some(&alert.subject)) {
                alert.subject = Subject::of(&aspect);
                alert.alerting_since = alert.alerting_since.or(Some(now)).filter(|_| is_bad);
            }
        } else if is_bad {
            ledger.alerts.insert(aspect.key(), Alert { is_unlisted, ..new(&aspect, now) });
        }
    }
}

/// An alert of which no receiver has been notified yet.
pub(super) fn new(aspect: &Aspect<'_>, now: DateTime<Utc>) -> Alert {
    Alert {
        id: Digest::of(aspect.key().to_string().as_bytes()).short().to_owned(),
        about: Some(aspect.about),
        subject: Subject::of(aspect),
        alerting_since: Some(now),
        seen_at: now,
        is_unlisted: false,
        snoozed_until: None,
        told: BTreeMap::new(),
    }
}

/// Forgets what nobody was told, and what ended or was last seen long ago.
pub(super) fn prune(ledger: &mut Ledger, now: DateTime<Utc>) {
    let due: BTreeSet<_> = ledger.outbox.iter().flat_map(|due| due.findings.iter().cloned()).collect();
    ledger.alerts.retain(|key, alert| {
        let is_snoozed = alert.snoozed_until.is_some_and(|until| until > now);
        let is_bad = alert.alerting_since.is_some() && alert.subject.severity > Severity::None;
        let is_open = alert.told.values().any(Told::is_open);
        let is_recent = now - alert.seen_at < REMEMBERED;
        let last_told = alert.told.values().filter_map(Told::last_at).max();
        let was_told_lately = last_told.is_some_and(|last| now - last < REMEMBERED);
        due.contains(key) || (is_recent && (is_snoozed || is_bad || is_open)) || was_told_lately
    });
}
