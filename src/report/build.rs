//! Conversion of audit results to report fields.

use std::{cmp::Ordering, collections::BTreeMap};

use chrono::{DateTime, Utc};

use super::{
    BaseInUse, BaseLink, Behind, CurrentRelease, DeploymentFields, ErrorAbout, ErrorEntry, Finding, ImageFields,
    LineFields, Note, NoteCode, PolicyFields, ReasonFields, Report, RuntimeFields, SCHEMA, SearchBudget, Summary,
    coverage::Coverage,
};
use crate::{
    identify::IdentifiedBase,
    image::{AccountId, ErrorCode, MESSAGE_BYTES, Repository, clip},
    inventory::{AffectedScope, CollectionError, Deployment, ImageAvailability, ImageSource},
    judge::{Action, ChainLink, Judgement, LinePosition, Policy, PolicySubject, Verdict},
    resolve::Resolution,
};

/// The names that policy rules match against, owned.
#[derive(Clone, Debug)]
pub struct SubjectNames {
    deployment: String,
    repository: String,
    account: Option<AccountId>,
    owner: Option<String>,
    base: Option<String>,
}

impl SubjectNames {
    /// The names of `deployment` and its base.
    #[must_use]
    pub fn new(deployment: &Deployment, base: Option<&IdentifiedBase>, resolution: Option<&Resolution>) -> Self {
        let line = resolution.and_then(|resolution| resolution.line.as_ref()).map(|(line, _)| line.to_string());
        let repository = || base.map(|identified| identified.base.repository.to_string());
        Self {
            deployment: deployment.name.clone(),
            repository: deployment.repository().map_or_else(String::new, |repository| repository.name.to_string()),
            account: deployment.account.clone(),
            owner: deployment.owner.clone(),
            base: line.or_else(repository),
        }
    }

    /// The names, borrowed for `judge`.
    #[must_use]
    pub fn subject(&self) -> PolicySubject<'_> {
        PolicySubject {
            deployment: &self.deployment,
            repository: &self.repository,
            account: self.account.as_deref(),
            owner: self.owner.as_deref(),
            base: self.base.as_deref(),
        }
    }
}

