//! Judges one deployment by the thresholds of the policy.

use chrono::{DateTime, Duration, Utc};

use super::{
    Action, JudgeInput, Judgement, LinePosition, Policy, PolicySubject, Reason, ReasonCode, RuntimeCalendar,
    RuntimeStatus, RuntimeSupport, Severity, Thresholds, Verdict, identity, reasons,
};
use crate::{
    identify::Identification,
    image::{ImageFacts, LambdaTag},
    inventory::ImageErrorCode,
    resolve::{ProblemKind, Resolution},
};

/// Judges one deployment as of `now`.
///
/// A base that could not be identified or resolved is [`Verdict::Unknown`], never fresh: a registry outage must not
/// turn a dashboard green. A date that is a lower bound of the age can still prove a base stale.
#[must_use]
pub fn judge(input: JudgeInput<'_>, subject: PolicySubject<'_>, policy: &Policy, now: DateTime<Utc>) -> Judgement {
    let (thresholds, rule) = policy.thresholds_for(subject);
    let judgement = match input {
        JudgeInput::Unreadable(unreadable) => unknown(thresholds, reasons::unreadable_reasons(unreadable)),
        JudgeInput::Unidentified(image) => unknown(thresholds, identity::unidentified_reasons(image, now)),
        JudgeInput::Identified { image, identification, resolution } => {
            let runtime = runtime(resolution, &policy.calendar, thresholds, now);
            identified(image, identification, resolution, runtime, thresholds, now)
        }
    };
    Judgement { rule: rule.map(str::to_owned), ..judgement }
}

fn unknown(thresholds: &Thresholds, reasons: Vec<Reason>) -> Judgement {
    Judgement {
        verdict: Verdict::Unknown,
        is_stale: false,
        is_out_of_date: false,
        is_deprecated: false,
        runtime: None,
        severity: severity(thresholds, Verdict::Unknown),
        action: Action::Investigate,
        reasons,
        line_position: LinePosition::Unknown,
        content_changed: None,
        rule: None,
    }
}

fn identified(
    image: &ImageFacts,
    identification: Option<&Identification>,
    resolution: &Resolution,
    runtime: Option<RuntimeSupport>,
    thresholds: &Thresholds,
    now: DateTime<Utc>,
) -> Judgement {
    let status = runtime.as_ref().map_or(RuntimeStatus::Supported, |support| support.status);
    let is_deprecated = matches!(status, RuntimeStatus::Deprecated | RuntimeStatus::Blocked);
    let position = LinePosition::from_resolution(resolution, image);
    let over = |since: Option<DateTime<Utc>>, limit: Duration| since.is_some_and(|since| now - since > limit);
    let is_stale = over(resolution.base.published.map(|published| published.at), thresholds.max_age);
    let is_held = resolution.base.hold.is_some();
    let is_out_of_date =
        is_held || (position == LinePosition::Behind && over(resolution.later_releases.since, thresholds.grace));
    let verdict = match position {
        _ if is_deprecated => Verdict::Deprecated,
        _ if is_stale => Verdict::Stale,
        _ if is_out_of_date => Verdict::OutOfDate,
        LinePosition::Behind | LinePosition::Held => Verdict::Superseded,
        LinePosition::Current | LinePosition::SameContent | LinePosition::Ahead => Verdict::Fresh,
        LinePosition::Unknown => Verdict::Unknown,
    };
    let severity = match verdict {
        Verdict::Stale if position.is_newest() => Severity::Low,
        Verdict::Deprecated if status == RuntimeStatus::Blocked => Severity::Critical,
        verdict => severity(thresholds, verdict),
    };
    let is_itself = identification.is_some_and(Identification::is_itself);
    let action = match position {
        _ if is_deprecated => Action::Upgrade,
        LinePosition::Behind | LinePosition::Held if is_itself => Action::Redeploy,
        LinePosition::Behind | LinePosition::Held => Action::Rebuild,
        // Every known release of the line is held, so a rebuild has no target.
        LinePosition::Unknown if is_held && has_no_other(resolution) => Action::None,
        LinePosition::Unknown => Action::Investigate,
        _ => Action::None,
    };
    let content_changed = match position {
        LinePosition::SameContent => Some(false),
        LinePosition::Behind | LinePosition::Held => content_changed(image, resolution),
        _ => None,
    };
    Judgement {
        verdict,
        is_stale,
        is_out_of_date,
        is_deprecated,
        severity,
        action,
        reasons: reasons::base_reasons(&reasons::ReasonContext {
            identification,
            image,
            resolution,
            thresholds,
            now,
            line_position: position,
            is_stale,
            runtime: runtime.as_ref(),
        }),
        runtime,
        line_position: position,
        content_changed,
        rule: None,
    }
}

