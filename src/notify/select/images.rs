//! Alerts about the same image in ECR. All tags of an image are one event.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use chrono::{DateTime, Duration, Utc};

use super::{Ledger, NotificationChannel, changes::AlertChange};
use crate::{
    image::Digest,
    inventory::DeploymentKind,
    notify::{Alert, AlertEvent, AlertKey, AlertSubject, DeliveryHistory, EventKind, Snooze},
};

/// How long after a notification about an image further tags of it cause no second one. EventBridge retries an event for a
/// day (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>).
const SAME_EVENT: Duration = Duration::days(1);

/// An image in ECR, by repository and digest, and the subject of the alert.
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
    /// The image of `alert`, if it is about a tag in ECR.
    pub(super) fn from_alert(key: &AlertKey, alert: &Alert) -> Option<Self> {
        let digest = alert.subject.digest.clone().filter(|_| alert.subject.kind == DeploymentKind::Ecr)?;
        let repository = alert.subject.image.repository()?;
        Some(Self { repository: repository.to_string(), digest, about: key.about })
    }
}

/// The alerts `keys`, followed by those about other tags of the same images.
#[must_use]
pub fn with_other_tags(ledger: &Ledger, keys: &[AlertKey]) -> Vec<AlertKey> {
    let image = |key: &AlertKey| ImageKey::from_alert(key, ledger.alerts.get(key)?);
    let images: HashSet<_> = keys.iter().filter_map(image).collect();
    if images.is_empty() {
        return keys.to_vec();
    }
    let named: HashSet<_> = keys.iter().collect();
    let is_same = |(key, alert): &(&AlertKey, &Alert)| {
        !named.contains(key) && ImageKey::from_alert(key, alert).is_some_and(|image| images.contains(&image))
    };
    let others = ledger.alerts.iter().filter(is_same).map(|(key, _)| key);
    keys.iter().chain(others).cloned().collect()
}

/// Snoozes the alerts `keys` and those about other tags of the same images, or ends their snoozes if there is no `snooze`.
/// Returns the keys of all of them.
pub fn snooze(ledger: &mut Ledger, keys: &[AlertKey], snooze: Option<Snooze>) -> Vec<AlertKey> {
    let keys = with_other_tags(ledger, keys);
    let snooze = snooze.map(Arc::new);
    for key in &keys {
        if let Some(alert) = ledger.alerts.get_mut(key) {
            alert.snooze.clone_from(&snooze);
        }
    }
    keys
}

/// Number of events in `changes`. All tags of an image count once.
pub(super) fn count<'a>(changes: impl Iterator<Item = &'a AlertChange<'a>>, ledger: &Ledger) -> usize {
    let event = |change: &AlertChange<'_>| {
        let image = ledger.alerts.get(&change.key).and_then(|alert| ImageKey::from_alert(&change.key, alert));
        image.map_or_else(|| change.key.to_string(), |image| image.to_string())
    };
    changes.map(event).collect::<HashSet<_>>().len()
}

/// Removes from `changes` those that `channel` was notified of within [`SAME_EVENT`] under another tag of the same image,
/// and records them as covered by that message. Returns the rest and the number removed.
pub(super) fn join<'a>(
    changes: Vec<AlertChange<'a>>,
    channel: &NotificationChannel,
    ledger: &mut Ledger,
    now: DateTime<Utc>,
) -> (Vec<AlertChange<'a>>, usize) {
    let notified = if changes.iter().any(|change| image_of(change, ledger).is_some()) {
        recently_notified(channel, ledger, now)
    } else {
        HashMap::new()
    };
    let count = changes.len();
    let rest: Vec<_> = changes
        .into_iter()
        .filter(|change| {
            let known = image_of(change, ledger).and_then(|image| notified.get(&image));
            let known = known.filter(|known| change.severity <= known.event.severity);
            known.inspect(|known| record(&change.key, known, channel, ledger)).is_none()
        })
        .collect();
    let joined = count - rest.len();
    (rest, joined)
}

/// The image of a triggered change.
fn image_of(change: &AlertChange<'_>, ledger: &Ledger) -> Option<ImageKey> {
    let alert = ledger.alerts.get(&change.key).filter(|_| change.kind == EventKind::Triggered)?;
    ImageKey::from_alert(&change.key, alert)
}

/// The notification about an image under another tag.
struct NotifiedImage {
    event: AlertEvent,
    snooze: Option<Arc<Snooze>>,
}

/// The images that `channel` was notified of within [`SAME_EVENT`].
fn recently_notified(
    channel: &NotificationChannel,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> HashMap<ImageKey, NotifiedImage> {
    let notified = ledger.alerts.iter().filter_map(|(key, alert)| {
        let history = alert.deliveries.get(&channel.id).filter(|history| history.is_open())?;
        let event = history.events.first().filter(|event| event.kind == EventKind::Triggered)?;
        let is_recent = now - event.due_at < SAME_EVENT && !event.dedup_key.is_empty();
        let image = NotifiedImage { event: event.clone(), snooze: alert.snooze.clone() };
        Some((ImageKey::from_alert(key, alert)?, image)).filter(|_| is_recent)
    });
    notified.collect()
}

/// Records that the message about `known` covers `key` for `channel`, now or once it is delivered.
fn record(key: &AlertKey, known: &NotifiedImage, channel: &NotificationChannel, ledger: &mut Ledger) {
    let Some(alert) = ledger.alerts.get_mut(key) else { return };
    let NotifiedImage { event, snooze } = known;
    alert.snooze = alert.snooze.take().or_else(|| snooze.clone());
    let new = DeliveryHistory { episode: 0, count: 0, severity: event.severity, events: Vec::new() };
    let history = alert.deliveries.get_or_insert(&channel.id, new);
    history.episode += 1;
    history.severity = event.severity;
    history.events.clear();
    history.push(event.clone());
    let is_it =
        |entry: &&mut super::OutboxEntry| entry.channel == channel.id && *entry.message.dedup_key == *event.dedup_key;
    if let Some(entry) = ledger.outbox.iter_mut().find(is_it) {
        entry.alerts.push(key.clone());
    }
}
