//! Phrases of alerts, shared by mail and chat. Text from outside is sanitized.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    AlertItem, AlertSubject, EventKind, Message, MessageKind, TextFormatter, cause::unlisted, run_health_texts,
};
use crate::{
    inventory::DeploymentKind,
    judge::{Action, ReasonCode, Severity},
    report::{format, sanitize},
};

/// Maximum number of names listed per group.
pub(super) const MAX_NAMES: usize = 8;

/// Maximum number of repositories named in advice.
const MAX_REPOSITORIES: usize = 3;

/// The message in a few words, without the owner: `2 new, 34 reminders (1 critical): deployments on outdated bases`.
pub(super) fn headline(message: &Message) -> String {
    match message.kind {
        MessageKind::Watch => message.watch.as_ref().map_or_else(|| "basewatch".to_owned(), run_health_texts::headline),
        MessageKind::Test => "basewatch test message".to_owned(),
        MessageKind::Rebuilds => match message.count() {
            1 => "1 rebuild produced no new image".to_owned(),
            count => format!("{count} rebuilds produced no new image"),
        },
        MessageKind::Backlog => format!("backlog of {}{}", what(message), worst(message)),
        MessageKind::Findings => {
            let resolved = message.resolved_count();
            match (open(message), message.items.first()) {
                (0, _) => format!("{} resolved", format::count(resolved, "deployment")),
                (1, Some(item)) if item.event != EventKind::Resolved => match resolved {
                    0 => single(item),
                    resolved => format!("{}, {resolved} resolved", single(item)),
                },
                _ => format!("{}{}: {}", events(message), worst(message), subjects(message)),
            }
        }
    }
}

/// The open alerts by subject: `12 deployments on outdated bases and 2 to restore or repair`.
fn what(message: &Message) -> String {
    let workloads = message.workload_count();
    let bases = open(message).saturating_sub(workloads);
    let broken = "to restore or repair";
    match (bases, workloads) {
        (bases, 0) => format!("{} on outdated bases", format::count(bases, "deployment")),
        (0, workloads) => format!("{} {broken}", format::count(workloads, "deployment")),
        (bases, workloads) => {
            format!("{} on outdated bases and {workloads} {broken}", format::count(bases, "deployment"))
        }
    }
}

/// The open alerts by subject, whose number the events say: `deployments on outdated bases, 2 to restore or repair`.
fn subjects(message: &Message) -> String {
    let workloads = message.workload_count();
    match (open(message).saturating_sub(workloads), workloads) {
        (_, 0) => "deployments on outdated bases".to_owned(),
        (0, _) => "deployments to restore or repair".to_owned(),
        (_, workloads) => format!("deployments on outdated bases, {workloads} to restore or repair"),
    }
}

