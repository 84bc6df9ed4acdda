//! Settings of rebuilds, already validated.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    glob::Glob,
    judge::Severity,
    secret::{Secret, SecretSource},
    webhook::Signature,
};

/// Who is asked to rebuild what, and how often.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The least severity of a finding whose image is rebuilt.
    pub threshold: Severity,
    /// How many rebuilds one run asks for.
    pub max_per_run: usize,
    /// How long after a rebuild was asked for a new image has to be there.
    pub deadline: Duration,
    /// How many rebuilds of one repository may bring nothing in a row before no more are asked for.
    pub max_failures: u32,
    /// How long no more are asked for then.
    pub pause: Duration,
    /// Who is asked, tried in order: the first whose patterns match.
    pub rules: Vec<Rule>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: Severity::Medium,
            max_per_run: 10,
            deadline: Duration::from_hours(24),
            max_failures: 3,
            pause: Duration::from_hours(7 * 24),
            rules: Vec::new(),
        }
    }
}

/// Who is asked to rebuild some repositories.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What the ledger calls it.
    pub name: String,
    /// The repositories, without their registries.
    pub repositories: Vec<Glob>,
    /// Whom the call is for.
    pub preset: Preset,
    /// Where it goes.
    pub url: Secret,
    /// What proves that it may be made.
    pub secret: Option<SecretSource>,
    /// How a CloudEvents body is signed.
    pub signature: Signature,
    /// The git reference that is built, for the presets that need one.
    pub git_ref: Option<String>,
    /// The build configuration of TeamCity that is run.
    pub build_type: Option<String>,
    /// Inputs, variables or properties of the build, by name: templates over the request.
    pub inputs: BTreeMap<String, String>,
    /// A body of one's own instead of the preset's: a template over the request, in which every value comes out
    /// as JSON.
    pub template: Option<String>,
}

/// Whom a rebuild call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// `POST /repos/{owner}/{repo}/dispatches` of GitHub.
    GitHubRepositoryDispatch,
    /// `POST /repos/{owner}/{repo}/actions/workflows/{id}/dispatches` of GitHub.
    GitHubWorkflowDispatch,
    /// `POST /projects/{id}/trigger/pipeline` of GitLab.
    GitLab,
    /// `POST /app/rest/buildQueue` of TeamCity.
    TeamCity,
    /// Anything that takes a CloudEvent.
    CloudEvents,
}