impl Finding {
    /// The finding of a deployment, with the bases of `chain`.
    #[must_use]
    pub fn new(deployment: &Deployment, chain: &[ChainLink<'_>], judgement: Judgement, now: DateTime<Utc>) -> Self {
        let base = chain.first();
        let resolution = base.map(|link| link.resolution);
        let reason = |reason: crate::judge::Reason| ReasonFields {
            code: reason.code.as_str().to_owned(),
            message: reason.message,
        };
        Self {
            id: deployment.id.clone(),
            deployment: DeploymentFields::new(deployment),
            image: ImageFields::new(deployment, now),
            base: base
                .map(|link| BaseInUse { chain: BaseLink::all(deployment, chain, now), ..BaseInUse::new(link, now) }),
            current: resolution.and_then(CurrentRelease::from_resolution),
            behind: base.and_then(|link| Behind::from_link(link, now)),
            replacement: None,
            runtime: judgement.runtime.as_ref().map(RuntimeFields::new),
            verdict: judgement.verdict,
            stale: judgement.is_stale,
            out_of_date: judgement.is_out_of_date,
            deprecated: judgement.is_deprecated,
            severity: judgement.severity,
            action: judgement.action,
            reasons: judgement.reasons.into_iter().map(reason).collect(),
            subjects: None,
            policy_rule: judgement.rule,
            exemption: None,
        }
    }

    /// Whether the finding fails a run with `--fail-on` set to `threshold`.
    ///
    /// Exempted findings never do. A finding without a possible action counts at most as `unknown`, because no one
    /// could make the run succeed. A finding on a deleted image counts at least as `out-of-date`, even if its base is
    /// unknown.
    #[must_use]
    pub fn fails(&self, threshold: Verdict) -> bool {
        let counted = match self.action {
            Action::None if self.verdict.is_at_least(Verdict::Unknown) => Verdict::Unknown,
            Action::Restore if !self.verdict.is_at_least(Verdict::OutOfDate) => Verdict::OutOfDate,
            _ => self.verdict,
        };
        self.exemption.is_none() && counted.is_at_least(threshold)
    }

    /// Whether the base is current and no action is required. A deployment on a current base may still require an
    /// action, for example if its image was deleted.
    #[must_use]
    pub fn needs_no_action(&self) -> bool {
        self.verdict == Verdict::Fresh && self.action == Action::None
    }

    /// Orders by severity, then verdict, then age, then name.
    #[must_use]
    pub fn worst_first(&self, other: &Self) -> Ordering {
        let age = |finding: &Self| finding.base.as_ref().and_then(|base| base.age_days);
        let rank = |finding: &Self| (finding.severity, finding.verdict.rank(), age(finding));
        rank(other).cmp(&rank(self)).then_with(|| self.id.cmp(&other.id))
    }
}

impl DeploymentFields {
    fn new(deployment: &Deployment) -> Self {
        let workload = deployment.workload.as_deref().cloned().unwrap_or_default();
        Self {
            kind: deployment.kind,
            name: deployment.name.clone(),
            qualifier: deployment.qualifier.clone(),
            version: workload.version,
            arn: deployment.arn.clone(),
            account: deployment.account.clone(),
            region: deployment.region.clone(),
            owner: deployment.owner.clone(),
            state: workload.state,
            state_reason_code: workload.state_reason_code,
            state_reason: workload.state_reason.map(|reason| clip(reason, MESSAGE_BYTES)),
            last_update_status: workload.last_update_status,
            last_update_status_reason_code: workload.last_update_status_reason_code,
            last_update_status_reason: workload.last_update_status_reason.map(|reason| clip(reason, MESSAGE_BYTES)),
            architecture: workload.architecture,
            memory_mb: workload.memory_mb,
            command: command(workload.command),
        }
    }
}

/// The command, truncated to [`MESSAGE_BYTES`] with `…`. It may contain a long script.
fn command(words: Vec<String>) -> Vec<String> {
    let mut left = MESSAGE_BYTES;
    let mut shown = Vec::new();
    for word in words {
        if left == 0 {
            shown.push("…".to_owned());
            break;
        }
        let word = clip(word, left);
        left = left.saturating_sub(word.len() + 1);
        shown.push(word);
    }
    shown
}

impl ImageFields {
    fn new(deployment: &Deployment, now: DateTime<Utc>) -> Self {
        let (digest, platform, created_at) = match &deployment.image {
            Ok(image) => (Some(image.digest.clone()), Some(image.facts.platform.clone()), image.facts.created_at),
            Err(unreadable) => (unreadable.digest.clone(), unreadable.platform.clone(), None),
        };
        Self {
            reference: match &deployment.reference {
                ImageSource::Reference(reference) => reference.clone().into(),
                other => other.to_string().into(),
            },
            digest,
            platform,
            created_at: created_at.filter(|at| crate::image::is_plausible(*at, now)),
            pushed_at: deployment.pushed_at,
            holding: match deployment.holding {
                ImageAvailability::Unknown => None,
                ImageAvailability::Held => Some("held".to_owned()),
                ImageAvailability::Archived => Some("archived".to_owned()),
                ImageAvailability::Gone => Some("gone".to_owned()),
            },
        }
    }
}

impl BaseInUse {
    fn new(link: &ChainLink<'_>, now: DateTime<Utc>) -> Self {
        let IdentifiedBase { base: recorded, evidence, confidence, equal_releases, .. } = link.base;
        let resolution = link.resolution;
        let base = &resolution.base;
        Self {
            reference: recorded.reference().into(),
            mirror: recorded.mirror.as_ref().map(ToString::to_string),
            digest: base.digest.clone(),
            digest_kind: base.kind,
            identified_by: evidence.kind.as_str().to_owned(),
            evidence: evidence.key.clone(),
            confidence: Some(confidence.as_str().to_owned()),
            equal_releases: equal_releases.iter().map(ToString::to_string).collect(),
            line: resolution.line.as_ref().map(|(line, _)| line.to_string()),
            line_source: resolution.line.as_ref().map(|(_, source)| source.as_str().to_owned()),
            release: base.release.as_ref().map(ToString::to_string),
            published_at: base.published.map(|published| published.at),
            published_source: base.published.map(|published| published.source),
            estimated: base.published.is_some_and(|published| published.is_estimated),
            age_days: base.published.map(|published| (now - published.at).num_days().max(0)),
            chain: Vec::new(),
        }
    }
}

impl BaseLink {
    /// The bases after the first of `chain`.
    fn all(deployment: &Deployment, chain: &[ChainLink<'_>], now: DateTime<Utc>) -> Vec<Self> {
        let Ok(image) = &deployment.image else { return Vec::new() };
        let below = chain.windows(2).map(|pair| {
            let (outer, link) = (&pair[0], &pair[1]);
            Self {
                base: BaseInUse::new(link, now),
                current: CurrentRelease::from_resolution(link.resolution),
                behind: Behind::from_link(link, now),
                verdict: link.judgement.verdict,
                adopted: link.is_adopted_by(outer.resolution, &image.facts),
            }
        });
        below.collect()
    }
}

impl CurrentRelease {
    pub(super) fn from_resolution(resolution: &Resolution) -> Option<Self> {
        let (line, _) = resolution.line.as_ref()?;
        let current = resolution.current.as_ref()?;
        Some(Self {
            reference: line.to_string().into(),
            pinned: current.hold.as_ref().map(|_| current.pinned(line).into()),
            digest: current.digest.clone(),
            platform_digest: current.platform_digest.clone(),
            release: current.release.as_ref().map(ToString::to_string),
            published_at: current.published.map(|published| published.at),
            published_source: current.published.map(|published| published.source),
            estimated: current.published.is_some_and(|published| published.is_estimated),
        })
    }
}

impl Behind {
    fn from_link(ChainLink { resolution, judgement, .. }: &ChainLink<'_>, now: DateTime<Utc>) -> Option<Self> {
        Self::from_judgement(resolution, judgement, now)
    }

