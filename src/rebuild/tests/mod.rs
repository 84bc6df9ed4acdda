//! Reports and ledgers to plan with, and the tests that need them.

mod calls;
mod company_base;
mod law;
mod notices;
mod plan;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ConcludedRebuild, Rebuild, RebuildConclusion, RebuildPlan, RebuildPreset, RebuildRequest, RebuildRule,
    RebuildSettings, plan as plan_rebuilds, presets,
};
use crate::{
    image::Digest,
    inventory::DeploymentKind,
    judge::{Action, Severity, Verdict},
    outbox::{DeliveryReceipt, DeliveryState},
    report::{
        BaseInUse, Behind, CurrentRelease, DeploymentFields, ErrorAbout, ErrorEntry, Finding, ImageFields,
        PolicyFields, ReplacementFields, Report, SCHEMA, Summary,
    },
    secret::{Secret, SecretSource},
    webhook::SignatureScheme,
};

pub(super) const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

pub(super) fn at(hours: i64) -> DateTime<Utc> {
    "2026-11-20T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
}

/// The name of the release that was published in hour `number`.
pub(super) fn release(number: u32) -> String {
    format!("21.2026.11.{number:02}.13")
}

pub(super) fn digest(number: u32) -> Digest {
    Digest::sha256(release(number).as_bytes())
}

fn base(number: u32) -> BaseInUse {
    BaseInUse {
        reference: format!("public.ecr.aws/lambda/java@{}", digest(number)).into(),
        mirror: None,
        digest: Some(digest(number)),
        digest_kind: None,
        identified_by: "label".to_owned(),
        evidence: "sdkBaseVersion".to_owned(),
        confidence: Some("confirmed".to_owned()),
        equal_releases: Vec::new(),
        line: Some("public.ecr.aws/lambda/java:21".to_owned()),
        line_source: None,
        release: Some(release(number)),
        published_at: None,
        published_source: None,
        estimated: false,
        age_days: None,
        chain: Vec::new(),
    }
}

/// The function `name`, whose image is from `repository` and built on release `base` of lambda/java:21, of which
/// `current` is the current one.
pub(super) fn function(repository: &str, name: &str, base_number: u32, current: u32) -> Finding {
    let is_behind = base_number < current;
    Finding {
        exemption: None,
        id: format!("lambda:eu-west-1:123456789012:{name}"),
        deployment: DeploymentFields {
            kind: DeploymentKind::Lambda,
            name: name.to_owned(),
            qualifier: Some("live".to_owned()),
            version: None,
            arn: None,
            account: "123456789012".parse().ok(),
            region: "eu-west-1".parse().ok(),
            owner: Some("payments".to_owned()),
            state: None,
            state_reason_code: None,
            state_reason: None,
            last_update_status: None,
            last_update_status_reason_code: None,
            last_update_status_reason: None,
            architecture: None,
            memory_mb: None,
            command: Vec::new(),
        },
        image: ImageFields {
            reference: format!("{REGISTRY}/{repository}:{base_number}").into(),
            digest: Some(Digest::sha256(format!("{repository}{base_number}").as_bytes())),
            platform: "linux/arm64".parse().ok(),
            created_at: None,
            pushed_at: Some(at(i64::from(base_number))),
            holding: None,
        },
        base: Some(base(base_number)),
        current: Some(current_release(current)),
        behind: is_behind.then_some(Behind {
            since: None,
            days: Some(60),
            releases: None,
            exact: true,
            content_changed: Some(true),
        }),
        replacement: None,
        runtime: None,
        verdict: if is_behind { Verdict::Stale } else { Verdict::Fresh },
        stale: is_behind,
        out_of_date: is_behind,
        deprecated: false,
        severity: if is_behind { Severity::High } else { Severity::None },
        action: if is_behind { Action::Rebuild } else { Action::None },
        reasons: Vec::new(),
        subjects: None,
        policy_rule: None,
    }
}

/// Release `number` as the current one of its line.
fn current_release(number: u32) -> CurrentRelease {
    CurrentRelease {
        reference: "public.ecr.aws/lambda/java:21".into(),
        pinned: None,
        digest: digest(number),
        platform_digest: None,
        release: Some(release(number)),
        published_at: None,
        published_source: None,
        estimated: false,
    }
}

/// The same with an image on release `base` in the repository, which is not deployed.
pub(super) fn with_replacement(finding: Finding, repository: &str, base: u32) -> Finding {
    let replacement = ReplacementFields {
        reference: format!("{REGISTRY}/{repository}:{base}").into(),
        digest: Digest::sha256(format!("{repository}{base}").as_bytes()),
        pushed_at: None,
        base_release: Some(release(base)),
        verdict: Verdict::Fresh,
    };
    Finding { replacement: Some(replacement), action: Action::Redeploy, ..finding }
}

