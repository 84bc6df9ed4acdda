//! Which changes go together in one message, and in what order?

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use chrono::{DateTime, Utc};

use super::{Ledger, News, Occasion, Receiver, Settings, changes::Change, images::ImageKey};
use crate::{
    image::Digest,
    judge::Severity,
    notify::{AlertKey, AlertSubject, Channel, EventKind, Item, Message, MessageKind, SCHEMA},
    rebuild,
};

/// So many accounts and repositories a message names for filters.
const NAMED: usize = 100;

type Group<'a> = (Option<String>, Vec<Change<'a>>);

/// The messages about `changes`, each with the keys of the alerts in it: one for each owner, or one for all
/// if this is a backlog.
pub(super) fn messages(
    changes: Vec<Change<'_>>,
    receiver: &Receiver,
    ledger: &Ledger,
    occasion: Occasion<'_>,
    settings: &Settings,
    is_backlog: bool,
) -> Vec<(Message, Vec<AlertKey>)> {
    if changes.is_empty() {
        return Vec::new();
    }
    let (kind, groups) = if is_backlog {
        (MessageKind::Backlog, vec![(None, changes)])
    } else {
        (MessageKind::Findings, capped(by_owner(changes, ledger), settings.max_messages))
    };
    groups
        .into_iter()
        .map(|(owner, changes)| message(kind, owner, changes, receiver, ledger, occasion, settings))
        .collect()
}

/// One group for each owner, the worst first.
fn by_owner<'a>(changes: Vec<Change<'a>>, ledger: &Ledger) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Option<String>, Vec<Change<'a>>> = BTreeMap::new();
    for change in changes {
        let owner = ledger.alerts.get(&change.key).and_then(|alert| alert.subject.owner.clone());
        groups.entry(owner).or_default().push(change);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, changes)| Reverse(changes.iter().map(Change::urgency).max()));
    groups
}

