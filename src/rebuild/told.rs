//! What do people have to know of rebuilds? Those that brought nothing, and those that nobody accepts; each once.
//!
//! Pure. Makes no messages: it is the words and figures that messages are made of.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Outcome, Planned, Rebuild, Request};
use crate::{
    image::{Digest, Reference},
    judge::Severity,
};

/// What one owner has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose deployments it is about; `None` for those of nobody.
    pub owner: Option<String>,
    /// The rebuilds, the worst first.
    pub rebuilds: Vec<ToldRebuild>,
}

/// One rebuild that people have to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRebuild {
    /// Its key in the ledger.
    pub key: String,
    /// The same whenever this is told: 64 hexadecimal digits.
    pub dedup_key: String,
    /// What happened.
    pub what: What,
    /// How bad what needs it is.
    pub severity: Severity,
    /// What was asked for.
    pub request: Request,
    /// What happened, for people, in one line.
    pub text: String,
}

/// What happened to a rebuild that people have to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// No new image was there by the deadline.
    Overdue,
    /// The receiver refused it again and again.
    Refused,
    /// Nobody has accepted it for the length of the deadline. It is still tried.
    Unaccepted,
}

/// What each owner has to know of what a run planned, by owner.
#[must_use]
pub fn told(planned: &Planned, known: &BTreeMap<String, Rebuild>, now: DateTime<Utc>) -> Vec<Told> {
    let ended = planned.followed.iter().filter_map(|followed| {
        let what = match followed.outcome {
            Outcome::Overdue => What::Overdue,
            Outcome::Refused => What::Refused,
            Outcome::Rebuilt | Outcome::Moot => return None,
        };
        Some((&followed.key, what, followed.severity, followed.needing))
    });
    let unaccepted = planned.unaccepted.iter().map(|(key, severity)| (key, What::Unaccepted, *severity, 0));
    let mut by_owner: BTreeMap<Option<String>, Vec<ToldRebuild>> = BTreeMap::new();
    for (key, what, severity, needing) in ended.chain(unaccepted) {
        let Some(rebuild) = known.get(key) else { continue };
        let told = ToldRebuild {
            key: key.clone(),
            dedup_key: Digest::of(format!("{key}\n{}", what.as_str()).as_bytes()).hex().to_owned(),
            what,
            severity,
            request: rebuild.request.clone(),
            text: format!("{}{}", text(rebuild, what, needing, now), pause(planned, key)),
        };
        let owners = &rebuild.request.owners;
        let nobody = owners.is_empty().then_some(None);
        for owner in owners.iter().cloned().map(Some).chain(nobody) {
            by_owner.entry(owner).or_default().push(told.clone());
        }
    }
    let worst_first = |rebuilds: &mut Vec<ToldRebuild>| {
        rebuilds.sort_by(|one, other| {
            let name =
                |told: &ToldRebuild| (told.request.repository.clone(), told.request.line.clone(), told.key.clone());
            other.severity.cmp(&one.severity).then_with(|| name(one).cmp(&name(other)))
        });
    };
    by_owner.values_mut().for_each(worst_first);
    by_owner.into_iter().map(|(owner, rebuilds)| Told { owner, rebuilds }).collect()
}

impl What {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Refused => "refused",
            Self::Unaccepted => "unaccepted",
        }
    }
}

fn text(rebuild: &Rebuild, what: What, needing: u64, now: DateTime<Utc>) -> String {
    let Request { repository, .. } = &rebuild.request;
    let base = base_name(&rebuild.request);
    let who = match &rebuild.message_id {
        Some(id) => format!("{}, {id}", rebuild.rule),
        None => rebuild.rule.clone(),
    };
    let since = |at: DateTime<Utc>| span(now - at);
    let said = rebuild.last_error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let tries = if rebuild.attempts == 1 { "1 try" } else { &format!("{} tries", rebuild.attempts) };
    match what {
        What::Overdue => {
            let at = rebuild.sent_at.unwrap_or(rebuild.due_at);
            let ago = since(at);
            let outcome = match &rebuild.seen {
                Some(image) => format!("{image}, but {needing} more of its deployments still need one"),
                None => "no new image has been pushed".to_owned(),
            };
            format!("{repository}: a rebuild on {base} was asked for {ago} ago ({who}), and {outcome}")
        }
        What::Refused => format!("{repository}: a rebuild on {base} is refused ({who}) after {tries}{said}"),
        What::Unaccepted => {
            let due = since(rebuild.due_at);
            format!(
                "{repository}: a rebuild on {base} has been due for {due} ({who}) and nobody accepts it, {tries}{said}"
            )
        }
    }
}

/// What is stopped along with it.
fn pause(planned: &Planned, key: &str) -> String {
    let Some(paused) = planned.paused.iter().find(|paused| paused.key == key) else { return String::new() };
    let until = paused.until.format("%Y-%m-%d %H:%M UTC");
    match paused.failures {
        1 => format!("; no more are asked for until {until}"),
        failures => format!("; {failures} in a row brought nothing, no more are asked for until {until}"),
    }
}

/// `26 h`, from three days on `3 d`; to the nearest, as a day is a day even if the second run came a second early.
fn span(span: TimeDelta) -> String {
    let span = span + TimeDelta::minutes(30);
    match span.num_hours() {
        hours @ ..72 => format!("{} h", hours.max(0)),
        _ => format!("{} d", span.num_days()),
    }
}

/// The release to build on, in the fewest words: `lambda/java:21.2026.11.19.13`, else `lambda/java:21@2c26b46b68ff`.
fn base_name(request: &Request) -> String {
    let short = |name: &str| name.strip_prefix("public.ecr.aws/").unwrap_or(name).to_owned();
    if let (Some(release), Ok(line)) = (&request.base_release, request.line.parse::<Reference>()) {
        return format!("{}:{release}", short(&line.repository.to_string()));
    }
    let digest = request.base_digest.parse::<Digest>();
    let digest = digest.as_ref().map_or(request.base_digest.as_str(), Digest::short);
    format!("{}@{digest}", short(&request.line))
}
