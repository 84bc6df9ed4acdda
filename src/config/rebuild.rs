//! `[[rebuild]]` and `[rebuilds]`: who is asked to build images again, and how often.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::Check,
    notify::{RawSignature, name},
    policy::RawSeverity,
    secret::{RawSecretSource, source},
    tree::KeyPath,
    values::{DurationText, webhook_url},
};
use crate::{
    glob::Glob,
    judge::Severity,
    rebuild::{Preset, Rule, Settings, presets},
    webhook::Signature,
};

/// How often rebuilds are asked for, and when they count as failed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRebuilds {
    /// The least severity of a finding whose image is rebuilt.
    #[schemars(extend("default" = "medium"))]
    threshold: Option<RawSeverity>,
    /// How many rebuilds one run asks for; the others wait for the next.
    #[schemars(range(min = 1, max = 1000), extend("default" = 10))]
    max_per_run: Option<i64>,
    /// How long after a rebuild was asked for a new image has to be there.
    #[schemars(extend("default" = "24h"))]
    deadline: Option<DurationText>,
    /// How many rebuilds of one repository may bring nothing in a row before there is a pause.
    #[schemars(range(min = 1, max = 100), extend("default" = 3))]
    max_failures: Option<i64>,
    /// How long that pause is.
    #[schemars(extend("default" = "7d"))]
    pause: Option<DurationText>,
}

/// Who is asked to rebuild some repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRebuild {
    /// What the ledger calls it; without it, by its first repository.
    #[schemars(example = &"orders on GitHub")]
    name: Option<String>,
    /// Patterns of the ECR repositories whose images this rebuilds, without their registries. The first table that
    /// matches is asked.
    #[schemars(required, example = ["orders", "team-a/*"])]
    repositories: Option<Vec<String>>,
    /// Whom the call is for.
    #[schemars(required)]
    preset: Option<RawPreset>,
    /// Where it goes. It is never shown.
    #[schemars(required, example = &"https://api.github.com/repos/acme/orders/dispatches")]
    url: Option<String>,
    /// What proves that it may be made: the token of GitHub, GitLab or TeamCity, or what a CloudEvent is signed with.
    secret: Option<RawSecretSource>,
    /// How a CloudEvent is signed.
    #[schemars(extend("default" = "standard-webhooks"))]
    signature: Option<RawSignature>,
    /// The branch or tag that is built, for `github-workflow-dispatch`, `gitlab` and `teamcity`.
    #[schemars(example = &"main")]
    r#ref: Option<String>,
    /// The build configuration of TeamCity.
    #[schemars(example = &"Acme_Orders_Build")]
    build_type: Option<String>,
    /// Inputs (GitHub), variables (GitLab) or properties (TeamCity) of the build: texts with `{{ … }}` for what the
    /// request holds, such as `base`, `base_digest`, `base_release`, `repository`, `line`.
    #[schemars(example = BTreeMap::from([("base", "{{ base }}")]))]
    inputs: Option<BTreeMap<String, String>>,
    /// A body of one's own for `cloudevents`: JSON with `{{ … }}` for what the request holds, each value as JSON.
    template: Option<String>,
}

/// Whom a rebuild call is for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a preset such as \"github-repository-dispatch\"")]
enum RawPreset {
    /// A `repository_dispatch` event of GitHub.
    GithubRepositoryDispatch,
    /// A workflow of GitHub with `workflow_dispatch`.
    GithubWorkflowDispatch,
    /// A pipeline of GitLab, by trigger token.
    Gitlab,
    /// A build of TeamCity.
    Teamcity,
    /// Anything that takes a CloudEvent.
    Cloudevents,
}

pub(super) fn validate(
    general: &RawRebuilds,
    general_at: &KeyPath,
    rules: &[RawRebuild],
    at: &KeyPath,
    check: &mut Check<'_>,
) -> Settings {
    let standard = Settings::default();
    let hour = Duration::from_hours(1);
    let mut span = |key: &str, text: &Option<DurationText>, standard: Duration| {
        check.duration(&general_at.key(key), text.as_ref(), hour).unwrap_or(standard)
    };
    let deadline = span("deadline", &general.deadline, standard.deadline);
    let pause = span("pause", &general.pause, standard.pause);
    let mut valid: Vec<Rule> = Vec::new();
    for (index, raw) in rules.iter().enumerate() {
        let at = at.index(index);
        let Some(rule) = rule(raw, &at, check) else { continue };
        for (key, why) in presets::check(&rule) {
            check.refuse(&at.key(key), why);
        }
        if valid.iter().any(|known| known.name == rule.name) {
            check.refuse(&at, format!("is called {:?} as another table is: give each a name of its own", rule.name));
        }
        valid.push(rule);
    }
    Settings {
        threshold: general.threshold.map_or(standard.threshold, Severity::from),
        max_per_run: general.max_per_run.and_then(|most| most.try_into().ok()).unwrap_or(standard.max_per_run),
        deadline,
        max_failures: general.max_failures.and_then(|most| most.try_into().ok()).unwrap_or(standard.max_failures),
        pause,
        rules: valid,
    }
}

fn rule(raw: &RawRebuild, at: &KeyPath, check: &mut Check<'_>) -> Option<Rule> {
    let texts = raw.repositories.as_deref().unwrap_or_default();
    if raw.repositories.is_some() && texts.is_empty() {
        check.refuse(&at.key("repositories"), "names no repository: write patterns, as in [\"orders\", \"team-a/*\"]");
    }
    let repositories = check.each(&at.key("repositories"), texts, str::parse::<Glob>);
    let url = raw.url.as_ref().and_then(|text| check.accept(&at.key("url"), webhook_url(text)));
    let secret = raw.secret.as_ref().and_then(|raw| source(raw, &at.key("secret"), check));
    let name = match &raw.name {
        Some(text) => check.accept(&at.key("name"), name(text)),
        None => texts.first().cloned(),
    };
    Some(Rule {
        name: name?,
        repositories,
        preset: raw.preset?.into(),
        url: url?.1,
        secret,
        signature: raw.signature.map(Signature::from).unwrap_or_default(),
        git_ref: raw.r#ref.clone(),
        build_type: raw.build_type.clone(),
        inputs: raw.inputs.clone().unwrap_or_default(),
        template: raw.template.clone(),
    })
}

impl From<RawPreset> for Preset {
    fn from(raw: RawPreset) -> Self {
        match raw {
            RawPreset::GithubRepositoryDispatch => Self::GitHubRepositoryDispatch,
            RawPreset::GithubWorkflowDispatch => Self::GitHubWorkflowDispatch,
            RawPreset::Gitlab => Self::GitLab,
            RawPreset::Teamcity => Self::TeamCity,
            RawPreset::Cloudevents => Self::CloudEvents,
        }
    }
}
