//! Grouping of changes into messages, and their order.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{
    Ledger, MessageContext, NotificationChannel, NotificationContext, NotifySettings, changes::AlertChange,
    group_ids::ParagraphAlerts, images::ImageKey,
};
use crate::{
    image::Digest,
    judge::Severity,
    notify::{AlertItem, AlertKey, AlertSubject, EventKind, Message, MessageKind, SCHEMA, cause::cause_hash},
    rebuild,
};

/// Maximum number of accounts and repositories that a message names for filters.
const MAX_NAMES: usize = 100;

type OwnerChanges<'a> = (Option<String>, Vec<AlertChange<'a>>);

/// A message with the keys of its alerts, each with the id of its group, if it has one.
pub(super) type PlannedMessage = (Message, Vec<(AlertKey, Option<Arc<str>>)>);

/// The messages about `changes`: one per owner, or a single one for a backlog or a summary, or one per alert for a channel
/// that tracks them.
pub(super) fn messages(
    changes: Vec<AlertChange<'_>>,
    channel: &NotificationChannel,
    ledger: &Ledger,
    message_context: MessageContext<'_>,
    settings: &NotifySettings,
    is_backlog: bool,
) -> Vec<PlannedMessage> {
    if changes.is_empty() {
        return Vec::new();
    }
    let (kind, groups) = if channel.kind.tracks_alerts() {
        (MessageKind::Findings, by_alert(changes, ledger))
    } else if is_backlog {
        (MessageKind::Backlog, vec![(None, changes)])
    } else if channel.summary.is_some() {
        (MessageKind::Findings, vec![(only_owner(&changes, ledger), changes)])
    } else {
        (MessageKind::Findings, capped(by_owner(changes, ledger), settings.max_messages))
    };
    groups
        .into_iter()
        .map(|(owner, changes)| message(kind, owner, changes, channel, ledger, message_context, settings))
        .collect()
}

/// One group per alert, the most severe first.
fn by_alert<'a>(mut changes: Vec<AlertChange<'a>>, ledger: &Ledger) -> Vec<OwnerChanges<'a>> {
    changes.sort_by_key(|change| Reverse(change.urgency()));
    changes.into_iter().map(|change| (owner(&change, ledger), vec![change])).collect()
}

/// The owner of all `changes`, if they have one and the same.
fn only_owner(changes: &[AlertChange<'_>], ledger: &Ledger) -> Option<String> {
    let mut owners = changes.iter().map(|change| owner(change, ledger));
    let first = owners.next()?;
    if owners.all(|owner| owner == first) { first } else { None }
}

fn owner(change: &AlertChange<'_>, ledger: &Ledger) -> Option<String> {
    ledger.alerts.get(&change.key).and_then(|alert| alert.subject.owner.clone())
}

/// One group per owner, the most severe first.
fn by_owner<'a>(changes: Vec<AlertChange<'a>>, ledger: &Ledger) -> Vec<OwnerChanges<'a>> {
    let mut groups: BTreeMap<Option<String>, Vec<AlertChange<'a>>> = BTreeMap::new();
    for change in changes {
        groups.entry(owner(&change, ledger)).or_default().push(change);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, changes)| Reverse(changes.iter().map(AlertChange::urgency).max()));
    groups
}

