//! Which changes to the subjects of findings one receiver has to be notified of.

use chrono::{DateTime, Duration, Utc};

use super::{super::Event, Ledger, Receiver, Settings, absence::Absence, threshold};
use crate::{
    judge::{Severity, Verdict},
    notify::{Alert, AlertKey, AlertSubject, EventKind, Told, aspect::Aspect},
    report::{Finding, Report},
};

/// Runs start a little earlier one day and a little later the next: a reminder that is due within this is due.
const EARLY: Duration = Duration::hours(1);

/// Something that a receiver has to be told.
#[derive(Clone, Debug)]
pub(super) struct Change<'a> {
    pub(super) kind: EventKind,
    /// The key of the alert.
    pub(super) key: AlertKey,
    /// The finding, if it is still there.
    pub(super) finding: Option<&'a Finding>,
    /// How bad it is; of what has ended, how bad it was told to be.
    pub(super) severity: Severity,
    /// How bad it was told to be, of what escalated.
    pub(super) was: Option<Severity>,
    /// How it ended.
    pub(super) ended: Option<String>,
}

impl Change<'_> {
    /// How badly it has to be told at night; not at all for what has ended.
    pub(super) fn urgency(&self) -> Option<Severity> {
        (self.kind != EventKind::Resolved).then_some(self.severity)
    }

    /// Records it in the ledger; until a message tells it, it counts as told to nobody.
    pub(super) fn record(&self, receiver: &str, ledger: &mut Ledger, now: DateTime<Utc>) {
        let Some(alert) = ledger.alerts.get_mut(&self.key) else { return };
        let new = Told { episode: 0, count: 0, severity: self.severity, events: Vec::new() };
        let told = alert.told.entry(receiver.to_owned()).or_insert(new);
        match self.kind {
            EventKind::Triggered => {
                told.episode += 1;
                told.events.clear();
                told.severity = self.severity;
            }
            EventKind::Escalated => told.severity = self.severity,
            EventKind::Reminded | EventKind::Resolved => {}
        }
        told.push(Event {
            kind: self.kind,
            severity: told.severity,
            due_at: now,
            sent_at: Some(now),
            message_id: None,
            dedup_key: String::new(),
        });
    }
}

/// The change that notifies `receiver` of the alert `key` once more, if it is open there.
pub(super) fn again<'a>(
    key: &AlertKey,
    finding: Option<&'a Finding>,
    receiver: &Receiver,
    ledger: &Ledger,
) -> Option<Change<'a>> {
    let told = ledger.alerts.get(key)?.told.get(&receiver.id).filter(|told| told.is_open())?;
    let aspect = finding.map(|finding| Aspect::new(finding, key.about)).filter(|aspect| aspect.is_known(None));
    let severity = aspect.map_or(told.severity, |aspect| aspect.severity);
    Some(Change { kind: EventKind::Reminded, key: key.clone(), finding, severity, was: None, ended: None })
}

/// What `receiver` has to be told, by the ids of the findings.
pub(super) fn changes<'a>(
    receiver: &Receiver,
    ledger: &Ledger,
    report: &'a Report,
    settings: &Settings,
) -> Vec<Change<'a>> {
    let mut changes = changes_of_findings(receiver, ledger, report, settings);
    changes.extend(vanished(receiver, ledger, report));
    changes
}

/// The same of what is in `report` alone, whatever is not.
pub(super) fn changes_of_findings<'a>(
    receiver: &Receiver,
    ledger: &Ledger,
    report: &'a Report,
    settings: &Settings,
) -> Vec<Change<'a>> {
    let changes = report.findings.iter().flat_map(Aspect::all).filter_map(|aspect| {
        let alert = ledger.alerts.get(&aspect.key())?;
        // Of a workload with which nothing is wrong now, upkeep has noted whether that is certain.
        let is_over = aspect.about == AlertSubject::Workload && alert.alerting_since.is_none();
        let is_known = is_over || aspect.is_known(None);
        is_known.then(|| change(aspect, alert, receiver, settings, report.generated_at))?
    });
    changes.collect()
}

