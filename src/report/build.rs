//! How the stages' answers become the report's fields.

use std::{cmp::Ordering, collections::BTreeMap};

use chrono::{DateTime, Utc};

use super::{
    BaseInUse, BaseLink, Behind, CurrentRelease, DeploymentFields, ErrorAbout, ErrorEntry, Finding, ImageFields,
    LineFields, Note, NoteCode, PolicyFields, ReasonFields, Report, RuntimeFields, SCHEMA, SearchBudget, Summary,
    known::Coverage,
};
use crate::{
    identify::IdentifiedBase,
    image::{AccountId, ErrorCode, MESSAGE_BYTES, Repository, clip},
    inventory::{Deployment, Extent, Gap, Holding, ImageSource},
    judge::{Action, ChainLink, Judgement, Policy, Runtime, RuntimeStatus, Standing, Subject, Verdict},
    resolve::Resolution,
};

/// What policy overrides are matched against, owned.
#[derive(Clone, Debug)]
pub struct Subjects {
    deployment: String,
    repository: String,
    account: Option<AccountId>,
    owner: Option<String>,
    base: Option<String>,
}

impl Subjects {
    /// The names of `deployment` and of its base.
    #[must_use]
    pub fn of(deployment: &Deployment, base: Option<&IdentifiedBase>, resolution: Option<&Resolution>) -> Self {
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

    /// The names, for `judge`.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            deployment: &self.deployment,
            repository: &self.repository,
            account: self.account.as_deref(),
            owner: self.owner.as_deref(),
            base: self.base.as_deref(),
        }
    }
}

impl Finding {
    /// The finding of one deployment, whose image has the bases of `chain`.
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
            deployment: DeploymentFields::of(deployment),
            image: ImageFields::of(deployment, now),
            base: base
                .map(|link| BaseInUse { chain: BaseLink::all(deployment, chain, now), ..BaseInUse::of(link, now) }),
            current: resolution.and_then(CurrentRelease::of),
            behind: base.and_then(|link| Behind::of(link, now)),
            replacement: None,
            runtime: judgement.runtime.as_ref().map(|(runtime, status)| RuntimeFields::of(runtime, *status)),
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

    /// Whether a run fails for it that fails from `threshold` on.
    ///
    /// What is exempted fails none. Where nothing can be done, as on a line that is quiet, it counts no more than
    /// `unknown`, which is of the same severity: no one could make such a run succeed. Where the deployed image was
    /// deleted, it counts as `out-of-date` at least: its base is mostly unknown then, and the loss is certain.
    #[must_use]
    pub fn fails(&self, threshold: Verdict) -> bool {
        let counted = match self.action {
            Action::None if self.verdict.is_at_least(Verdict::Unknown) => Verdict::Unknown,
            Action::Restore if !self.verdict.is_at_least(Verdict::OutOfDate) => Verdict::OutOfDate,
            _ => self.verdict,
        };
        self.exemption.is_none() && counted.is_at_least(threshold)
    }

    /// Whether there is nothing to say of it: the base is current and nothing is to be done. What runs on a current
    /// base may still be a deleted image, or a function that cannot be invoked.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
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
    fn of(deployment: &Deployment) -> Self {
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

/// The command in so many bytes, with `…` for the rest: scripts of any length are passed that way.
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
    fn of(deployment: &Deployment, now: DateTime<Utc>) -> Self {
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
                Holding::Unknown => None,
                Holding::Held => Some("held".to_owned()),
                Holding::Archived => Some("archived".to_owned()),
                Holding::Gone => Some("gone".to_owned()),
            },
        }
    }
}