/// The alerts by event: `2 new, 1 worse, 34 reminders, 1 resolved`.
fn events(message: &Message) -> String {
    let parts = message.events.iter().map(|(event, count)| match event {
        EventKind::Triggered => format!("{count} new"),
        EventKind::Escalated => format!("{count} worse"),
        EventKind::Reminded => format::count(*count, "reminder"),
        EventKind::Resolved => format!("{count} resolved"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// `orders:live on a base 90 days old (critical, was high)`.
fn single(item: &AlertItem) -> String {
    let name: String = clean(&name(item)).chars().take(40).collect();
    let what = match item.action {
        Action::Restore => "without its image".to_owned(),
        _ if is_failed(item) => "cannot be invoked".to_owned(),
        _ if item.about == AlertSubject::Workload => "needs attention".to_owned(),
        Action::Upgrade => format!("on {}, which is deprecated", item.runtime.as_deref().map_or_else(runtime, clean)),
        _ if item.age == format::NOTHING => "on an outdated base".to_owned(),
        _ => format!("on a base {} old", spelled(&item.age)),
    };
    let was = item.previous_severity.map(|was| format!(", was {}", was.as_str())).unwrap_or_default();
    let still = if item.event == EventKind::Reminded { "still " } else { "" };
    format!("{name} {still}{what} ({}{was})", item.severity.as_str())
}

/// The message in a sentence: `2 new, 1 worse, 12 reminders, 1 resolved (1 critical, 14 high)`.
pub(super) fn summary(message: &Message) -> String {
    match message.kind {
        MessageKind::Findings if message.count() <= 1 => headline(message),
        MessageKind::Findings => {
            let (events, severities) = (events(message), severities(message));
            if severities.is_empty() { events } else { format!("{events} ({severities})") }
        }
        MessageKind::Backlog => {
            format!("backlog of {} ({})", what(message), severities(message))
        }
        MessageKind::Rebuilds | MessageKind::Watch | MessageKind::Test => headline(message),
    }
}

/// The instant of the message, whether the inventory was read completely, and why the message was sent if it is the first.
pub(super) fn as_of(message: &Message) -> String {
    let at = format::instant(message.at);
    let as_of = match (message.kind, message.complete) {
        (MessageKind::Test, _) => return format!("Sent {at}. Alerts will arrive in this channel."),
        (MessageKind::Watch, _) | (_, true) => format!("As of {at}."),
        (_, false) => format!("As of {at}. Part of the inventory could not be read; more deployments may be affected."),
    };
    match message.kind {
        MessageKind::Backlog => {
            format!("{as_of} This first message summarizes everything that is open. From now on only changes are sent.")
        }
        _ => as_of,
    }
}

/// The heading of the items of `event`.
pub(super) fn title(kind: MessageKind, event: EventKind) -> &'static str {
    match (kind, event) {
        (MessageKind::Rebuilds, _) => "Rebuilds",
        (MessageKind::Backlog, _) => "Most severe",
        (_, EventKind::Triggered) => "New",
        (_, EventKind::Escalated) => "Escalated",
        (_, EventKind::Reminded) => "Still open",
        (_, EventKind::Resolved) => "Resolved",
    }
}

fn open(message: &Message) -> u64 {
    message.count().saturating_sub(message.resolved_count())
}

/// ` (1 critical)`: the number of alerts with the worst severity.
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

/// Deployments by location: `orders:live, carts and 7 more (lambda in eu-west-1, account 123456789012)`.
pub(super) fn locations(group: &[&AlertItem], copyable: TextFormatter) -> String {
    let mut by_location: Vec<(String, Vec<String>, usize)> = Vec::new();
    let (mut count, mut elsewhere) = (0, 0);
    for item in group {
        let location = location(item, copyable);
        let has_room = count < MAX_NAMES;
        match by_location.iter_mut().find(|(known, ..)| *known == location) {
            Some((_, names, _)) if has_room => names.push(name(item)),
            Some((.., more)) => *more += 1,
            None if has_room => by_location.push((location, vec![name(item)], 0)),
            None => elsewhere += 1,
        }
        count += 1;
    }
    let locations = by_location.into_iter().map(|(location, names, more)| {
        let names = names.iter().map(|name| copyable(name)).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let location = if location.is_empty() { location } else { format!(" ({location})") };
        format!("{names}{more}{location}")
    });
    let mut locations: Vec<_> = locations.collect();
    if elsewhere > 0 {
        locations.push(format!("and {elsewhere} more elsewhere"));
    }
    let unlisted = unlisted(group);
    if unlisted > 0 {
        locations.push(format!("and {unlisted} more like {}", if group.len() == 1 { "it" } else { "them" }));
    }
    locations.join(", ")
}

fn location(item: &AlertItem, copyable: TextFormatter) -> String {
    let kind = match item.kind {
        DeploymentKind::Lambda => "lambda",
        DeploymentKind::Ecs => "ecs",
        DeploymentKind::Ecr => "ecr",
        DeploymentKind::Image | DeploymentKind::Layout => "",
    };
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let shown = |text: &str| if is_plain(text) { text.to_owned() } else { copyable(text) };
    let region = item.region.as_deref().map(shown).unwrap_or_default();
    let location = match (kind, region.as_str()) {
        ("", region) => region.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, region) => format!("{kind} in {region}"),
    };
    let account = item.account.as_deref().map(|account| format!("account {}", shown(account)));
    [Some(location).filter(|location| !location.is_empty()), account]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// `orders:live`; for several tags of one image `orders:3.2, 421, latest`.
fn name(item: &AlertItem) -> String {
    if item.tags.is_empty() {
        return item.name.clone();
    }
    let more = item.tags.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more tags") } else { String::new() };
    format!("{}:{}{more}", item.repository, item.tags[..item.tags.len().min(MAX_NAMES)].join(", "))
}

/// `stale, high`; `stale, critical (was high)`; `image deleted, medium` for a workload.
pub(super) fn verdict(item: &AlertItem) -> String {
    let was = item.previous_severity.map(|was| format!(" (was {})", was.as_str())).unwrap_or_default();
    let what = match (item.about, item.action) {
        (AlertSubject::Base, _) => item.verdict.as_str(),
        (AlertSubject::Workload, Action::Restore) => "image deleted",
        (AlertSubject::Workload, _) if is_failed(item) => "cannot be invoked",
        (AlertSubject::Workload, _) => "needs attention",
    };
    format!("{what}, {}{was}", item.severity.as_str())
}

/// Whether it is about a function that cannot be invoked.
fn is_failed(item: &AlertItem) -> bool {
    let is_leading = item.reasons.first().is_some_and(|reason| reason.code == ReasonCode::FunctionFailed.as_str());
    item.about == AlertSubject::Workload && is_leading
}

/// `lambda/java:21.2026.08.22.00, 90 days old, 89 days and 71 releases behind`; `None` if the base is unknown or the alert
/// is about the workload.
pub(super) fn base(item: &AlertItem, copyable: TextFormatter) -> Option<String> {
    let base = copyable(item.base.as_deref().filter(|_| item.about == AlertSubject::Base)?);
    let age = if item.age == format::NOTHING { String::new() } else { format!(", {} old", spelled(&item.age)) };
    let behind = match item.behind.as_str() {
        format::NOTHING => String::new(),
        "yes" => ", behind its line".to_owned(),
        behind => format!(", {} behind", spelled(behind)),
    };
    Some(format!("{base}{age}{behind}"))
}

/// Spells out the abbreviations of tables: `≥ 61 d, 3 releases` is `at least 61 days and 3 releases`.
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

/// Whether a reason adds information to verdict, base and advice.
pub(super) fn adds_information(code: &str) -> bool {
    use ReasonCode as Code;
    let is_covered = |code| {
        matches!(
            code,
            Code::BaseSuperseded | Code::BaseTooOld | Code::RuntimeDeprecated | Code::ImageMissing | Code::NotDeployed
        )
    };
    !code.parse().is_ok_and(is_covered)
}

/// What to do about a group of items with one cause, as of `now`.
pub(super) fn advice(group: &[&AlertItem], now: DateTime<Utc>, copyable: TextFormatter) -> String {
    let Some(item) = group.first() else { return String::new() };
    let some = |text: &Option<String>, otherwise: &str| text.as_deref().map_or_else(|| otherwise.to_owned(), copyable);
    match item.action {
        Action::Rebuild => {
            let now = item.current.as_deref().map(|now| format!(" (currently {})", copyable(now))).unwrap_or_default();
            let line = some(&item.line, "the current release of its base");
            // The moving tag of the line points at a held release.
            let base = item.pinned.as_deref().map_or_else(|| format!("{line}{now}"), copyable);
            let (images, them) = images(group, copyable);
            format!("rebuild {images} on {base}, then deploy {them}")
        }
        Action::Redeploy => {
            let image = some(&item.replacement, "the newer image");
            format!("deploy {image}, which is already in the repository and has a newer base")
        }
        Action::Upgrade => upgrade(group, now.date_naive(), copyable),
        Action::Restore => {
            let image = copyable(&item.image);
            format!("restore the image, which was deleted or archived in ECR, or deploy another one: {image}")
        }
        Action::Repair => {
            "fix what prevents the function from being invoked: see the reason function-failed".to_owned()
        }
        Action::Investigate => format!("run {}", copyable(&format!("basewatch explain {}", item.image))),
        Action::None => "none: the release line has no newer release".to_owned(),
    }
}

fn upgrade(group: &[&AlertItem], today: NaiveDate, copyable: TextFormatter) -> String {
    let item = group[0];
    let what = item.runtime.as_deref().map_or_else(runtime, copyable);
    let (images, _) = images(group, copyable);
    let patches = match item.deprecation_date {
        Some(date) if date > today => format!("patches end on {date}"),
        Some(date) => format!("no patches since {date}"),
        None => "no more patches".to_owned(),
    };
    let updates = match item.block_update_date {
        Some(date) if date > today => format!(", function updates are blocked from {date}"),
        Some(date) => format!(", function updates are blocked since {date}"),
        None => String::new(),
    };
    format!("move {images} from {what} to a supported runtime: {patches}{updates}; rebuilding does not help")
}

fn runtime() -> String {
    "its runtime".to_owned()
}

/// The images of a group by repository, at most `MAX_REPOSITORIES`, and the pronoun for them.
fn images(group: &[&AlertItem], copyable: TextFormatter) -> (String, &'static str) {
    let mut names: Vec<_> = group.iter().map(|item| item.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let count = names.len();
    names.truncate(MAX_REPOSITORIES);
    let more = if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
    let images = names.into_iter().map(copyable).collect::<Vec<_>>().join(", ");
    (format!("{images}{more}"), if count == 1 { "it" } else { "them" })
}

/// The command that lists all open alerts.
pub(super) fn whole_list(message: &Message, copyable: TextFormatter) -> String {
    let command = match message.owner.as_deref().filter(|owner| is_argument(owner)) {
        Some(owner) => format!("basewatch alerts list --owner {owner}"),
        None => "basewatch alerts list".to_owned(),
    };
    let report = if message.report.is_some() { ", or the report" } else { "" };
    format!("{}{report}", copyable(&command))
}

/// The command that snoozes the alerts of the first open paragraph for a week; `None` if no alert is open.
pub(super) fn snooze(message: &Message, copyable: TextFormatter) -> Option<String> {
    let is_open = |item: &&AlertItem| item.event != EventKind::Resolved && item.rebuild.is_none();
    let id = message.items.iter().find(is_open).map(AlertItem::command_id).filter(|id| is_argument(id))?;
    Some(copyable(&format!("basewatch alerts snooze {id} --for 7d")))
}

/// Whether a shell takes `text` as one word without quoting, so that it is safe to paste.
fn is_argument(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
}

/// `12 stale, 3 out-of-date`, the most severe first.
pub(super) fn verdicts(message: &Message) -> String {
    let counts = message.verdicts.iter().rev().map(|(verdict, count)| format!("{count} {}", verdict.as_str()));
    counts.collect::<Vec<_>>().join(", ")
}

/// The `most` owners with the most alerts, and the number of other owners.
pub(super) fn owners(owners: &BTreeMap<String, u64>, most: usize) -> (Vec<(&str, u64)>, usize) {
    let mut counts: Vec<_> = owners.iter().map(|(owner, count)| (owner.as_str(), *count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = counts.len().saturating_sub(most);
    counts.truncate(most);
    (counts, more)
}

/// Text from outside, sanitized.
pub(super) fn clean(text: &str) -> String {
    sanitize(text).into_owned()
}
