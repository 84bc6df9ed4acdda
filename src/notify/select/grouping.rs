//! Which changes go together in one message, and in what order?

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, Utc};

use super::{Ledger, News, Occasion, Receiver, Settings, changes::Change};
use crate::{
    image::Digest,
    judge::Severity,
    notify::{Channel, EventKind, Item, Message, MessageKind, SCHEMA},
    rebuild,
};

/// So many accounts and repositories a message names for filters.
const NAMED: usize = 100;

type Group<'a> = (Option<String>, Vec<Change<'a>>);

/// The messages that tell `changes`, each with the ids of the findings in it: one for each owner, or one for all
/// if this is a backlog.
pub(super) fn messages(
    changes: Vec<Change<'_>>,
    receiver: &Receiver,
    ledger: &Ledger,
    occasion: Occasion<'_>,
    settings: &Settings,
    is_backlog: bool,
) -> Vec<(Message, Vec<String>)> {
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
        let owner = ledger.alerts.get(&change.id).and_then(|alert| alert.subject.owner.clone());
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
) -> (Message, Vec<String>) {
    changes.sort_by(|one, other| {
        let age =
            |change: &Change<'_>| change.finding.and_then(|found| found.base.as_ref()).and_then(|base| base.age_days);
        let rank = |change: &Change<'_>| (change.kind, Reverse(change.severity), Reverse(age(change)));
        rank(one).cmp(&rank(other)).then_with(|| one.id.cmp(&other.id))
    });
    let mut message = Message { owner, ..empty(kind, occasion.run_id, occasion.at) };
    message.complete = occasion.complete;
    message.because = because(receiver);
    message.report = occasion.place.map(str::to_owned);
    let mut parts = Vec::new();
    let mut owners = BTreeMap::new();
    for change in &changes {
        let Some(alert) = ledger.alerts.get(&change.id) else { continue };
        let Some(told) = alert.told.get(&receiver.id) else { continue };
        // The day it began tells it from what had the same numbers before the ledger forgot about it; a run that is
        // repeated an hour later comes to the same.
        let since = told.since().unwrap_or(occasion.at).date_naive();
        parts.push(format!("{} {} {} {since} {}", change.id, told.episode, told.count, change.kind.as_str()));
        let mut item = Item::of(change.kind, &alert.id, &change.id, &alert.subject, change.finding);
        item.was = change.was;
        item.ended.clone_from(&change.ended);
        item.since = told.since();
        *owners.entry(item.owner.clone().unwrap_or_default()).or_default() += 1;
        count(&mut message, &item, change.severity);
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
    (message, changes.into_iter().map(|change| change.id).collect())
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
        *message.verdicts.entry(item.verdict).or_default() += 1;
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
