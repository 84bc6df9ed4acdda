//! Reason texts for an identified base: age, position on the line, runtime, holds.

use chrono::{DateTime, Duration, Utc};

use super::{LambdaRuntime, LinePosition, Reason, ReasonCode, RuntimeStatus, RuntimeSupport, Thresholds, identity};
use crate::{
    identify::Identification,
    image::ImageFacts,
    inventory::ImageError,
    resolve::{CurrentImage, LineSource, PublishDateSource, ReleaseHold, Resolution},
};

/// The data that the reasons of an identified base are written from.
pub(super) struct ReasonContext<'a> {
    /// How the base was identified; `None` for an inner base of a chain.
    pub(super) identification: Option<&'a Identification>,
    pub(super) image: &'a ImageFacts,
    pub(super) resolution: &'a Resolution,
    pub(super) thresholds: &'a Thresholds,
    pub(super) now: DateTime<Utc>,
    pub(super) line_position: LinePosition,
    pub(super) is_stale: bool,
    pub(super) runtime: Option<&'a RuntimeSupport>,
}

/// The reason of an image that could not be read.
pub(super) fn unreadable_reasons(unreadable: &ImageError) -> Vec<Reason> {
    vec![Reason::new(unreadable.code.into(), &unreadable.message)]
}

/// The reasons of an identified base: first those that decide, then missing data, then contradictions.
pub(super) fn base_reasons(facts: &ReasonContext<'_>) -> Vec<Reason> {
    let mut reasons: Vec<_> =
        [held(facts), too_old(facts), position(facts), ended(facts)].into_iter().flatten().collect();
    // Reasons for which a rebuild does not help come first.
    reasons.sort_by_key(|reason| match reason.code {
        ReasonCode::RuntimeDeprecated => 0,
        ReasonCode::ReleaseHeld => 1,
        ReasonCode::LineQuiet => 2,
        _ => 3,
    });
    reasons.splice(0..0, replaced(facts));
    reasons.extend(facts.resolution.problems.iter().map(|problem| Reason::new(problem.kind.into(), &problem.message)));
    if facts.resolution.base.published.is_none() {
        reasons.push(Reason::new(
            ReasonCode::PublishDateUnknown,
            "the publish date of the base is unknown: no source has it",
        ));
    }
    if let Some((line, LineSource::DefaultTag)) = &facts.resolution.line {
        let message =
            format!("the release line of the digest is unknown; {line} is assumed, the configured default tag");
        reasons.push(Reason::new(ReasonCode::LineAssumed, message));
    }
    reasons.extend(
        facts
            .identification
            .iter()
            .flat_map(|identification| identity::identity_reasons(identification, facts.image, facts.resolution)),
    );
    reasons
}

fn held(facts: &ReasonContext<'_>) -> Option<Reason> {
    let ReleaseHold { reason, until, .. } = facts.resolution.base.hold.as_deref()?;
    let instead = facts.resolution.current.as_ref().map(name);
    let instead = instead.map(|name| format!("; the newest release that is not held is {name}")).unwrap_or_default();
    Some(Reason::new(ReasonCode::ReleaseHeld, format!("the release in use is held until {until}: {reason}{instead}")))
}

/// The release that replaces an image that is an earlier release of the line itself, unless the line has ended.
fn replaced(facts: &ReasonContext<'_>) -> Option<Reason> {
    let has_ended =
        |support: &RuntimeSupport| matches!(support.status, RuntimeStatus::Deprecated | RuntimeStatus::Blocked);
    let is_ended = facts.runtime.is_some_and(has_ended);
    let is_behind = matches!(facts.line_position, LinePosition::Behind | LinePosition::Held);
    let is_itself = facts.identification.is_some_and(Identification::is_itself);
    let ((line, _), current) = (facts.resolution.line.as_ref()?, facts.resolution.current.as_ref()?);
    (is_itself && is_behind && !is_ended).then(|| {
        let message = format!("the image is a release of {line} itself: deploy {} instead", name(current));
        Reason::new(ReasonCode::NotDeployed, message)
    })
}

fn too_old(facts: &ReasonContext<'_>) -> Option<Reason> {
    let published = facts.resolution.base.published.filter(|_| facts.is_stale)?;
    let (age, limit) = (days(facts.now - published.at), days(facts.thresholds.max_age));
    let (published, why) = match published.source {
        PublishDateSource::DatedTag => ("published", ""),
        PublishDateSource::DescriptorCreated | PublishDateSource::HistoryCreated | PublishDateSource::ConfigCreated => {
            ("built", "")
        }
        PublishDateSource::Observed => ("published at least", ": basewatch observed the line move to it then"),
        PublishDateSource::FirstSeen => ("published at least", ": basewatch first observed it then"),
        PublishDateSource::AtLeast if published.is_estimated => {
            ("published at least", ": the image built on it is that old, by its own build date")
        }
        PublishDateSource::AtLeast => ("published at least", ": the image built on it is that old"),
    };
    Some(Reason::new(ReasonCode::BaseTooOld, format!("{published} {age} ago, over the limit of {limit}{why}")))
}