    pub(super) fn from_judgement(resolution: &Resolution, judgement: &Judgement, now: DateTime<Utc>) -> Option<Self> {
        let newer = resolution.later_releases;
        let is_behind = match judgement.line_position {
            LinePosition::Behind => true,
            // Without a recorded digest, equal layers do not prove that the base was published twice.
            LinePosition::SameContent => resolution.base.digest.is_some(),
            LinePosition::Current | LinePosition::Ahead | LinePosition::Held | LinePosition::Unknown => false,
        };
        is_behind.then_some(Self {
            since: newer.since,
            days: newer.since.map(|since| (now - since).num_days().max(0)),
            releases: newer.count,
            exact: newer.is_exact,
            content_changed: judgement.content_changed,
        })
    }
}

impl From<CollectionError> for ErrorEntry {
    fn from(error: CollectionError) -> Self {
        let AffectedScope { kind, account, region, repository } = error.affected;
        let (about, code) = (ErrorAbout::Inventory, error.code.to_string());
        let message = clip(error.message, MESSAGE_BYTES);
        Self { about, scope: error.scope, kind, account, region, repository, code, message }
    }
}

impl ErrorEntry {
    /// One entry per registry and failure code, regardless of the number of affected bases.
    pub fn from_resolutions<'a>(resolutions: impl Iterator<Item = (&'a Repository, &'a Resolution)>) -> Vec<Self> {
        let mut entries: BTreeMap<(String, ErrorCode), (usize, &str)> = BTreeMap::new();
        for (repository, resolution) in resolutions {
            for problem in &resolution.problems {
                let Some(code) = problem.failure else { continue };
                let scope = format!("registry {}", repository.registry);
                entries.entry((scope, code)).or_insert((0, &problem.message)).0 += 1;
            }
        }
        entries
            .into_iter()
            .map(|((scope, code), (count, message))| {
                let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
                let message = format!("{message}{more}");
                Self { about: ErrorAbout::Line, scope, code: code.to_string(), message, ..Self::default() }
            })
            .collect()
    }
}

/// The metadata of a run.
#[derive(Clone, Debug)]
pub struct RunMetadata {
    /// The ID of the run.
    pub id: String,
    /// The time that the findings are judged by.
    pub now: DateTime<Utc>,
    /// The numbers of requests by service and kind.
    pub requests: BTreeMap<String, BTreeMap<String, u64>>,
    /// The used budget of the search for unrecorded bases, if there was one.
    pub search: Option<SearchBudget>,
    /// The authentication method of each registry.
    pub authentication: BTreeMap<String, String>,
    /// The pull-through cache of each registry that was read through one.
    pub caches: BTreeMap<String, String>,
    /// Notes about base repositories, release catalogs, exemptions and holds.
    pub notes: Vec<Note>,
    /// The least severe verdict that fails the run; `None` for never.
    pub fail_on: Option<Verdict>,
    /// The configured base labels.
    pub labels: Vec<String>,
}

impl Note {
    /// A note that the releases of the base repositories `place` could not be read completely through the ECR API.
    #[must_use]
    pub fn unread_base(repositories: &str, why: &str) -> Self {
        let effect = "only the current images of its moving tags are compared, and their push dates are unknown";
        Self::new(NoteCode::BaseReleasesUnread, format!("{repositories}: {why}; {effect}"))
    }

    /// A note about a pull-through cache. ECR checks the upstream tag at most once a day
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-working.html>).
    fn pull_through_cache(host: &str, cache: &str) -> Self {
        Self::new(
            NoteCode::PullThroughCache,
            format!(
                "{host} was read through {cache}: tags may be outdated, in ECR by up to 24 hours, and only images pulled through the cache are listed"
            ),
        )
    }
}

impl Report {
    /// The report of a run.
    #[must_use]
    pub fn new(
        findings: Vec<Finding>,
        errors: Vec<ErrorEntry>,
        complete: bool,
        policy: &Policy,
        run: RunMetadata,
    ) -> Self {
        let most_unknown = Coverage::new(&findings).note(policy.min_known, &run.labels);
        let caches = run.caches.iter().map(|(host, cache)| Note::pull_through_cache(host, cache));
        let mut report = Self {
            schema: SCHEMA.to_owned(),
            run_id: run.id,
            generated_at: run.now,
            complete,
            policy: PolicyFields {
                max_age_days: policy.thresholds.max_age.num_days(),
                grace_days: policy.thresholds.grace.num_days(),
            },
            summary: Summary::new(&findings),
            lines: Vec::new(),
            findings,
            parts: Vec::new(),
            errors,
            requests: run.requests.iter().map(|(service, kinds)| (service.clone(), kinds.values().sum())).collect(),
            requests_by_kind: run.requests,
            search: run.search,
            authentication: run.authentication,
            notes: most_unknown.into_iter().chain(caches).chain(run.notes).collect(),
        };
        report.summary.exit_reason = Some(report.exit_reason(run.fail_on));
        report
    }

    /// Adds the lines in use.
    #[must_use]
    pub fn with_lines(self, lines: Vec<LineFields>) -> Self {
        Self { lines, ..self }
    }
}
