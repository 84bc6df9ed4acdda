//! Changes of alerts that one channel is notified of.

use chrono::{DateTime, Duration, Utc};

use super::{super::AlertEvent, Ledger, NotificationChannel, NotifySettings, absence::AbsenceProof, threshold};
use crate::{
    judge::{Severity, Verdict},
    notify::{Alert, AlertKey, AlertSubject, DeliveryHistory, EventKind, aspect::FindingAspect},
    report::{Finding, Report},
};

/// Tolerance for runs that start early: a reminder due within it is sent now.
const REMINDER_TOLERANCE: Duration = Duration::hours(1);

/// One event that a channel is notified of.
#[derive(Clone, Debug)]
pub(super) struct AlertChange<'a> {
    pub(super) kind: EventKind,
    /// The key of the alert.
    pub(super) key: AlertKey,
    /// The finding, if the report has it.
    pub(super) finding: Option<&'a Finding>,
    /// The severity; for `resolved`, the one last notified.
    pub(super) severity: Severity,
    /// The severity last notified, for `escalated`.
    pub(super) previous_severity: Option<Severity>,
    /// How it ended.
    pub(super) ended: Option<String>,
}

impl AlertChange<'_> {
    /// Severity that quiet hours compare; none for `resolved`.
    pub(super) fn urgency(&self) -> Option<Severity> {
        (self.kind != EventKind::Resolved).then_some(self.severity)
    }

    /// Records it in the ledger, as not carried by any message yet.
    pub(super) fn record(&self, channel: &str, ledger: &mut Ledger, now: DateTime<Utc>) {
        let Some(alert) = ledger.alerts.get_mut(&self.key) else { return };
        let new = DeliveryHistory { episode: 0, count: 0, severity: self.severity, events: Vec::new() };
        let history = alert.deliveries.get_or_insert(channel, new);
        match self.kind {
            EventKind::Triggered => {
                history.episode += 1;
                history.events.clear();
                history.severity = self.severity;
            }
            EventKind::Escalated => history.severity = self.severity,
            EventKind::Reminded | EventKind::Resolved => {}
        }
        history.push(AlertEvent { sent_at: Some(now), ..AlertEvent::new(self.kind, history.severity, now) });
    }
}

/// A reminder of the alert `key` for `channel`, if it is open there.
pub(super) fn again<'a>(
    key: &AlertKey,
    finding: Option<&'a Finding>,
    channel: &NotificationChannel,
    ledger: &Ledger,
) -> Option<AlertChange<'a>> {
    let history = ledger.alerts.get(key)?.deliveries.get(&channel.id).filter(|history| history.is_open())?;
    let aspect = finding.map(|finding| FindingAspect::new(finding, key.about)).filter(|aspect| aspect.is_known(None));
    let severity = aspect.map_or(history.severity, |aspect| aspect.severity);
    Some(AlertChange {
        kind: EventKind::Reminded,
        key: key.clone(),
        finding,
        severity,
        previous_severity: None,
        ended: None,
    })
}

/// All changes that `channel` is notified of.
pub(super) fn changes<'a>(
    channel: &NotificationChannel,
    ledger: &Ledger,
    report: &'a Report,
    settings: &NotifySettings,
) -> Vec<AlertChange<'a>> {
    let mut changes = changes_of_findings(channel, ledger, report, settings);
    changes.extend(vanished(channel, ledger, report));
    changes
}

/// The changes of findings that are in `report`. Absent findings are ignored.
pub(super) fn changes_of_findings<'a>(
    channel: &NotificationChannel,
    ledger: &Ledger,
    report: &'a Report,
    settings: &NotifySettings,
) -> Vec<AlertChange<'a>> {
    let changes = report.findings.iter().flat_map(FindingAspect::all).filter_map(|aspect| {
        let alert = ledger.alerts.get(&aspect.key())?;
        // For a workload without a problem, `upkeep` has recorded whether the problem is known to have ended.
        let is_over = aspect.about == AlertSubject::Workload && alert.alerting_since.is_none();
        let is_known = is_over || aspect.is_known(None);
        is_known.then(|| change(aspect, alert, channel, settings, report.generated_at))?
    });
    changes.collect()
}

