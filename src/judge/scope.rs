//! The scope of a policy rule: patterns over the names of a deployment.

use crate::{
    glob::Glob,
    inventory::{AffectedScope, DeploymentKind},
};

/// The names that a rule's patterns are matched against.
#[derive(Clone, Copy, Debug)]
pub struct PolicySubject<'a> {
    /// The deployment's name.
    pub deployment: &'a str,
    /// The image's repository, without its registry.
    pub repository: &'a str,
    /// The account.
    pub account: Option<&'a str>,
    /// The owner.
    pub owner: Option<&'a str>,
    /// The release line of the base, or its repository if the line is unknown.
    pub base: Option<&'a str>,
}

/// The deployments that a rule applies to. An absent pattern matches everything; a pattern never matches an unknown
/// name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyScope {
    /// Of the deployment's name.
    pub deployment: Option<Glob>,
    /// Of the image's repository, without its registry.
    pub repository: Option<Glob>,
    /// Of the account.
    pub account: Option<Glob>,
    /// Of the owner.
    pub owner: Option<Glob>,
    /// Of the base's repository or line, with its registry.
    pub base: Option<Glob>,
}

impl PolicyScope {
    /// Whether all patterns match `subject`.
    #[must_use]
    pub fn matches(&self, subject: PolicySubject<'_>) -> bool {
        let holds = |pattern: &Option<Glob>, text: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.matches(text)))
        };
        holds(&self.deployment, Some(subject.deployment))
            && holds(&self.repository, Some(subject.repository))
            && holds(&self.account, subject.account)
            && holds(&self.owner, subject.owner)
            && holds(&self.base, subject.base)
    }

    /// Whether it may match a deployment that a collection error with this `extent` hides.
    #[must_use]
    pub fn may_match_in(&self, extent: &AffectedScope) -> bool {
        let may_hold = |pattern: &Option<Glob>, text: Option<&str>| {
            pattern.as_ref().zip(text).is_none_or(|(pattern, text)| pattern.matches(text))
        };
        // The account of a repository is that of its registry: workloads of any account may run its images.
        let is_of_deployment = extent.repository.is_none() || extent.kind == Some(DeploymentKind::Ecr);
        may_hold(&self.account, extent.account.as_deref().filter(|_| is_of_deployment))
            && may_hold(&self.repository, extent.repository.as_deref())
    }
}
