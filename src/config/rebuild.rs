//! `[[rebuild]]` and `[rebuilds]`: services that rebuild images, and when rebuilds are requested.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::ConfigValidator,
    notify::{RawSignature, name},
    policy::RawSeverity,
    secret::{RawSecretSource, RawUrl, source, url},
    tree::KeyPath,
    values::DurationText,
};
use crate::{
    glob::Glob,
    judge::Severity,
    rebuild::{RebuildPreset, RebuildRule, RebuildSettings, presets},
    secret::{Secret, SecretSource},
    webhook::SignatureScheme,
};

/// When rebuilds are requested, and when they count as failed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRebuilds {
    /// Minimum severity of findings whose images are rebuilt.
    #[schemars(extend("default" = "medium"))]
    threshold: Option<RawSeverity>,
    /// Maximum number of rebuilds that one run requests. The next run requests the others.
    #[schemars(range(min = 1, max = 1000), extend("default" = 10))]
    max_per_run: Option<i64>,
    /// How long after the request a new image must have been pushed.
    #[schemars(extend("default" = "24h"))]
    deadline: Option<DurationText>,
}

/// A service that rebuilds the images of some repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRebuild {
    /// Name of the rule. Defaults to the first repository.
    #[schemars(example = &"orders on GitHub")]
    name: Option<String>,
    /// Patterns of ECR repositories, without the registry. The first matching table applies.
    #[schemars(required, example = ["orders", "team-a/*"])]
    repositories: Option<Vec<String>>,
    /// The service and the form of the request.
    #[schemars(required)]
    preset: Option<RawPreset>,
    /// URL of the request, or a reference to a secret that holds it, in a variable or file. Never logged.
    #[schemars(required, example = &"https://api.github.com/repos/acme/orders/dispatches")]
    url: Option<RawUrl>,
    /// Token of GitHub, GitLab or TeamCity, or signing secret of a CloudEvent.
    secret: Option<RawSecretSource>,
    /// How a CloudEvent is authenticated.
    #[schemars(extend("default" = "standard-webhooks"))]
    signature: Option<RawSignature>,
    /// The branch or tag to build, for `github-workflow-dispatch`, `gitlab` and `teamcity`.
    #[schemars(example = &"main")]
    r#ref: Option<String>,
    /// The TeamCity build configuration.
    #[schemars(example = &"Acme_Orders_Build")]
    build_type: Option<String>,
    /// Inputs (GitHub), variables (GitLab) or properties (TeamCity) of the build. `{{ … }}` inserts a field of the
    /// request: `base`, `base_digest`, `base_release`, `repository`, `line`.
    #[schemars(example = BTreeMap::from([("base", "{{ base }}")]))]
    inputs: Option<BTreeMap<String, String>>,
    /// Custom body for `cloudevents`: JSON in which `{{ … }}` inserts a field of the request as JSON.
    template: Option<String>,
}

/// A service that rebuilds images.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "a preset such as \"github-repository-dispatch\"")]
enum RawPreset {
    /// A GitHub `repository_dispatch` event.
    GithubRepositoryDispatch,
    /// A GitHub workflow with a `workflow_dispatch` trigger.
    GithubWorkflowDispatch,
    /// A GitLab pipeline, by trigger token.
    Gitlab,
    /// A TeamCity build.
    Teamcity,
    /// Any service that accepts CloudEvents.
    Cloudevents,
}

pub(super) fn validate(
    general: &RawRebuilds,
    general_at: &KeyPath,
    rules: &[RawRebuild],
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> RebuildSettings {
    let standard = RebuildSettings::default();
    let hour = Duration::from_hours(1);
    let deadline = check.duration(&general_at.key("deadline"), general.deadline.as_ref(), hour);
    let mut valid: Vec<RebuildRule> = Vec::new();
    for (index, raw) in rules.iter().enumerate() {
        let at = at.index(index);
        let Some(rule) = rule(raw, &at, check) else { continue };
        for (key, why) in presets::check(&rule) {
            check.refuse(&at.key(key), why);
        }
        if valid.iter().any(|known| known.name == rule.name) {
            check.refuse(&at, format!("has the same name as another table, {:?}: set a unique name", rule.name));
        }
        valid.push(rule);
    }
    RebuildSettings {
        threshold: general.threshold.map_or(standard.threshold, Severity::from),
        max_per_run: general.max_per_run.and_then(|most| most.try_into().ok()).unwrap_or(standard.max_per_run),
        deadline: deadline.unwrap_or(standard.deadline),
        rules: valid,
        ..standard
    }
}

fn rule(raw: &RawRebuild, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<RebuildRule> {
    let texts = raw.repositories.as_deref().unwrap_or_default();
    if raw.repositories.is_some() && texts.is_empty() {
        check.refuse(&at.key("repositories"), "is empty: write patterns, as in [\"orders\", \"team-a/*\"]");
    }
    let repositories = check.each(&at.key("repositories"), texts, str::parse::<Glob>);
    let url = raw.url.as_ref().and_then(|raw| rule_url(raw, &at.key("url"), check));
    let secret = raw.secret.as_ref().and_then(|raw| source(raw, &at.key("secret"), check));
    let name = match &raw.name {
        Some(text) => check.accept(&at.key("name"), name(text)),
        None => texts.first().cloned(),
    };
    Some(RebuildRule {
        name: name?,
        repositories,
        preset: raw.preset?.into(),
        url: url?,
        secret,
        signature: raw.signature.map(SignatureScheme::from).unwrap_or_default(),
        git_ref: raw.r#ref.clone(),
        build_type: raw.build_type.clone(),
        inputs: raw.inputs.clone().unwrap_or_default(),
        template: raw.template.clone(),
    })
}

/// The URL of a rule, which each preset checks now.
fn rule_url(raw: &RawUrl, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<Secret> {
    match url(raw, at, check)?.url {
        SecretSource::Here(url) => Some(url),
        SecretSource::SecretsManager { .. } => {
            let why = "is read before the first run: write { env = \"NAME\" } or { file = \"PATH\" }";
            check.accept(at, Err(why))
        }
    }
}

impl From<RawPreset> for RebuildPreset {
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