/// The runtime of the base in use, taken from its release: `latest` moves across runtimes.
fn runtime(
    resolution: &Resolution,
    calendar: &RuntimeCalendar,
    thresholds: &Thresholds,
    now: DateTime<Utc>,
) -> Option<RuntimeSupport> {
    let (line, _) = resolution.line.as_ref()?;
    let release = resolution.base.release.as_ref();
    let tag = LambdaTag::parse(&line.tag);
    let family = release.or(tag.as_ref()).map_or(line.tag.as_str(), |tag| tag.family.as_str());
    calendar.support(&line.repository, family, now, thresholds.runtime_warning)
}

/// Whether every known release of the line is held.
fn has_no_other(resolution: &Resolution) -> bool {
    resolution.problems.iter().any(|problem| problem.kind == ProblemKind::LineHeld)
}

/// Whether the layers differ. An image with fewer layers than the current release was flattened; its layers prove
/// nothing unless the layers of the base itself are known.
fn content_changed(image: &ImageFacts, resolution: &Resolution) -> Option<bool> {
    let current = resolution.current.as_ref()?.diff_ids.as_ref()?;
    match &resolution.base.diff_ids {
        Some(base) => Some(base != current),
        None => (image.diff_ids.len() >= current.len() && !current.is_empty()).then_some(true),
    }
}

fn severity(thresholds: &Thresholds, verdict: Verdict) -> Severity {
    thresholds.severities.get(&verdict).copied().unwrap_or(Severity::Low)
}

impl From<ProblemKind> for ReasonCode {
    fn from(kind: ProblemKind) -> Self {
        use ProblemKind as Kind;
        match kind {
            Kind::NotAllowed => Self::RegistryNotAllowed,
            Kind::Denied => Self::RegistryDenied,
            Kind::Unreachable => Self::RegistryUnreachable,
            Kind::Throttled => Self::RegistryThrottled,
            Kind::Malformed => Self::RegistryMalformed,
            Kind::ContentMissing => Self::RegistryIncomplete,
            Kind::HistoryUnreadable => Self::HistoryUnreadable,
            Kind::NotCached => Self::NotCached,
            Kind::ReadThroughCache => Self::ReadThroughCache,
            Kind::BaseMissing => Self::BaseMissing,
            Kind::DigestUnrecorded => Self::BaseDigestUnrecorded,
            Kind::TagContradicted => Self::TagHintContradicted,
            Kind::LineUnknown => Self::LineUnknown,
            Kind::LineMissing => Self::LineMissing,
            Kind::PlatformMissing => Self::PlatformMissing,
            Kind::LineHeld => Self::LineHeld,
        }
    }
}

impl From<ImageErrorCode> for ReasonCode {
    fn from(code: ImageErrorCode) -> Self {
        use ImageErrorCode as Code;
        match code {
            Code::DigestUnknown => Self::DigestUnknown,
            Code::ImageArchived => Self::ImageArchived,
            Code::ImageMalformed => Self::ImageMalformed,
            Code::ImageMissing => Self::ImageMissing,
            Code::NotCached => Self::NotCached,
            Code::RegistryDenied => Self::RegistryDenied,
            Code::RegistryIncomplete => Self::RegistryIncomplete,
            Code::RegistryMalformed => Self::RegistryMalformed,
            Code::RegistryNotAllowed => Self::RegistryNotAllowed,
            Code::RegistryThrottled => Self::RegistryThrottled,
            Code::RegistryUnreachable => Self::RegistryUnreachable,
        }
    }
}
