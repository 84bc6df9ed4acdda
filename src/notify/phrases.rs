//! The phrases of alerts, the same in mail and in chat. What is from outside comes out harmless.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{AlertSubject, EventKind, Item, Message, MessageKind, watch};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, ReasonCode, Severity},
    report::{harmless, words},
};

/// So many names are listed where there are many of one kind.
pub(super) const NAMES: usize = 8;

/// So many repositories are named in advice: the names of the deployments stand above it.
const REPOSITORIES: usize = 3;

/// How what is there to be copied stands out: as it is in mail, as code in chat.
pub(super) type Copyable = fn(&str) -> String;

/// The message in a few words, without whose it is: `3 deployments on old bases (1 critical), 2 fixed`.
pub(super) fn headline(message: &Message) -> String {
    match message.kind {
        MessageKind::Watch => message.watch.as_ref().map_or_else(|| "basewatch".to_owned(), watch::words::headline),
        MessageKind::Test => "this is a test of basewatch".to_owned(),
        MessageKind::Rebuilds => match message.count() {
            1 => "a rebuild has brought no new image".to_owned(),
            count => format!("{count} rebuilds have brought no new image"),
        },
        MessageKind::Backlog => format!("a backlog of {}{}", what(message), worst(message)),
        MessageKind::Findings => {
            let resolved = message.resolved_count();
            let open = open(message);
            let old = match (open, message.items.first()) {
                (1, Some(item)) if item.event != EventKind::Resolved => single(item),
                _ => format!("{}{}", what(message), worst(message)),
            };
            match (open, resolved) {
                (0, resolved) => format!("{} fixed", words::count(resolved, "deployment")),
                (_, 0) => old,
                (_, resolved) => format!("{old}, {resolved} fixed"),
            }
        }
    }
}

/// What is open, by what it is about: `12 deployments on old bases and 2 to restore or repair`.
fn what(message: &Message) -> String {
    let workloads = message.workload_count();
    let bases = open(message).saturating_sub(workloads);
    let broken = "to restore or repair";
    match (bases, workloads) {
        (bases, 0) => format!("{} on old bases", words::count(bases, "deployment")),
        (0, workloads) => format!("{} {broken}", words::count(workloads, "deployment")),
        (bases, workloads) => format!("{} on old bases and {workloads} {broken}", words::count(bases, "deployment")),
    }
}

/// `orders:live on a base 90 days old (critical, was high)`.
fn single(item: &Item) -> String {
    let name: String = clean(&name(item)).chars().take(40).collect();
    let what = match item.action {
        Action::Restore => "lost its image".to_owned(),
        _ if is_failed(item) => "cannot be invoked".to_owned(),
        _ if item.about == AlertSubject::Workload => "needs attention".to_owned(),
        Action::Upgrade => format!("on {}, which has ended", item.runtime.as_deref().map_or_else(runtime, clean)),
        _ if item.age == words::NOTHING => "on an old base".to_owned(),
        _ => format!("on a base {} old", spelled(&item.age)),
    };
    let was = item.was.map(|was| format!(", was {}", was.as_str())).unwrap_or_default();
    let still = if item.event == EventKind::Reminded { "still " } else { "" };
    format!("{name} {still}{what} ({}{was})", item.severity.as_str())
}

/// The message in a sentence: `2 new, 1 worse, 12 still open, 1 fixed (1 critical, 14 high)`.
pub(super) fn summary(message: &Message) -> String {
    match message.kind {
        MessageKind::Findings if message.count() <= 1 => headline(message),
        MessageKind::Findings => {
            let parts: Vec<_> =
                message.events.iter().map(|(event, count)| format!("{count} {}", word(*event))).collect();
            let severities = severities(message);
            if severities.is_empty() { parts.join(", ") } else { format!("{} ({severities})", parts.join(", ")) }
        }
        MessageKind::Backlog => {
            format!("a backlog of {} ({})", what(message), severities(message))
        }
        MessageKind::Rebuilds | MessageKind::Watch | MessageKind::Test => headline(message),
    }
}

