//! What became of a rebuild that was asked for? Pure: one report, one rebuild.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Outcome, Rebuild, Request, Settings,
    deliver::SLACK,
    need::{Slot, World, is_good, release},
};
use crate::{
    judge::{Action, Severity},
    report::{BaseInUse, Finding, words},
};

/// How often in a row a receiver may refuse a request before that is its last word.
const MAX_REFUSALS: u32 = 5;

/// What is to be done about a rebuild without an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is still needed and not yet acknowledged.
    Call,
    /// It is not known whether it is still needed, or there is time left.
    Wait,
    /// It has ended.
    End(Outcome, Seen),
}

/// What a report shows of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// An image on a new base, for people: `orders:422 stands on 21.2026.11.19.13`.
    pub(super) image: Option<String>,
    /// How many deployments need it still.
    pub(super) needing: u64,
    /// The worst of those.
    pub(super) severity: Severity,
}

/// What the report says about `rebuild`.
pub(super) fn follow(rebuild: &Rebuild, world: &World<'_>, settings: &Settings, now: DateTime<Utc>) -> Step {
    let slot = rebuild.slot();
    let seen = look(&rebuild.request, &slot, world);
    if seen.needing == 0 {
        return match seen.image {
            Some(_) if rebuild.sent_at.is_some() => Step::End(Outcome::Rebuilt, seen),
            Some(_) => Step::End(Outcome::Moot, seen),
            // What an incomplete report does not show may be there all the same.
            None if world.shows_all_of(&slot) => Step::End(Outcome::Moot, seen),
            None => Step::Wait,
        };
    }
    match rebuild.sent_at {
        None if rebuild.refusals >= MAX_REFUSALS => Step::End(Outcome::Refused, seen),
        None => Step::Call,
        Some(at) if is_past_deadline(at, settings, now) => Step::End(Outcome::Overdue, seen),
        Some(_) => Step::Wait,
    }
}

/// Whether the deadline of what happened at `at` has passed. A run that comes a little early counts as on time.
pub(super) fn is_past_deadline(at: DateTime<Utc>, settings: &Settings, now: DateTime<Utc>) -> bool {
    is_over(at, settings.deadline, now + SLACK)
}

/// Whether `span` has passed since `at`.
pub(super) fn is_over(at: DateTime<Utc>, span: std::time::Duration, now: DateTime<Utc>) -> bool {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(span).is_some_and(|end| end <= now)
}

/// What the report shows of what was asked for.
pub(super) fn look(request: &Request, slot: &Slot, world: &World<'_>) -> Seen {
    let sight = world.sight(slot);
    let needing = || sight.into_iter().flat_map(|sight| &sight.needing).copied();
    // What stands on the release that was asked for and needs the next one needs another rebuild, not this one.
    let needing: Vec<_> = needing().filter(|finding| !stands_on_target(finding, request)).collect();
    let on_target = || world.in_repository(slot).find(|finding| stands_on_target(finding, request));
    let better = || sight?.others.iter().copied().find_map(|finding| better(finding, request));
    Seen {
        image: on_target().and_then(on_base).or_else(better),
        needing: count(needing.len()),
        severity: needing.iter().map(|finding| finding.base_severity()).max().unwrap_or(Severity::None),
    }
}

/// A length as a count.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn stands_on_target(finding: &Finding, request: &Request) -> bool {
    finding.base.as_ref().is_some_and(|base| {
        let is_digest = base.digest.as_ref().is_some_and(|digest| digest.as_str() == request.base_digest);
        let is_release = base.release.is_some() && base.release == request.base_release;
        is_digest || (is_release && base.line.as_ref() == Some(&request.line))
    })
}

/// What `finding` shows of an image on another base than those that were to be replaced.
fn better(finding: &Finding, request: &Request) -> Option<String> {
    if let Some(replacement) = finding.replacement.as_ref().filter(|_| finding.action == Action::Redeploy) {
        let image = short_image(&replacement.reference);
        return Some(match &replacement.base_release {
            Some(release) => format!("{image} stands on {release}"),
            None => format!("{image} stands on a better base"),
        });
    }
    let is_new = |base: &BaseInUse| !request.from.contains(&release(base));
    on_base(finding).filter(|_| is_good(finding) && finding.base.as_ref().is_some_and(is_new))
}

fn on_base(finding: &Finding) -> Option<String> {
    let base = finding.base.as_ref()?;
    Some(format!("{} stands on {}", words::deployment_name(&finding.deployment), release(base)))
}

/// `orders:422` of a reference.
fn short_image(reference: &str) -> &str {
    reference.split_once('/').map_or(reference, |(_, image)| image)
}