/// The same with an unknown verdict.
pub(super) fn unknown(finding: Finding) -> Finding {
    Finding {
        exemption: None,
        base: None,
        current: None,
        behind: None,
        verdict: Verdict::Unknown,
        severity: Severity::Low,
        action: Action::Investigate,
        ..finding
    }
}

/// The same as a tag in a repository that is not deployed.
pub(super) fn tag(finding: Finding) -> Finding {
    let deployment = DeploymentFields { kind: DeploymentKind::Ecr, qualifier: None, ..finding.deployment };
    Finding { deployment, ..finding }
}

pub(super) fn report(findings: Vec<Finding>) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        run_id: "run".to_owned(),
        generated_at: at(0),
        complete: true,
        policy: PolicyFields { max_age_days: 45, grace_days: 14 },
        summary: Summary::new(&findings),
        findings,
        parts: Vec::new(),
        lines: Vec::new(),
        errors: Vec::new(),
        notes: Vec::new(),
        requests: BTreeMap::new(),
        requests_by_kind: BTreeMap::new(),
        search: None,
        authentication: BTreeMap::new(),
    }
}

pub(super) fn incomplete(findings: Vec<Finding>) -> Report {
    // The error names no scope: anything may be missing.
    Report { complete: false, errors: vec![ErrorEntry::default()], ..report(findings) }
}

pub(super) fn rule(preset: RebuildPreset) -> RebuildRule {
    let url = match preset {
        RebuildPreset::GitHubRepositoryDispatch => "https://api.github.com/repos/acme/orders/dispatches",
        RebuildPreset::GitHubWorkflowDispatch => {
            "https://api.github.com/repos/acme/orders/actions/workflows/r.yml/dispatches"
        }
        RebuildPreset::GitLab => "https://gitlab.com/api/v4/projects/42/trigger/pipeline",
        RebuildPreset::TeamCity => "https://teamcity.example.com/app/rest/buildQueue",
        RebuildPreset::CloudEvents => "https://hooks.example.com/rebuild",
    };
    let has_ref = matches!(preset, RebuildPreset::GitHubWorkflowDispatch | RebuildPreset::GitLab);
    RebuildRule {
        name: "github".to_owned(),
        repositories: vec!["*".parse().unwrap()],
        preset,
        url: Secret::new(url.to_owned()),
        secret: Some(SecretSource::Here(Secret::new("s3cret".to_owned()))),
        signature: SignatureScheme::default(),
        git_ref: has_ref.then(|| "main".to_owned()),
        build_type: (preset == RebuildPreset::TeamCity).then(|| "Shop_Orders".to_owned()),
        inputs: BTreeMap::new(),
        template: None,
    }
}

pub(super) fn settings() -> RebuildSettings {
    RebuildSettings { rules: vec![rule(RebuildPreset::GitHubRepositoryDispatch)], ..RebuildSettings::default() }
}

/// A rebuild of `repository` that is due since `at`.
pub(super) fn rebuild(repository: &str, at: DateTime<Utc>) -> Rebuild {
    let request = RebuildRequest { repository: repository.to_owned(), ..presets::sample() };
    Rebuild {
        request,
        rule: "github".to_owned(),
        delivery: DeliveryState::new(at),
        sent_at: None,
        message_id: None,
        notified_at: None,
        outcome: None,
        ended_at: None,
        new_image: None,
    }
}

/// A ledger over several runs.
pub(super) struct Runs {
    pub(super) known: BTreeMap<String, Rebuild>,
    pub(super) settings: RebuildSettings,
}

impl Runs {
    pub(super) fn new() -> Self {
        Self { known: BTreeMap::new(), settings: settings() }
    }

    /// A run `hours` after the first, before any request.
    pub(super) fn plan(&mut self, hours: i64, report: &Report) -> RebuildPlan {
        plan_rebuilds(report, &mut self.known, &self.settings, &format!("run-{hours}"), at(hours))
    }

    /// A run in which every request is accepted.
    pub(super) fn run(&mut self, hours: i64, report: &Report) -> RebuildPlan {
        let planned = self.plan(hours, report);
        for key in &planned.due {
            self.known.get_mut(key).unwrap().record(at(hours), &Ok(DeliveryReceipt::default()));
        }
        planned
    }

    /// The requested releases of all rebuilds, in the order in which they were due.
    pub(super) fn targets(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.known.values().collect();
        all.sort_by_key(|rebuild| (rebuild.delivery.due_at, rebuild.request.repository.clone()));
        all.into_iter().filter_map(|rebuild| rebuild.request.base_release.as_deref()).collect()
    }
}

pub(super) fn outcomes(followed: &[ConcludedRebuild]) -> Vec<RebuildConclusion> {
    followed.iter().map(|followed| followed.outcome).collect()
}