/// When that was found out, whether all was seen, and what is odd about the message.
pub(super) fn occasion(message: &Message) -> String {
    let at = words::instant(message.at);
    let seen = match (message.kind, message.complete) {
        (MessageKind::Test, _) => return format!("Sent {at}. If you can read this, alerts will arrive here."),
        (MessageKind::Watch, _) | (_, true) => format!("As of {at}."),
        (_, false) => format!("As of {at}; not everything could be seen in this run, so there may be more."),
    };
    match message.kind {
        MessageKind::Backlog => {
            format!(
                "{seen} This is the first message: all that is open, in one. From now on you are told what changes."
            )
        }
        _ => seen,
    }
}

/// The title of the items of `event`.
pub(super) fn title(kind: MessageKind, event: EventKind) -> &'static str {
    match (kind, event) {
        (MessageKind::Rebuilds, _) => "Rebuilds",
        (MessageKind::Backlog, _) => "The worst",
        (_, EventKind::Triggered) => "New",
        (_, EventKind::Escalated) => "Worse than before",
        (_, EventKind::Reminded) => "Still open",
        (_, EventKind::Resolved) => "Fixed or gone",
    }
}

fn word(event: EventKind) -> &'static str {
    match event {
        EventKind::Triggered => "new",
        EventKind::Escalated => "worse",
        EventKind::Reminded => "still open",
        EventKind::Resolved => "fixed",
    }
}

fn open(message: &Message) -> u64 {
    message.count().saturating_sub(message.resolved_count())
}

/// ` (1 critical)`: how many have the worst severity.
fn worst(message: &Message) -> String {
    match message.severities.iter().next_back() {
        Some((severity, count)) if *severity > Severity::Medium => format!(" ({count} {})", severity.as_str()),
        _ => String::new(),
    }
}

/// `1 critical, 2 high`.
fn severities(message: &Message) -> String {
    let counts = message.severities.iter().rev().map(|(severity, count)| format!("{count} {}", severity.as_str()));
    counts.collect::<Vec<_>>().join(", ")
}

/// Deployments by where they are: `orders:live, carts and 7 more (lambda in eu-west-1, account 123456789012)`.
pub(super) fn places(group: &[&Item], copyable: Copyable) -> String {
    let mut by_place: Vec<(String, Vec<String>, usize)> = Vec::new();
    let (mut seen, mut elsewhere) = (0, 0);
    for item in group {
        let place = place(item, copyable);
        let has_room = seen < NAMES;
        match by_place.iter_mut().find(|(known, ..)| *known == place) {
            Some((_, names, _)) if has_room => names.push(name(item)),
            Some((.., more)) => *more += 1,
            None if has_room => by_place.push((place, vec![name(item)], 0)),
            None => elsewhere += 1,
        }
        seen += 1;
    }
    let places = by_place.into_iter().map(|(place, names, more)| {
        let names = names.iter().map(|name| copyable(name)).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let place = if place.is_empty() { place } else { format!(" ({place})") };
        format!("{names}{more}{place}")
    });
    let mut places: Vec<_> = places.collect();
    if elsewhere > 0 {
        places.push(format!("and {elsewhere} more elsewhere"));
    }
    places.join(", ")
}

fn place(item: &Item, copyable: Copyable) -> String {
    let kind = match item.kind {
        DeploymentKind::Lambda => "lambda",
        DeploymentKind::Ecs => "ecs",
        DeploymentKind::Ecr => "ecr",
        DeploymentKind::Image | DeploymentKind::Layout => "",
    };
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let shown = |text: &str| if is_plain(text) { text.to_owned() } else { copyable(text) };
    let region = item.region.as_deref().map(shown).unwrap_or_default();
    let place = match (kind, region.as_str()) {
        ("", region) => region.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, region) => format!("{kind} in {region}"),
    };
    let account = item.account.as_deref().map(|account| format!("account {}", shown(account)));
    [Some(place).filter(|place| !place.is_empty()), account].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `orders:live`; of several tags of one image `orders:3.2, 421, latest`.