/// At most `most` groups. The last one takes the rest.
fn capped(mut groups: Vec<OwnerChanges<'_>>, most: usize) -> Vec<OwnerChanges<'_>> {
    if groups.len() > most {
        let rest = groups.split_off(most.saturating_sub(1));
        groups.push((None, rest.into_iter().flat_map(|(_, changes)| changes).collect()));
    }
    groups
}

fn message(
    kind: MessageKind,
    owner: Option<String>,
    mut changes: Vec<AlertChange<'_>>,
    channel: &NotificationChannel,
    ledger: &Ledger,
    message_context: MessageContext<'_>,
    settings: &NotifySettings,
) -> PlannedMessage {
    changes.sort_by(|one, other| {
        let age = |change: &AlertChange<'_>| {
            change.finding.and_then(|found| found.base.as_ref()).and_then(|base| base.age_days)
        };
        let rank = |change: &AlertChange<'_>| (change.kind, Reverse(change.severity), Reverse(age(change)));
        rank(one).cmp(&rank(other)).then_with(|| one.key.cmp(&other.key))
    });
    let keys: Vec<_> = changes.iter().map(|change| change.key.clone()).collect();
    let mut message = Message { owner, ..empty(kind, message_context.run_id, message_context.at) };
    message.complete = message_context.complete;
    message.subscription_reason = subscription_reason(channel);
    message.report = message_context.report_location.map(str::to_owned);
    let mut parts = Vec::new();
    let mut owners = BTreeMap::new();
    let (mut paragraphs, mut listed) = (ParagraphAlerts::default(), Vec::new());
    let mut group_sizes: HashMap<u64, u64> = HashMap::new();
    for group in by_image(changes, ledger) {
        let Some((item, part)) = item(&group, channel, ledger, message_context.at) else { continue };
        parts.push(part);
        *owners.entry(item.owner.clone().unwrap_or_default()).or_default() += 1;
        count(&mut message, &item, group[0].severity);
        *group_sizes.entry(cause_hash(&item)).or_default() += 1;
        if item.event != EventKind::Resolved {
            // Also of alerts that are left out below: an id stands for them too.
            paragraphs.add(cause_hash(&item), group.iter().map(|change| change.key.clone()));
        }
        if message.items.len() < settings.max_items {
            message.items.push(item);
            listed.push(group[0].key.clone());
        } else {
            message.left_out += 1;
        }
    }
    let groups = paragraphs.group_ids(&channel.id, ledger);
    for (item, key) in message.items.iter_mut().zip(&listed) {
        item.group = groups.get(key).map(ToString::to_string);
        item.group_size = group_sizes.get(&cause_hash(item)).copied().filter(|size| *size > 1);
    }
    if owners.len() > 1 {
        message.owners = owners;
    }
    message.dedup_key = key(&channel.id, parts.into_iter());
    let alerts = keys.into_iter().map(|key| {
        let group = groups.get(&key).cloned();
        (key, group)
    });
    (message, alerts.collect())
}

