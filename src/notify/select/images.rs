//! Which alerts are about the same image in ECR? However many tags an image has, it is one event.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, Duration, Utc};

use super::{Ledger, Receiver, changes::Change};
use crate::{
    image::Digest,
    inventory::DeploymentKind,
    notify::{Alert, AlertKey, AlertSubject, Event, EventKind, Told},
};

/// For so long after the notification about an image, another tag of it causes no second one: EventBridge tries to
/// deliver an event for a day (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>).
const SAME_EVENT: Duration = Duration::days(1);

/// An image in ECR, by repository and digest, and what of it an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ImageKey {
    repository: String,
    digest: Digest,
    about: AlertSubject,
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} {}", self.repository, self.digest, self.about.as_str())
    }
}

impl ImageKey {
    /// The image that `alert` is about, if it is about one tag of it.
    pub(super) fn of(key: &AlertKey, alert: &Alert) -> Option<Self> {
        let digest = alert.subject.digest.clone().filter(|_| alert.subject.kind == DeploymentKind::Ecr)?;
        let repository = alert.subject.image.repository()?;
        Some(Self { repository: repository.to_string(), digest, about: key.about })
    }
}

/// The alerts about the same image as `key`, itself first: one for each tag.
#[must_use]
pub fn same_image(ledger: &Ledger, key: &AlertKey) -> Vec<AlertKey> {
    let image = ledger.alerts.get(key).and_then(|alert| ImageKey::of(key, alert));
    let is_same = |other: &AlertKey, alert: &Alert| other != key && ImageKey::of(other, alert) == image;
    let others = ledger.alerts.iter().filter(|(other, alert)| image.is_some() && is_same(other, alert));
    std::iter::once(key.clone()).chain(others.map(|(other, _)| other.clone())).collect()
}

/// How many events `changes` are: all tags of an image are one.
pub(super) fn count<'a>(changes: impl Iterator<Item = &'a Change<'a>>, ledger: &Ledger) -> usize {
    let event = |change: &Change<'_>| {
        let image = ledger.alerts.get(&change.key).and_then(|alert| ImageKey::of(&change.key, alert));
        image.map_or_else(|| change.key.to_string(), |image| image.to_string())
    };
    changes.map(event).collect::<HashSet<_>>().len()
}

/// Takes from `changes` those of which `receiver` was notified within [`SAME_EVENT`] under another tag of the same image,
/// and records them as covered by that message. Returns the rest, and how many were taken.
pub(super) fn join<'a>(
    changes: Vec<Change<'a>>,
    receiver: &Receiver,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> (Vec<Change<'a>>, usize) {
    let told = if changes.iter().any(|change| image_of(change, ledger).is_some()) {
        told_lately(receiver, ledger, now)
    } else {
        HashMap::new()
    };
    let count = changes.len();
    let rest: Vec<_> = changes
        .into_iter()
        .filter(|change| {
            let known = image_of(change, ledger).and_then(|image| told.get(&image));
            let known = known.filter(|known| change.severity <= known.event.severity);
            known.inspect(|known| record(&change.key, known, receiver, ledger)).is_none()
        })
        .collect();
    let joined = count - rest.len();
    (rest, joined)
}

/// The image of what is triggered.
fn image_of(change: &Change<'_>, ledger: &Ledger) -> Option<ImageKey> {
    let alert = ledger.alerts.get(&change.key).filter(|_| change.kind == EventKind::Triggered)?;
    ImageKey::of(&change.key, alert)
}

/// The notification about an image under another tag.
struct ToldImage {
    event: Event,
    snoozed_until: Option<DateTime<Utc>>,
}

/// The images that `receiver` was notified of within [`SAME_EVENT`].
fn told_lately(receiver: &Receiver, ledger: &Ledger, now: DateTime<Utc>) -> HashMap<ImageKey, ToldImage> {
    let told = ledger.alerts.iter().filter_map(|(key, alert)| {
        let told = alert.told.get(&receiver.id).filter(|told| told.is_open())?;
        let event = told.events.first().filter(|event| event.kind == EventKind::Triggered)?;
        let is_lately = now - event.due_at < SAME_EVENT && !event.dedup_key.is_empty();
        let told = ToldImage { event: event.clone(), snoozed_until: alert.snoozed_until };
        Some((ImageKey::of(key, alert)?, told)).filter(|_| is_lately)
    });
    told.collect()
}

/// Records that the message about `known` covers `key` for `receiver`, now or once it is delivered.
fn record(key: &AlertKey, known: &ToldImage, receiver: &Receiver, ledger: &mut Ledger) {
    let Some(alert) = ledger.alerts.get_mut(key) else { return };
    let ToldImage { event, snoozed_until } = known;
    alert.snoozed_until = alert.snoozed_until.or(*snoozed_until);
    let new = Told { episode: 0, count: 0, severity: event.severity, events: Vec::new() };
    let told = alert.told.entry(receiver.id.clone()).or_insert(new);
    told.episode += 1;
    told.severity = event.severity;
    told.events.clear();
    told.push(event.clone());
    let is_it = |due: &&mut super::Due| due.receiver == receiver.id && due.message.dedup_key == event.dedup_key;
    if let Some(due) = ledger.outbox.iter_mut().find(is_it) {
        due.findings.push(key.clone());
    }
}