impl BaseInUse {
    fn of(link: &ChainLink<'_>, now: DateTime<Utc>) -> Self {
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
    /// The bases below the first of `chain`.
    fn all(deployment: &Deployment, chain: &[ChainLink<'_>], now: DateTime<Utc>) -> Vec<Self> {
        let Ok(image) = &deployment.image else { return Vec::new() };
        let below = chain.windows(2).map(|pair| {
            let (outer, link) = (&pair[0], &pair[1]);
            Self {
                base: BaseInUse::of(link, now),
                current: CurrentRelease::of(link.resolution),
                behind: Behind::of(link, now),
                verdict: link.judgement.verdict,
                adopted: link.is_adopted_by(outer.resolution, &image.facts),
            }
        });
        below.collect()
    }
}

impl RuntimeFields {
    /// The fields of `runtime`.
    #[must_use]
    pub fn of(runtime: &Runtime, status: RuntimeStatus) -> Self {
        Self {
            name: runtime.name.clone(),
            status: status.as_str().to_owned(),
            deprecation_date: runtime.deprecation_date,
            block_update_date: runtime.block_update_date,
        }
    }
}

impl CurrentRelease {
    pub(super) fn of(resolution: &Resolution) -> Option<Self> {
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
    fn of(ChainLink { resolution, judgement, .. }: &ChainLink<'_>, now: DateTime<Utc>) -> Option<Self> {
        Self::of_judged(resolution, judgement, now)
    }

    pub(super) fn of_judged(resolution: &Resolution, judgement: &Judgement, now: DateTime<Utc>) -> Option<Self> {
        let newer = resolution.newer;
        let is_behind = match judgement.standing {
            Standing::Behind => true,
            // Of a base whose digest was not recorded, layers prove what is in it, not that it was published twice.
            Standing::SameContent => resolution.base.digest.is_some(),
            Standing::Current | Standing::Ahead | Standing::Held | Standing::Unknown => false,
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

impl From<Gap> for ErrorEntry {
    fn from(gap: Gap) -> Self {
        let Extent { kind, account, region, repository } = gap.extent;
        let (about, code) = (ErrorAbout::Inventory, gap.code.to_string());
        let message = clip(gap.message, MESSAGE_BYTES);
        Self { about, scope: gap.scope, kind, account, region, repository, code, message }
    }
}

impl ErrorEntry {
    /// One entry for each registry and sort of failure, however many bases it kept from being resolved.
    pub fn of_resolutions<'a>(resolutions: impl Iterator<Item = (&'a Repository, &'a Resolution)>) -> Vec<Self> {
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

/// What a run adds to what its audit found.
#[derive(Clone, Debug)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The instant that counted as now.
    pub now: DateTime<Utc>,
    /// Requests by service and kind.
    pub requests: BTreeMap<String, BTreeMap<String, u64>>,
    /// How much of its budget the search for unrecorded bases has used; none if no search was necessary or
    /// allowed.
    pub search: Option<SearchBudget>,
    /// How registries were authenticated to.
    pub authentication: BTreeMap<String, String>,
    /// Registries that were read through a pull-through cache, each with the cache.
    pub caches: BTreeMap<String, String>,
    /// What is to be known about base repositories, release catalogs and exemptions.
    pub notes: Vec<Note>,
    /// The least verdict that the run fails for; none if it never does.
    pub fail_on: Option<Verdict>,
    /// The labels that were looked for.
    pub labels: Vec<String>,
}

impl Note {
    /// That the releases of the base repository `place`, or of those that match it, could not all be read by ECR's API.
    #[must_use]
    pub fn of_unread_base(place: &str, why: &str) -> Self {
        let effect =
            "only what its moving tags carry is compared with images, and it is not known when ECR received it";
        Self::new(NoteCode::BaseReleasesUnread, format!("{place}: {why}; {effect}"))
    }

    /// ECR asks the upstream for a tag at most once a day
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-working.html>).
    fn of_cache(host: &str, cache: &str) -> Self {
        Self::new(
            NoteCode::PullThroughCache,
            format!(
                "{host} was read through {cache}: its tags may lag behind, in ECR by up to 24 hours, and it lists only what was pulled through it"
            ),
        )
    }
}

impl Report {
    /// The report of a run.
    #[must_use]
    pub fn new(findings: Vec<Finding>, errors: Vec<ErrorEntry>, complete: bool, policy: &Policy, run: Run) -> Self {
        let most_unknown = Coverage::new(&findings).note(policy.min_known, &run.labels);
        let caches = run.caches.iter().map(|(host, cache)| Note::of_cache(host, cache));
        let notes = most_unknown.into_iter().chain(caches).chain(run.notes).collect();
        let mut report = Self {
            schema: SCHEMA.to_owned(),
            run_id: run.id,
            generated_at: run.now,
            complete,
            policy: PolicyFields {
                max_age_days: policy.terms.max_age.num_days(),
                grace_days: policy.terms.grace.num_days(),
            },
            summary: Summary::of(&findings),
            lines: Vec::new(),
            findings,
            errors,
            requests: run.requests.iter().map(|(service, kinds)| (service.clone(), kinds.values().sum())).collect(),
            requests_by_kind: run.requests,
            search: run.search,
            authentication: run.authentication,
            notes,
        };
        report.summary.exit_reason = Some(report.exit_reason(run.fail_on));
        report
    }

    /// The same with the lines that its findings stand on.
    #[must_use]
    pub fn with_lines(self, lines: Vec<LineFields>) -> Self {
        Self { lines, ..self }
    }
}