fn name(item: &Item) -> String {
    if item.tags.is_empty() {
        return item.name.clone();
    }
    let more = item.tags.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more tags") } else { String::new() };
    format!("{}:{}{more}", item.repository, item.tags[..item.tags.len().min(NAMES)].join(", "))
}

/// `stale, high`; `stale, critical (was high)`; `without its image, medium` of a workload.
pub(super) fn verdict(item: &Item) -> String {
    let was = item.was.map(|was| format!(" (was {})", was.as_str())).unwrap_or_default();
    let what = match (item.about, item.action) {
        (AlertSubject::Base, _) => item.verdict.as_str(),
        (AlertSubject::Workload, Action::Restore) => "without its image",
        (AlertSubject::Workload, _) if is_failed(item) => "unable to run",
        (AlertSubject::Workload, _) => "in need of attention",
    };
    format!("{what}, {}{was}", item.severity.as_str())
}

/// Whether it is about a function that cannot be invoked.
fn is_failed(item: &Item) -> bool {
    let is_leading = item.reasons.first().is_some_and(|reason| reason.code == ReasonCode::FunctionFailed.as_str());
    item.about == AlertSubject::Workload && is_leading
}

/// `lambda/java:21.2026.08.22.00, 90 days old, 89 days and 71 releases behind`; nothing of a base that is not known, or
/// that the alert is not about.
pub(super) fn base(item: &Item, copyable: Copyable) -> Option<String> {
    let base = copyable(item.base.as_deref().filter(|_| item.about == AlertSubject::Base)?);
    let age = if item.age == words::NOTHING { String::new() } else { format!(", {} old", spelled(&item.age)) };
    let behind = match item.behind.as_str() {
        words::NOTHING => String::new(),
        "yes" => ", behind its line".to_owned(),
        behind => format!(", {} behind", spelled(behind)),
    };
    Some(format!("{base}{age}{behind}"))
}

/// The short words of tables in full: `≥ 61 d, 3 releases` is `at least 61 days and 3 releases`.
fn spelled(short: &str) -> String {
    let clean = clean(short);
    let (bound, rest) = clean.strip_prefix("≥ ").map_or(("", clean.as_str()), |rest| ("at least ", rest));
    let part = |part: &str| match part.strip_suffix(" d") {
        Some("1") => "1 day".to_owned(),
        Some("< 1") => "less than a day".to_owned(),
        Some(days) => format!("{days} days"),
        None => part.to_owned(),
    };
    format!("{bound}{}", rest.split(", ").map(part).collect::<Vec<_>>().join(" and "))
}

/// Whether a reason says more than verdict, base and advice do.
pub(super) fn is_worth_telling(code: &str) -> bool {
    !matches!(code, "base-superseded" | "base-too-old" | "runtime-deprecated" | "image-missing" | "not-deployed")
}

/// What to do about a group of one cause, as of `now`.
pub(super) fn advice(group: &[&Item], now: DateTime<Utc>, copyable: Copyable) -> String {
    let Some(item) = group.first() else { return String::new() };
    let some = |text: &Option<String>, otherwise: &str| text.as_deref().map_or_else(|| otherwise.to_owned(), copyable);
    match item.action {
        Action::Rebuild => {
            let now = item.current.as_deref().map(|now| format!(" (now {})", copyable(now))).unwrap_or_default();
            let line = some(&item.line, "the current release of its base");
            // The line's moving tag points at a release that is held.
            let base = item.pinned.as_deref().map_or_else(|| format!("{line}{now}"), copyable);
            let (images, them) = images(group, copyable);
            format!("rebuild {images} on {base}, then deploy {them}")
        }
        Action::Redeploy => {
            let image = some(&item.replacement, "the newer image");
            format!("an image on a newer base is in the repository already: deploy {image}")
        }
        Action::Upgrade => upgrade(group, now.date_naive(), copyable),
        Action::Restore => {
            let image = copyable(&item.image);
            format!("the image was deleted from its repository or archived: restore it, or deploy another one: {image}")
        }
        Action::Repair => "repair what prevents it from being invoked: function-failed says what".to_owned(),
        Action::Investigate => format!("look into it: {}", copyable(&format!("basewatch explain {}", item.image))),
        Action::None => "nothing yet: its line has no newer release".to_owned(),
    }
}