fn change<'a>(
    aspect: Aspect<'a>,
    alert: &Alert,
    receiver: &Receiver,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Option<Change<'a>> {
    let Aspect { finding, severity, .. } = aspect;
    let told = alert.told.get(&receiver.id);
    let open = told.filter(|told| told.is_open());
    let is_for = receiver.is_for(finding.deployment.owner.as_deref());
    let is_bad = severity >= threshold(receiver, settings);
    let is_snoozed = alert.snoozed_until.is_some_and(|until| until > now);
    let new = |kind| Change { kind, key: aspect.key(), finding: Some(finding), severity, was: None, ended: None };
    if aspect.is_exempted {
        // Nobody wants to hear of it, and it has not ended.
        return None;
    }
    match open {
        None if is_bad && is_for && !is_snoozed && has_lasted(alert, settings, now) => Some(new(EventKind::Triggered)),
        Some(told) if !is_bad || !is_for => {
            let ended = if is_bad { other_owner(finding) } else { better(&aspect) };
            Some(Change { severity: told.severity, ended: Some(ended), ..new(EventKind::Resolved) })
        }
        // What has become worse is told even while the rest of it is not to be heard of.
        Some(told) if severity > told.severity => {
            Some(Change { was: Some(told.severity), ..new(EventKind::Escalated) })
        }
        Some(told) if !is_snoozed && is_to_be_reminded(told, settings, now) => Some(new(EventKind::Reminded)),
        _ => None,
    }
}

/// What is open and no longer there.
fn vanished(receiver: &Receiver, ledger: &Ledger, report: &Report) -> Vec<Change<'static>> {
    let absence = Absence::new(report);
    let unseen = ledger.alerts.iter().filter(|(_, alert)| alert.seen_at < report.generated_at && !alert.is_unlisted);
    let gone = unseen.filter_map(|(key, alert)| {
        let told = alert.told.get(&receiver.id).filter(|told| told.is_open())?;
        absence.is_proved(key, &alert.subject).then(|| Change {
            kind: EventKind::Resolved,
            key: key.clone(),
            finding: None,
            severity: told.severity,
            was: None,
            ended: Some("it is not there any more".to_owned()),
        })
    });
    gone.collect()
}

/// Whether it has been bad for long enough to be told.
fn has_lasted(alert: &Alert, settings: &Settings, now: DateTime<Utc>) -> bool {
    let grace = Duration::from_std(settings.grace).unwrap_or(Duration::MAX);
    alert.alerting_since.is_some_and(|since| now - since >= grace)
}

/// Whether what is open was last told so long ago that it is told again.
pub(in crate::notify) fn is_to_be_reminded(told: &Told, settings: &Settings, now: DateTime<Utc>) -> bool {
    let Some(every) = settings.remind_every.and_then(|every| Duration::from_std(every).ok()) else { return false };
    let early = EARLY.min(every / 10);
    told.last_at().is_some_and(|last| now - last >= every - early)
}

fn better(aspect: &Aspect<'_>) -> String {
    match (aspect.about, aspect.finding.verdict) {
        (AlertSubject::Workload, _) if aspect.severity == Severity::None => {
            "nothing is wrong with the workload any more".to_owned()
        }
        (AlertSubject::Base, _) if aspect.finding.awaited().is_some() => {
            "it waits for a rebuild of its base, which has an alert of its own".to_owned()
        }
        (AlertSubject::Base, Verdict::Fresh) => "it stands on the current release now".to_owned(),
        (AlertSubject::Base, Verdict::Superseded) => "its base is new enough now".to_owned(),
        _ => format!("its severity is {} now", aspect.severity.as_str()),
    }
}

fn other_owner(finding: &Finding) -> String {
    match &finding.deployment.owner {
        Some(owner) => format!("it belongs to {owner} now"),
        None => "it belongs to nobody now".to_owned(),
    }
}
