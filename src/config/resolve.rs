//! `[resolve]`: how releases are dated.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath, values::repository_pattern};
use crate::resolve::Settings;

/// How releases are dated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResolve {
    /// Patterns of the base repositories (with their registry) whose releases carry dated tags, as
    /// AWS Lambda's do: `21.2026.07.16.13-x86_64`.
    #[schemars(extend("default" = ["public.ecr.aws/lambda/*", "docker.io/amazon/aws-lambda-*"]))]
    dated_tags: Option<Vec<String>>,
    /// How many dated tags are tried when the one that carries a digest is searched, besides those of the
    /// hour of its build where the version is not known. Each is one request.
    #[schemars(range(min = 0, max = 64), extend("default" = 4))]
    probes: Option<i64>,
}

pub(super) fn validate(raw: &RawResolve, at: &KeyPath, check: &mut Check<'_>) -> Settings {
    let standard = Settings::default();
    let dated_tags = match &raw.dated_tags {
        Some(patterns) => check.each(&at.key("dated_tags"), patterns, repository_pattern),
        None => standard.dated_tags,
    };
    let probes = raw.probes.and_then(|probes| probes.try_into().ok()).unwrap_or(standard.probes);
    Settings { dated_tags, probes }
}
