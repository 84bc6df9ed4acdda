//! Presets: the calls of each kind of build service, and their responses. One file per preset. Sends nothing.

mod cloud_events;
mod endpoint;
mod github_repository_dispatch;
mod github_workflow_dispatch;
mod gitlab;
mod teamcity;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{RebuildPreset, RebuildRequest, RebuildRule};
use crate::{
    secret::Secret,
    webhook::{SignatureScheme, WebhookCall, WebhookResponse, template},
};

/// A problem of a rule: the key, and what is expected.
pub type RuleProblem = (&'static str, String);

/// Maximum length of a stored build id, in bytes.
const MAX_ID_BYTES: usize = 500;

/// The call that sends `request` to the service of `rule` at `at`.
pub fn call(
    rule: &RebuildRule,
    request: &RebuildRequest,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
) -> Result<WebhookCall, String> {
    match rule.preset {
        RebuildPreset::GitHubRepositoryDispatch => github_repository_dispatch::call(rule, request, secret, at),
        RebuildPreset::GitHubWorkflowDispatch => github_workflow_dispatch::call(rule, request, secret, at),
        RebuildPreset::GitLab => gitlab::call(rule, request, secret, at),
        RebuildPreset::TeamCity => teamcity::call(rule, request, secret, at),
        RebuildPreset::CloudEvents => cloud_events::call(rule, request, secret, at),
    }
}

/// The URL of the started build, or else its id, if `response` has one.
#[must_use]
pub fn read(preset: RebuildPreset, response: &WebhookResponse) -> Option<String> {
    let response: Value = serde_json::from_slice(&response.body).ok()?;
    let names: &[&str] = match preset {
        RebuildPreset::GitHubRepositoryDispatch => &[],
        RebuildPreset::GitHubWorkflowDispatch => &["html_url", "workflow_run_id"],
        RebuildPreset::GitLab => &["web_url", "id"],
        RebuildPreset::TeamCity => &["webUrl", "id"],
        RebuildPreset::CloudEvents => &["id"],
    };
    names.iter().find_map(|name| id(response.get(name)?))
}

/// `value` as an id, if it is short and printable.
fn id(value: &Value) -> Option<String> {
    let id = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic())).then_some(id)
}

/// All problems of `rule`.
#[must_use]
pub fn check(rule: &RebuildRule) -> Vec<RuleProblem> {
    let mut problems = endpoint::check(rule);
    match rule.preset {
        RebuildPreset::GitHubRepositoryDispatch => github_repository_dispatch::check(rule, &mut problems),
        RebuildPreset::GitHubWorkflowDispatch => github_workflow_dispatch::check(rule, &mut problems),
        RebuildPreset::GitLab => gitlab::check(rule, &mut problems),
        RebuildPreset::TeamCity => teamcity::check(rule, &mut problems),
        RebuildPreset::CloudEvents => cloud_events::check(rule, &mut problems),
    }
    for (name, given) in &rule.inputs {
        if let Err(why) = template::text(given, &sample().fields()) {
            problems.push(("inputs", format!("{name} is not a valid template: {why}")));
        }
    }
    problems
}

impl RebuildPreset {
    /// All presets.
    pub const ALL: [Self; 5] =
        [Self::GitHubRepositoryDispatch, Self::GitHubWorkflowDispatch, Self::GitLab, Self::TeamCity, Self::CloudEvents];

    /// Name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHubRepositoryDispatch => "github-repository-dispatch",
            Self::GitHubWorkflowDispatch => "github-workflow-dispatch",
            Self::GitLab => "gitlab",
            Self::TeamCity => "teamcity",
            Self::CloudEvents => "cloudevents",
        }
    }
}

/// A call with a body of `content_type` that carries `secret` as `Authorization: Bearer`.
fn bearer_call(
    rule: &RebuildRule,
    request: &RebuildRequest,
    secret: Option<&Secret>,
    at: DateTime<Utc>,
    body: &Value,
) -> Result<WebhookCall, String> {
    let secret = secret.ok_or("the preset needs a secret")?;
    Ok(WebhookCall {
        url: rule.url.clone(),
        headers: Vec::new(),
        content_type: "application/json".to_owned(),
        body: body.to_string().into_bytes(),
        id: request.dedup_key.clone(),
        at,
        signing: Some((SignatureScheme::Bearer, secret.clone())),
        may_repeat: false,
    })
}

/// A header that is not secret.
fn header(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), Secret::new(value.to_owned()))
}

/// Headers of every request to GitHub's REST API: media type, API version and the required `User-Agent`
/// (<https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api>).
fn github_headers() -> Vec<(String, Secret)> {
    vec![
        header("Accept", "application/vnd.github+json"),
        header("X-GitHub-Api-Version", "2022-11-28"),
        header("User-Agent", "basewatch"),
    ]
}

/// Default build variables, by name of the environment variable.
fn variables(request: &RebuildRequest) -> Vec<(&'static str, String)> {
    let RebuildRequest { dedup_key, registry, repository, line, base, base_digest, base_release, .. } = request;
    vec![
        ("BASEWATCH_BASE", base.clone()),
        ("BASEWATCH_BASE_DIGEST", base_digest.clone()),
        ("BASEWATCH_BASE_RELEASE", base_release.clone().unwrap_or_default()),
        ("BASEWATCH_DEDUP_KEY", dedup_key.clone()),
        ("BASEWATCH_LINE", line.clone()),
        ("BASEWATCH_REGISTRY", registry.clone()),
        ("BASEWATCH_REPOSITORY", repository.clone()),
    ]
}

/// A sample request to validate templates with.
pub(super) fn sample() -> RebuildRequest {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let one = |text: &str| std::iter::once(text.to_owned()).collect();
    RebuildRequest {
        dedup_key: "cd".repeat(32),
        run_id: "01JCZZZZZZZZZZZZZZZZZZZZZZ".to_owned(),
        at: DateTime::UNIX_EPOCH,
        registry: "123456789012.dkr.ecr.eu-west-1.amazonaws.com".to_owned(),
        repository: "orders".to_owned(),
        line: "public.ecr.aws/lambda/java:21".to_owned(),
        base: format!("public.ecr.aws/lambda/java@{digest}"),
        base_digest: digest,
        base_release: Some("21.2026.11.19.13".to_owned()),
        from: one("21.2026.08.22.00"),
        deployments: one("orders:live"),
        deployment_count: 1,
        owners: one("payments"),
        account: Some("123456789012".to_owned()),
        region: Some("eu-west-1".to_owned()),
    }
}