fn upgrade(group: &[&Item], today: NaiveDate, copyable: Copyable) -> String {
    let item = group[0];
    let what = item.runtime.as_deref().map_or_else(runtime, copyable);
    let (images, _) = images(group, copyable);
    let patches = match item.deprecation_date {
        Some(date) if date > today => format!("it gets no more patches from {date} on"),
        Some(date) => format!("it has had no patches since {date}"),
        None => "it gets no more patches".to_owned(),
    };
    let updates = match item.block_update_date {
        Some(date) if date > today => format!(", and its functions cannot be updated from {date} on"),
        Some(date) => format!(", and its functions cannot be updated since {date}"),
        None => String::new(),
    };
    format!("move {images} from {what} to a supported runtime: {patches}{updates}; rebuilding does not help")
}

fn runtime() -> String {
    "its runtime".to_owned()
}

/// The images of a group by their repositories, the first few, and how to go on about them.
fn images(group: &[&Item], copyable: Copyable) -> (String, &'static str) {
    let mut names: Vec<_> = group.iter().map(|item| item.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let count = names.len();
    names.truncate(REPOSITORIES);
    let more = if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
    let images = names.into_iter().map(copyable).collect::<Vec<_>>().join(", ");
    (format!("{images}{more}"), if count == 1 { "it" } else { "them" })
}

/// What lists all that is open.
pub(super) fn whole_list(message: &Message, copyable: Copyable) -> String {
    let command = match message.owner.as_deref().filter(|owner| is_argument(owner)) {
        Some(owner) => format!("basewatch alerts list --owner {owner}"),
        None => "basewatch alerts list".to_owned(),
    };
    let report = if message.report.is_some() { ", or the report" } else { "" };
    format!("{}{report}", copyable(&command))
}

/// How to be left alone for a week; nothing if there is nothing open to be left alone by.
pub(super) fn snooze(message: &Message, copyable: Copyable) -> Option<String> {
    let is_open = |item: &&Item| item.event != EventKind::Resolved && item.rebuild.is_none();
    let item = message.items.iter().find(is_open).filter(|item| is_argument(&item.alert))?;
    let until = message.at.date_naive().checked_add_days(chrono::Days::new(7))?;
    Some(copyable(&format!("basewatch alerts snooze {} --until {until}", item.alert)))
}

/// Whether a shell takes `text` as one word as it is: what people paste must not surprise them.
fn is_argument(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
}

/// `12 stale, 3 out-of-date`, the worst first.
pub(super) fn verdicts(message: &Message) -> String {
    let counts = message.verdicts.iter().rev().map(|(verdict, count)| format!("{count} {}", verdict.as_str()));
    counts.collect::<Vec<_>>().join(", ")
}

/// Who has how many, the most first; and how many more owners there are than `most`.
pub(super) fn owners(owners: &BTreeMap<String, u64>, most: usize) -> (Vec<(&str, u64)>, usize) {
    let mut counts: Vec<_> = owners.iter().map(|(owner, count)| (owner.as_str(), *count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = counts.len().saturating_sub(most);
    counts.truncate(most);
    (counts, more)
}

/// Text from outside as it can be shown.
pub(super) fn clean(text: &str) -> String {
    harmless(text).into_owned()
}
