//! Validated settings of rebuilds.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    glob::Glob,
    judge::Severity,
    secret::{Secret, SecretSource},
    webhook::SignatureScheme,
};

/// The build services, the images that each rebuilds, and the limits of requests.
#[derive(Clone, Debug)]
pub struct RebuildSettings {
    /// Minimum severity of a finding whose image is rebuilt.
    pub threshold: Severity,
    /// Maximum number of rebuilds requested in one run.
    pub max_per_run: usize,
    /// How long after the request a new image must be pushed.
    pub deadline: Duration,
    /// Number of failed rebuilds of a repository in a row after which rebuilds are paused.
    pub max_failures: u32,
    /// Length of the pause.
    pub pause: Duration,
    /// Rules in order: the first whose patterns match applies.
    pub rules: Vec<RebuildRule>,
}

impl Default for RebuildSettings {
    fn default() -> Self {
        Self {
            threshold: Severity::Medium,
            max_per_run: 10,
            deadline: Duration::from_hours(24),
            // A third failure is no coincidence: someone has to repair the build, and is reminded weekly.
            max_failures: 3,
            pause: Duration::from_hours(7 * 24),
            rules: Vec::new(),
        }
    }
}

/// The build service of some repositories.
#[derive(Clone, Debug)]
pub struct RebuildRule {
    /// Its name in the ledger.
    pub name: String,
    /// The repositories, without their registries.
    pub repositories: Vec<Glob>,
    /// The kind of service.
    pub preset: RebuildPreset,
    /// The destination. May contain a secret.
    pub url: Secret,
    /// The token or signing secret.
    pub secret: Option<SecretSource>,
    /// How a CloudEvents body is signed.
    pub signature: SignatureScheme,
    /// The git reference that is built, for the presets that need one.
    pub git_ref: Option<String>,
    /// The id of the TeamCity build configuration.
    pub build_type: Option<String>,
    /// Inputs, variables or properties of the build by name: templates over the request.
    pub inputs: BTreeMap<String, String>,
    /// A custom body: a template over the request. Every value is rendered as JSON.
    pub template: Option<String>,
}

/// The kind of build service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildPreset {
    /// `POST /repos/{owner}/{repo}/dispatches` of GitHub.
    GitHubRepositoryDispatch,
    /// `POST /repos/{owner}/{repo}/actions/workflows/{id}/dispatches` of GitHub.
    GitHubWorkflowDispatch,
    /// `POST /projects/{id}/trigger/pipeline` of GitLab.
    GitLab,
    /// `POST /app/rest/buildQueue` of TeamCity.
    TeamCity,
    /// Any service that accepts a CloudEvent.
    CloudEvents,
}