/// At most so many groups: what is too many goes into the last.
fn capped(mut groups: Vec<Group<'_>>, most: usize) -> Vec<Group<'_>> {
    if groups.len() > most {
        let rest = groups.split_off(most.saturating_sub(1));
        groups.push((None, rest.into_iter().flat_map(|(_, changes)| changes).collect()));
    }
    groups
}

fn message(
    kind: MessageKind,
    owner: Option<String>,
    mut changes: Vec<Change<'_>>,
    receiver: &Receiver,
    ledger: &Ledger,
    occasion: Occasion<'_>,
    settings: &Settings,
) -> (Message, Vec<AlertKey>) {
    changes.sort_by(|one, other| {
        let age =
            |change: &Change<'_>| change.finding.and_then(|found| found.base.as_ref()).and_then(|base| base.age_days);
        let rank = |change: &Change<'_>| (change.kind, Reverse(change.severity), Reverse(age(change)));
        rank(one).cmp(&rank(other)).then_with(|| one.key.cmp(&other.key))
    });
    let keys = changes.iter().map(|change| change.key.clone()).collect();
    let mut message = Message { owner, ..empty(kind, occasion.run_id, occasion.at) };
    message.complete = occasion.complete;
    message.because = because(receiver);
    message.report = occasion.place.map(str::to_owned);
    let mut parts = Vec::new();
    let mut owners = BTreeMap::new();
    for group in by_image(changes, ledger) {
        let Some((item, part)) = item(&group, receiver, ledger, occasion.at) else { continue };
        parts.push(part);
        *owners.entry(item.owner.clone().unwrap_or_default()).or_default() += 1;
        count(&mut message, &item, group[0].severity);
        if message.items.len() < settings.max_items {
            message.items.push(item);
        } else {
            message.left_out += 1;
        }
    }
    if owners.len() > 1 {
        message.owners = owners;
    }
    message.dedup_key = key(&receiver.id, parts.into_iter());
    (message, keys)
}

/// Puts together the tags of one image of which the same is to be said, in the order of the first of each.
fn by_image<'a>(changes: Vec<Change<'a>>, ledger: &Ledger) -> Vec<Vec<Change<'a>>> {
    let mut groups: Vec<Vec<Change<'a>>> = Vec::new();
    let mut known = HashMap::new();
    for change in changes {
        let alert = ledger.alerts.get(&change.key);
        let image = alert.and_then(|alert| Some((ImageKey::of(&change.key, alert)?, alert.subject.owner.clone())));
        let said = (change.kind, change.severity, change.was, change.ended.clone());
        let verdict = alert.map(|alert| (alert.subject.verdict, alert.subject.action));
        let place = match image {
            Some(image) => *known.entry((image, said, verdict)).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(place) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// What a message says of a group of changes, and its part of the message's key.
fn item(group: &[Change<'_>], receiver: &Receiver, ledger: &Ledger, now: DateTime<Utc>) -> Option<(Item, String)> {
    let first = group.first()?;
    let alert = ledger.alerts.get(&first.key)?;
    let told = group.iter().filter_map(|change| ledger.alerts.get(&change.key)?.told.get(&receiver.id));
    // Which of its tags have a history does not distinguish events of an image.
    let (episode, count, since) = told.map(|told| (told.episode, told.count, told.since())).min()?;
    let mut item =
        Item::of(first.kind, &alert.id, (&first.key.finding, first.key.about), &alert.subject, first.finding);
    item.was = first.was;
    item.ended.clone_from(&first.ended);
    item.since = since;
    if group.len() > 1 {
        let images = group.iter().filter_map(|change| ledger.alerts.get(&change.key));
        item.tags = images.filter_map(|alert| alert.subject.image.reference()?.tag.clone()).collect();
        item.tags.sort();
    }
    // The day it began distinguishes it from one with the same numbers that the ledger has dropped; a run that is
    // repeated an hour later comes to the same.
    let since = since.unwrap_or(now).date_naive();
    let what = ImageKey::of(&first.key, alert).map_or_else(|| first.key.to_string(), |image| image.to_string());
    Some((item, format!("{what} {episode} {count} {} {since}", first.kind.as_str())))
}

fn count(message: &mut Message, item: &Item, severity: Severity) {
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
        if let Some(name) = name.filter(|name| names.len() < NAMED && !name.is_empty()) {
            names.insert(name.clone());
        }
    };
    name(&mut message.accounts, item.account.as_ref());
    name(&mut message.regions, item.region.as_ref());
    name(&mut message.repositories, Some(&item.repository));
}

/// The message that tells `receiver` what became of rebuilds.
pub(super) fn of_rebuilds(told: &rebuild::Told, receiver: &Receiver, news: News<'_>, max_items: usize) -> Message {
    let mut message = empty(MessageKind::Rebuilds, &news.report.run_id, news.now());
    message.owner.clone_from(&told.owner);
    message.because = because(receiver);
    message.report = news.place.map(str::to_owned);
    for rebuild in &told.rebuilds {
        let item = Item::of_rebuild(rebuild, told.owner.clone());
        count(&mut message, &item, rebuild.severity);
        if message.items.len() < max_items {
            message.items.push(item);
        } else {
            message.left_out += 1;
        }
    }
    // The same rebuilds are told to a receiver once for each owner: those are different messages.
    let owner = format!("owner {}", told.owner.as_deref().unwrap_or_default());
    let rebuilds = told.rebuilds.iter().map(|rebuild| rebuild.dedup_key.clone());
    message.dedup_key = key(&receiver.id, rebuilds.chain([owner]));
    message
}

/// A message that tells nothing yet.
pub(in crate::notify) fn empty(kind: MessageKind, run_id: &str, now: DateTime<Utc>) -> Message {
    Message {
        schema: SCHEMA.to_owned(),
        dedup_key: String::new(),
        kind,
        run_id: run_id.to_owned(),
        at: now,
        complete: true,
        owner: None,
        because: String::new(),
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
    }
}

/// Why `receiver` is told.
pub(super) fn because(receiver: &Receiver) -> String {
    let what = match receiver.channel {
        Channel::Sns(_) => "this topic",
        Channel::Webhook(_) => "this webhook",
    };
    let owners: Vec<_> = receiver.owners.iter().map(crate::glob::Glob::as_str).collect();
    let whose = if owners.is_empty() { "everybody".to_owned() } else { owners.join(", ") };
    let least = receiver.threshold.map(|least| format!(" from {} up", least.as_str())).unwrap_or_default();
    format!("{what} is told about the findings of {whose}{least}")
}

/// The key of a message to `receiver` that is made of `parts`: the same parts give the same key.
pub(in crate::notify) fn key(receiver: &str, parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    parts.sort();
    let mut bytes = Vec::new();
    for part in std::iter::once(receiver.to_owned()).chain(parts) {
        // The length in front keeps parts apart whatever is in them.
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    Digest::of(&bytes).hex().to_owned()
}
