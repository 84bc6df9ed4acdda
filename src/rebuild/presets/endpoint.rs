//! Validation of the URL and keys of a rule against its preset.

use super::RuleProblem;
use crate::rebuild::{RebuildPreset, RebuildRule};

/// Problems of the URL of `rule`, and keys that its preset does not support.
pub(super) fn check(rule: &RebuildRule) -> Vec<RuleProblem> {
    let mut problems = Vec::new();
    if let Err(expected) = url(rule.preset, rule.url.reveal()) {
        problems.push(("url", expected));
    }
    let name = rule.preset.as_str();
    let has_ref =
        matches!(rule.preset, RebuildPreset::GitHubWorkflowDispatch | RebuildPreset::GitLab | RebuildPreset::TeamCity);
    if rule.git_ref.is_some() && !has_ref {
        problems.push(("ref", format!("not supported by {name}: remove it")));
    }
    if rule.build_type.is_some() && rule.preset != RebuildPreset::TeamCity {
        problems.push(("build_type", format!("not supported by {name}: remove it")));
    }
    if rule.template.is_some() && rule.preset != RebuildPreset::CloudEvents {
        problems.push(("template", format!("not supported by {name}: set inputs, or use the preset cloudevents")));
    }
    if rule.secret.is_none() && rule.preset != RebuildPreset::CloudEvents {
        problems.push(("secret", format!("required by {name}")));
    }
    problems
}

/// Checks that `url` has the form that `preset` requires. The error does not contain the URL, which may be a secret.
fn url(preset: RebuildPreset, url: &str) -> Result<(), String> {
    let Some(segments) = segments(url) else {
        return Err("must begin with https:// or http:// and a host".to_owned());
    };
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let (holds, expected) = match preset {
        RebuildPreset::GitHubRepositoryDispatch => (
            matches!(segments.as_slice(), [.., "repos", _, _, "dispatches"]),
            "https://api.github.com/repos/OWNER/REPOSITORY/dispatches",
        ),
        RebuildPreset::GitHubWorkflowDispatch => (
            matches!(segments.as_slice(), [.., "repos", _, _, "actions", "workflows", _, "dispatches"]),
            "https://api.github.com/repos/OWNER/REPOSITORY/actions/workflows/FILE/dispatches",
        ),
        RebuildPreset::GitLab => (
            // A project is a number, or a path with %2F for each slash.
            matches!(segments.as_slice(), [.., "api", "v4", "projects", _, "trigger", "pipeline"]),
            "https://gitlab.com/api/v4/projects/PROJECT/trigger/pipeline, PROJECT with %2F for each slash",
        ),
        RebuildPreset::TeamCity => {
            (matches!(segments.as_slice(), [.., "app", "rest", "buildQueue"]), "https://HOST/app/rest/buildQueue")
        }
        RebuildPreset::CloudEvents => (true, ""),
    };
    if holds { Ok(()) } else { Err(format!("for {} it must have the form {expected}", preset.as_str())) }
}

/// The path segments of a URL; `None` if it has no scheme or host.
fn segments(url: &str) -> Option<Vec<String>> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    is_host.then(|| path.split('/').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_must_have_the_form_of_its_preset() {
        use RebuildPreset::{
            CloudEvents as C, GitHubRepositoryDispatch as R, GitHubWorkflowDispatch as W, GitLab as G, TeamCity as T,
        };
        let table = [
            (R, "https://api.github.com/repos/acme/orders/dispatches", true),
            (R, "https://github.example.com/api/v3/repos/acme/orders/dispatches", true),
            (R, "https://github.com/acme/orders", false),
            (R, "https://api.github.com/repos/acme/orders/actions/workflows/rebuild.yml/dispatches", false),
            (R, "https://api.github.com/repos/acme/orders/dispatches/", false),
            (W, "https://api.github.com/repos/acme/orders/actions/workflows/rebuild.yml/dispatches", true),
            (W, "https://api.github.com/repos/acme/orders/dispatches", false),
            (G, "https://gitlab.com/api/v4/projects/42/trigger/pipeline", true),
            (G, "https://gitlab.example.com/git/api/v4/projects/team%2Forders/trigger/pipeline", true),
            (G, "https://gitlab.com/api/v4/projects/team/orders/trigger/pipeline", false),
            (G, "https://gitlab.com/api/v4/projects/42/pipeline", false),
            (T, "http://teamcity:8111/app/rest/buildQueue", true),
            (T, "http://teamcity:8111/httpAuth/app/rest/buildQueue", true),
            (T, "http://teamcity:8111/app/rest/builds", false),
            (C, "https://hooks.example.com/x?y=1", true),
            (C, "hooks.example.com", false),
            (C, "https:///x", false),
            (C, "ftp://hooks.example.com", false),
        ];
        for (preset, text, holds) in table {
            assert_eq!(url(preset, text).is_ok(), holds, "{preset:?} {text}");
        }
        assert!(url(R, "https://x/SECRET").is_err_and(|why| !why.contains("SECRET")));
    }
}
