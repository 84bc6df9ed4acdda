//! Notices about rebuilds that produced no image or were not accepted, each once. Messages are made of them in `notify`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Rebuild, RebuildConclusion, RebuildPlan, RebuildRequest};
use crate::{
    image::{Digest, Reference},
    judge::Severity,
};

/// The notices for one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerNotices {
    /// The owner of the deployments; `None` for those without an owner.
    pub owner: Option<String>,
    /// The notices, the most severe first.
    pub rebuilds: Vec<RebuildNotice>,
}

/// A notice about one rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildNotice {
    /// Its key in the ledger.
    pub key: String,
    /// Identical in every delivery of this notice: 64 hexadecimal digits.
    pub dedup_key: String,
    /// What happened.
    pub what: NoticeKind,
    /// The worst severity of the findings that need it.
    pub severity: Severity,
    /// The request.
    pub request: RebuildRequest,
    /// What happened, for people, in one line.
    pub text: String,
}

/// What a notice about a rebuild reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// No new image was pushed by the deadline.
    Overdue,
    /// The build service refused it repeatedly.
    Refused,
    /// No service accepted it within the deadline. It is still retried.
    Unaccepted,
}

/// The notices for `planned`, by owner.
#[must_use]
pub fn notices(planned: &RebuildPlan, known: &BTreeMap<String, Rebuild>, now: DateTime<Utc>) -> Vec<OwnerNotices> {
    let ended = planned.followed.iter().filter_map(|followed| {
        let what = match followed.outcome {
            RebuildConclusion::Overdue => NoticeKind::Overdue,
            RebuildConclusion::Refused => NoticeKind::Refused,
            RebuildConclusion::Rebuilt | RebuildConclusion::Obsolete => return None,
        };
        Some((&followed.key, what, followed.severity, followed.needing))
    });
    let unaccepted = planned.unaccepted.iter().map(|(key, severity)| (key, NoticeKind::Unaccepted, *severity, 0));
    let mut by_owner: BTreeMap<Option<String>, Vec<RebuildNotice>> = BTreeMap::new();
    for (key, what, severity, needing) in ended.chain(unaccepted) {
        let Some(rebuild) = known.get(key) else { continue };
        let notice = RebuildNotice {
            key: key.clone(),
            dedup_key: Digest::sha256(format!("{key}\n{}", what.as_str()).as_bytes()).hex().to_owned(),
            what,
            severity,
            request: rebuild.request.clone(),
            text: format!("{}{}", text(rebuild, what, needing, now), pause(planned, key)),
        };
        let owners = &rebuild.request.owners;
        let unowned = owners.is_empty().then_some(None);
        for owner in owners.iter().cloned().map(Some).chain(unowned) {
            by_owner.entry(owner).or_default().push(notice.clone());
        }
    }
    let worst_first = |rebuilds: &mut Vec<RebuildNotice>| {
        rebuilds.sort_by(|one, other| {
            let name = |notice: &RebuildNotice| {
                (notice.request.repository.clone(), notice.request.line.clone(), notice.key.clone())
            };
            other.severity.cmp(&one.severity).then_with(|| name(one).cmp(&name(other)))
        });
    };
    by_owner.values_mut().for_each(worst_first);
    by_owner.into_iter().map(|(owner, rebuilds)| OwnerNotices { owner, rebuilds }).collect()
}

impl NoticeKind {
    /// Name in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Refused => "refused",
            Self::Unaccepted => "unaccepted",
        }
    }
}

fn text(rebuild: &Rebuild, what: NoticeKind, needing: u64, now: DateTime<Utc>) -> String {
    let RebuildRequest { repository, .. } = &rebuild.request;
    let base = base_name(&rebuild.request);
    let who = match &rebuild.message_id {
        Some(id) => format!("{}, {id}", rebuild.rule),
        None => rebuild.rule.clone(),
    };
    let since = |at: DateTime<Utc>| span(now - at);
    let error = rebuild.delivery.last_error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let attempts = match rebuild.delivery.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    match what {
        NoticeKind::Overdue => {
            let at = rebuild.sent_at.unwrap_or(rebuild.delivery.due_at);
            let ago = since(at);
            let outcome = match &rebuild.new_image {
                Some(image) => format!("{image}, but other deployments still need a rebuild ({needing})"),
                None => "no new image has been pushed".to_owned(),
            };
            format!("{repository}: the rebuild on {base} was requested {ago} ago ({who}); {outcome}")
        }
        NoticeKind::Refused => {
            format!("{repository}: the rebuild on {base} was refused ({who}) after {attempts}{error}")
        }
        NoticeKind::Unaccepted => {
            let due = since(rebuild.delivery.due_at);
            format!(
                "{repository}: the rebuild on {base} has been due for {due} ({who}) and was not accepted in {attempts}{error}"
            )
        }
    }
}

/// The pause that the rebuild `key` started, if any.
fn pause(planned: &RebuildPlan, key: &str) -> String {
    let Some(paused) = planned.paused.iter().find(|paused| paused.key == key) else { return String::new() };
    let until = paused.until.format("%Y-%m-%d %H:%M UTC");
    match paused.failures {
        1 => format!("; no further rebuilds are requested until {until}"),
        failures => format!("; {failures} rebuilds in a row failed, no further ones are requested until {until}"),
    }
}

/// `26 h`, or `3 d` from three days on; rounded, because a daily run may start a little early.
fn span(span: TimeDelta) -> String {
    let span = span + TimeDelta::minutes(30);
    match span.num_hours() {
        hours @ ..72 => format!("{} h", hours.max(0)),
        _ => format!("{} d", span.num_days()),
    }
}

/// Short name of the release to build on: `lambda/java:21.2026.11.19.13`, or else `lambda/java:21@2c26b46b68ff`.
fn base_name(request: &RebuildRequest) -> String {
    let short = |name: &str| name.strip_prefix("public.ecr.aws/").unwrap_or(name).to_owned();
    if let (Some(release), Ok(line)) = (&request.base_release, request.line.parse::<Reference>()) {
        return format!("{}:{release}", short(&line.repository.to_string()));
    }
    let digest = request.base_digest.parse::<Digest>();
    let digest = digest.as_ref().map_or(request.base_digest.as_str(), Digest::short);
    format!("{}@{digest}", short(&request.line))
}
