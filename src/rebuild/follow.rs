//! Progress of one rebuild, read from one report.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Rebuild, RebuildConclusion, RebuildRequest, RebuildSettings,
    need::{ReportIndex, RepositoryLine, is_good, release},
};
use crate::{
    judge::{Action, Severity},
    report::{BaseInUse, Finding, format},
};

/// Number of refusals in a row after which a request has failed, if its deadline has passed as well.
const MAX_REFUSALS: u32 = 5;

/// Tolerance for runs that start early: without it, a daily run that starts a little earlier than the day before would
/// still wait.
const TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// The next step of an open rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RebuildStep {
    /// Request it: it is needed and not yet acknowledged.
    Call,
    /// Wait: its deadline has not passed, or the report does not show whether it is needed.
    Wait,
    /// It has ended.
    End(RebuildConclusion, RebuildEvidence),
}

/// What a report shows about a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RebuildEvidence {
    /// An image on a new base, for people: `orders:422 is built on 21.2026.11.19.13`.
    pub(super) image: Option<String>,
    /// Number of deployments that still need it.
    pub(super) needing: u64,
    /// Their worst severity.
    pub(super) severity: Severity,
}

/// The next step of `rebuild`.
pub(super) fn follow(
    rebuild: &Rebuild,
    index: &ReportIndex<'_>,
    settings: &RebuildSettings,
    now: DateTime<Utc>,
) -> RebuildStep {
    let repository_line = rebuild.repository_line();
    let observed = evidence(&rebuild.request, &repository_line, index);
    if observed.needing == 0 {
        return match observed.image {
            Some(_) if rebuild.sent_at.is_some() => RebuildStep::End(RebuildConclusion::Rebuilt, observed),
            Some(_) => RebuildStep::End(RebuildConclusion::Obsolete, observed),
            // An incomplete report proves no absence.
            None if index.shows_all_of(&repository_line) => RebuildStep::End(RebuildConclusion::Obsolete, observed),
            None => RebuildStep::Wait,
        };
    }
    match rebuild.sent_at {
        None if is_refused(rebuild, settings, now) => RebuildStep::End(RebuildConclusion::Refused, observed),
        None => RebuildStep::Call,
        Some(at) if is_past_deadline(at, settings, now) => RebuildStep::End(RebuildConclusion::Overdue, observed),
        Some(_) => RebuildStep::Wait,
    }
}

/// Whether the service refuses the request for good. Frequent runs give it the same time to be repaired as daily ones.
fn is_refused(rebuild: &Rebuild, settings: &RebuildSettings, now: DateTime<Utc>) -> bool {
    rebuild.delivery.refusals >= MAX_REFUSALS && is_past_deadline(rebuild.delivery.due_at, settings, now)
}

/// Whether the deadline that began at `at` has passed, within the tolerance for early runs.
pub(super) fn is_past_deadline(at: DateTime<Utc>, settings: &RebuildSettings, now: DateTime<Utc>) -> bool {
    is_over(at, settings.deadline, now + TOLERANCE)
}

/// Whether `span` has passed since `at`.
pub(super) fn is_over(at: DateTime<Utc>, span: std::time::Duration, now: DateTime<Utc>) -> bool {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(span).is_some_and(|end| end <= now)
}

/// What the report shows about `request`.
pub(super) fn evidence(
    request: &RebuildRequest,
    repository_line: &RepositoryLine,
    index: &ReportIndex<'_>,
) -> RebuildEvidence {
    let line_findings = index.line_findings(repository_line);
    let needing = || line_findings.into_iter().flat_map(|line_findings| &line_findings.needing).copied();
    // An image on the requested release that is outdated again needs another rebuild, not this one.
    let needing: Vec<_> = needing().filter(|finding| !is_built_on_target(finding, request)).collect();
    let on_target = || index.in_repository(repository_line).find(|finding| is_built_on_target(finding, request));
    let better = || line_findings?.others.iter().copied().find_map(|finding| better(finding, request));
    RebuildEvidence {
        image: on_target().and_then(on_base).or_else(better),
        needing: count(needing.len()),
        severity: needing.iter().map(|finding| finding.base_severity()).max().unwrap_or(Severity::None),
    }
}

/// `length` as `u64`.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn is_built_on_target(finding: &Finding, request: &RebuildRequest) -> bool {
    finding.base.as_ref().is_some_and(|base| {
        let is_digest = base.digest.as_ref().is_some_and(|digest| digest.as_str() == request.base_digest);
        let is_release = base.release.is_some() && base.release == request.base_release;
        is_digest || (is_release && base.line.as_ref() == Some(&request.line))
    })
}

/// The image of `finding`, if it is built on a base other than those to be replaced.
fn better(finding: &Finding, request: &RebuildRequest) -> Option<String> {
    if let Some(replacement) = finding.replacement.as_ref().filter(|_| finding.action == Action::Redeploy) {
        let image = short_image(&replacement.reference);
        return Some(match &replacement.base_release {
            Some(release) => format!("{image} is built on {release}"),
            None => format!("{image} is built on a newer base"),
        });
    }
    let is_new = |base: &BaseInUse| !request.from.contains(&release(base));
    on_base(finding).filter(|_| is_good(finding) && finding.base.as_ref().is_some_and(is_new))
}

fn on_base(finding: &Finding) -> Option<String> {
    let base = finding.base.as_ref()?;
    Some(format!("{} is built on {}", format::deployment_name(&finding.deployment), release(base)))
}

/// `orders:422` of a reference.
fn short_image(reference: &str) -> &str {
    reference.split_once('/').map_or(reference, |(_, image)| image)
}