/// Groups the tags of one image that have the same change, in order of first occurrence.
fn by_image<'a>(changes: Vec<AlertChange<'a>>, ledger: &Ledger) -> Vec<Vec<AlertChange<'a>>> {
    let mut groups: Vec<Vec<AlertChange<'a>>> = Vec::new();
    let mut known = HashMap::new();
    for change in changes {
        let alert = ledger.alerts.get(&change.key);
        let image =
            alert.and_then(|alert| Some((ImageKey::from_alert(&change.key, alert)?, alert.subject.owner.clone())));
        let event = (change.kind, change.severity, change.previous_severity, change.ended.clone());
        let verdict = alert.map(|alert| (alert.subject.verdict, alert.subject.action));
        let report_location = match image {
            Some(image) => *known.entry((image, event, verdict)).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(report_location) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// The item of a group of changes, and its part of the dedup key.
fn item(
    group: &[AlertChange<'_>],
    channel: &NotificationChannel,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Option<(AlertItem, String)> {
    let first = group.first()?;
    let alert = ledger.alerts.get(&first.key)?;
    let histories = group.iter().filter_map(|change| ledger.alerts.get(&change.key)?.deliveries.get(&channel.id));
    // Independent of which tags of the image have a history.
    let (episode, count, since) = histories.map(|history| (history.episode, history.count, history.since())).min()?;
    let mut item = AlertItem::from_snapshot(
        first.kind,
        &alert.id,
        (&first.key.finding, first.key.about),
        &alert.subject,
        first.finding,
    );
    item.previous_severity = first.previous_severity;
    item.ended.clone_from(&first.ended);
    item.first_notified_at = since.map(|since| since.trunc_subsecs(0));
    if group.len() > 1 {
        let images = group.iter().filter_map(|change| ledger.alerts.get(&change.key));
        item.tags = images.filter_map(|alert| alert.subject.image.reference()?.tag.clone()).collect();
        item.tags.sort();
    }
    // The day distinguishes it from an alert with equal counts that the ledger has dropped. A run repeated on the same
    // day yields the same key.
    let since = since.unwrap_or(now).date_naive();
    let what = ImageKey::from_alert(&first.key, alert).map_or_else(|| first.key.to_string(), |image| image.to_string());
    Some((item, format!("{what} {episode} {count} {} {since}", first.kind.as_str())))
}

fn count(message: &mut Message, item: &AlertItem, severity: Severity) {
    *message.events.entry(item.event).or_default() += 1;
    if item.event == EventKind::Resolved {
        if message.severities.is_empty() {
            message.severity = message.severity.max(severity);
        }
    } else {
        if message.severities.is_empty() {
            message.severity = severity;
        }
        message.severity = message.severity.max(severity);
        *message.severities.entry(severity).or_default() += 1;
        *message.subjects.entry(item.about).or_default() += 1;
        if item.about == AlertSubject::Base {
            *message.verdicts.entry(item.verdict).or_default() += 1;
        }
    }
    let name = |names: &mut BTreeSet<String>, name: Option<&String>| {
        if let Some(name) = name.filter(|name| names.len() < MAX_NAMES && !name.is_empty()) {
            names.insert(name.clone());
        }
    };
    name(&mut message.accounts, item.account.as_ref());
    name(&mut message.regions, item.region.as_ref());
    name(&mut message.repositories, Some(&item.repository));
}

/// The message to `channel` about the rebuilds of `notices`.
pub(super) fn rebuild_message(
    notices: &rebuild::OwnerNotices,
    channel: &NotificationChannel,
    context: NotificationContext<'_>,
    max_items: usize,
) -> Message {
    let mut message = empty(MessageKind::Rebuilds, &context.report.run_id, context.now());
    message.owner.clone_from(&notices.owner);
    message.subscription_reason = subscription_reason(channel);
    message.report = context.report_location.map(str::to_owned);
    for rebuild in &notices.rebuilds {
        let item = AlertItem::from_rebuild(rebuild, notices.owner.clone());
        count(&mut message, &item, rebuild.severity);
        if message.items.len() < max_items {
            message.items.push(item);
        } else {
            message.left_out += 1;
        }
    }
    // A channel gets the same rebuilds once per owner: these are different messages.
    let owner = format!("owner {}", notices.owner.as_deref().unwrap_or_default());
    let rebuilds = notices.rebuilds.iter().map(|rebuild| rebuild.dedup_key.clone());
    message.dedup_key = key(&channel.id, rebuilds.chain([owner]));
    message
}

/// A message without items.
pub(in crate::notify) fn empty(kind: MessageKind, run_id: &str, now: DateTime<Utc>) -> Message {
    Message {
        schema: SCHEMA.to_owned(),
        dedup_key: String::new(),
        kind,
        run_id: run_id.to_owned(),
        // Receivers have no use for nanoseconds, and some cannot read them.
        at: now.trunc_subsecs(0),
        complete: true,
        owner: None,
        subscription_reason: String::new(),
        severity: Severity::None,
        events: BTreeMap::new(),
        severities: BTreeMap::new(),
        subjects: BTreeMap::new(),
        verdicts: BTreeMap::new(),
        owners: BTreeMap::new(),
        accounts: BTreeSet::new(),
        regions: BTreeSet::new(),
        repositories: BTreeSet::new(),
        items: Vec::new(),
        left_out: 0,
        watch: None,
        report: None,
        page: None,
    }
}

/// Why `channel` receives messages, for people.
pub(super) fn subscription_reason(channel: &NotificationChannel) -> String {
    let what = channel.kind.recipient();
    let owners: Vec<_> = channel.owners.iter().map(crate::glob::Glob::as_str).collect();
    let whose = if owners.is_empty() { "all owners".to_owned() } else { owners.join(", ") };
    let least = channel.threshold.map(|least| format!(", severity {} or higher", least.as_str())).unwrap_or_default();
    format!("{what} is subscribed to findings of {whose}{least}")
}

/// The dedup key of a message to `channel` made of `parts`, in any order.
pub(in crate::notify) fn key(channel: &str, parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    parts.sort();
    let mut bytes = Vec::new();
    for part in std::iter::once(channel.to_owned()).chain(parts) {
        // The length prefix keeps parts apart.
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    Digest::sha256(&bytes).hex().to_owned()
}