fn position(facts: &ReasonContext<'_>) -> Option<Reason> {
    let resolution = facts.resolution;
    let (line, current) = (resolution.line.as_ref().map(|(line, _)| line)?, resolution.current.as_ref()?);
    let name = name(current);
    match facts.line_position {
        LinePosition::Behind => Some(Reason::new(ReasonCode::BaseSuperseded, behind(facts, &name))),
        LinePosition::Ahead => {
            let message = format!("{line} was rolled back: it points at {name}, which is older than the base in use");
            Some(Reason::new(ReasonCode::BaseAhead, message))
        }
        LinePosition::Current | LinePosition::SameContent if facts.is_stale => {
            let message = match current.hold.as_deref() {
                Some(ReleaseHold { reason, until, .. }) => format!(
                    "the release that {line} points at is held until {until} ({reason}), and no other one has been published \
                     since: rebuilding does not help"
                ),
                None => format!("nothing newer has been published on {line}: rebuilding does not help"),
            };
            Some(Reason::new(ReasonCode::LineQuiet, message))
        }
        LinePosition::SameContent => {
            let message = format!("{line} points at {name}, a rebuild with the same layers");
            Some(Reason::new(ReasonCode::RebuildWithoutChange, message))
        }
        LinePosition::Current | LinePosition::Held | LinePosition::Unknown => None,
    }
}

fn ended(facts: &ReasonContext<'_>) -> Option<Reason> {
    let RuntimeSupport { runtime, status, .. } = facts.runtime?;
    let LambdaRuntime { name, deprecation_date, block_update_date } = runtime;
    let deprecated = deprecation_date.map(|date| date.to_string()).unwrap_or_default();
    let (code, message) = match status {
        RuntimeStatus::Supported => return None,
        RuntimeStatus::Ending => (ReasonCode::RuntimeEnding, format!("{name} gets no patches after {deprecated}")),
        RuntimeStatus::Deprecated | RuntimeStatus::Blocked => {
            let updates = match (status, block_update_date) {
                (RuntimeStatus::Blocked, Some(date)) => format!("; functions cannot be updated since {date}"),
                (_, Some(date)) => format!("; functions can be updated until {date}"),
                (_, None) => String::new(),
            };
            let message =
                format!("{name} has had no patches since {deprecated}, and rebuilding does not help{updates}");
            (ReasonCode::RuntimeDeprecated, message)
        }
    };
    Some(Reason::new(code, message))
}

fn behind(facts: &ReasonContext<'_>, current: &str) -> String {
    let newer = facts.resolution.later_releases;
    let Some(since) = newer.since else {
        // No evidence proves which of the two is newer.
        return match facts.resolution.current.as_ref().and_then(|current| current.hold.as_ref()) {
            Some(_) => format!("the current release is {current}, which is a different one{}", pointer_held(facts)),
            None => {
                format!("the line points at a different release, {current}, whose publish date is unknown")
            }
        };
    };
    let least = if newer.is_exact { "" } else { "at least " };
    let releases = match newer.count {
        Some(1) => "1 newer release".to_owned(),
        count => format!("{} newer releases", count.unwrap_or(1)),
    };
    let (behind, on) = (days(facts.now - since), since.format("%Y-%m-%d"));
    let since = if newer.is_estimated {
        format!("built {behind} ago ({on})")
    } else if facts.now - since < Duration::minutes(1) {
        format!("behind since {on}")
    } else {
        format!("behind for {least}{behind} (since {on})")
    };
    format!("{least}{releases}, {since}; the current one is {current}{}", pointer_held(facts))
}

/// The advice to pin the base while the moving tag points at a held release.
fn pointer_held(facts: &ReasonContext<'_>) -> String {
    let hold = facts.resolution.current.as_ref().and_then(|current| current.hold.as_deref());
    let line = facts.resolution.line.as_ref().map(|(line, _)| line);
    let (Some(ReleaseHold { reason, until, .. }), Some(line)) = (hold, line) else { return String::new() };
    format!("; pin it, because {line} points at a release that is held until {until} ({reason})")
}

fn name(current: &CurrentImage) -> String {
    match &current.release {
        Some(release) => release.to_string(),
        None => format!("{}:{}", current.digest.algorithm(), current.digest.short()),
    }
}

/// Whole days in words; hours below one day, minutes below one hour.
fn days(span: Duration) -> String {
    let counted = [(span.num_days(), "day"), (span.num_hours(), "hour"), (span.num_minutes(), "minute")];
    let (count, unit) = counted.into_iter().find(|(count, _)| *count > 0).unwrap_or((0, "minute"));
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