fn change<'a>(
    aspect: FindingAspect<'a>,
    alert: &Alert,
    channel: &NotificationChannel,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> Option<AlertChange<'a>> {
    let FindingAspect { finding, severity, .. } = aspect;
    let history = alert.deliveries.get(&channel.id);
    let open = history.filter(|history| history.is_open());
    let is_for = channel.is_for(finding.deployment.owner.as_deref());
    let is_bad = severity >= threshold(channel, settings);
    let is_snoozed = alert.is_snoozed(now);
    let new = |kind| AlertChange {
        kind,
        key: aspect.key(),
        finding: Some(finding),
        severity,
        previous_severity: None,
        ended: None,
    };
    if aspect.is_exempted {
        // Covered by an exemption: no notification, and not resolved.
        return None;
    }
    match open {
        None if is_bad && is_for && !is_snoozed && alert.alerting_since.is_some() => Some(new(EventKind::Triggered)),
        Some(history) if !is_bad || !is_for => {
            let ended = if is_bad { other_owner(finding) } else { better(&aspect) };
            Some(AlertChange { severity: history.severity, ended: Some(ended), ..new(EventKind::Resolved) })
        }
        // An escalation is notified even while the alert is snoozed.
        Some(history) if severity > history.severity => {
            Some(AlertChange { previous_severity: Some(history.severity), ..new(EventKind::Escalated) })
        }
        Some(history) if !is_snoozed && is_reminder_due(history, settings, now) => Some(new(EventKind::Reminded)),
        _ => None,
    }
}

/// Open alerts whose findings no longer exist.
fn vanished(channel: &NotificationChannel, ledger: &Ledger, report: &Report) -> Vec<AlertChange<'static>> {
    let absence = AbsenceProof::new(report);
    let unseen = ledger.alerts.iter().filter(|(_, alert)| alert.seen_at < report.generated_at && !alert.is_unlisted);
    let gone = unseen.filter_map(|(key, alert)| {
        let history = alert.deliveries.get(&channel.id).filter(|history| history.is_open())?;
        absence.is_proved(key, &alert.subject).then(|| AlertChange {
            kind: EventKind::Resolved,
            key: key.clone(),
            finding: None,
            severity: history.severity,
            previous_severity: None,
            ended: Some("no longer exists".to_owned()),
        })
    });
    gone.collect()
}

/// Whether a reminder of an open alert is due.
pub(in crate::notify) fn is_reminder_due(
    history: &DeliveryHistory,
    settings: &NotifySettings,
    now: DateTime<Utc>,
) -> bool {
    let Some(every) = settings.remind_every.and_then(|every| Duration::from_std(every).ok()) else { return false };
    let early = REMINDER_TOLERANCE.min(every / 10);
    history.last_at().is_some_and(|last| now - last >= every - early)
}

fn better(aspect: &FindingAspect<'_>) -> String {
    match (aspect.about, aspect.finding.verdict) {
        (AlertSubject::Workload, _) if aspect.severity == Severity::None => "the workload has recovered".to_owned(),
        (AlertSubject::Base, _) if aspect.finding.awaited_base().is_some() => {
            "waiting for a rebuild of its base, which has its own alert".to_owned()
        }
        (AlertSubject::Base, Verdict::Fresh) => "now built on the current release".to_owned(),
        (AlertSubject::Base, Verdict::Superseded) => "its base is within the grace period".to_owned(),
        _ => format!("severity is now {}", aspect.severity.as_str()),
    }
}

fn other_owner(finding: &Finding) -> String {
    match &finding.deployment.owner {
        Some(owner) => format!("now owned by {owner}"),
        None => "no longer has an owner".to_owned(),
    }
}
