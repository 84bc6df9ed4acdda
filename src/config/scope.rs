//! The deployments that a rule of `[policy]` applies to.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::repository_pattern};
use crate::judge::PolicyScope;

/// The patterns that every rule has.
// Flattened, which serde does not support together with `deny_unknown_fields`; the schema check finds unknown keys.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawScope {
    /// Pattern of the deployment name.
    #[schemars(example = &"orders*")]
    deployment: Option<String>,
    /// Pattern of the image repository, without the registry.
    #[schemars(example = &"team-a/*")]
    repository: Option<String>,
    /// Pattern of the AWS account ID.
    #[schemars(example = &"123456789012")]
    account: Option<String>,
}

impl RawScope {
    /// The scope of the rule at `at`, without a base and an owner.
    pub(super) fn validate(&self, at: &KeyPath, check: &mut ConfigValidator<'_>) -> PolicyScope {
        let Self { deployment, repository, account } = self;
        let mut pattern = |key: &str, text: Option<&String>| text.and_then(|text| check.parse(&at.key(key), text));
        PolicyScope {
            deployment: pattern("deployment", deployment.as_ref()),
            repository: pattern("repository", repository.as_ref()),
            account: pattern("account", account.as_ref()),
            owner: None,
            base: None,
        }
    }

    /// As [`RawScope::validate`], with patterns of the base and, at `owner_key`, of the owner. Also returns whether it
    /// has any pattern.
    pub(super) fn validate_with(
        &self,
        base: Option<&String>,
        (owner_key, owner): (&str, Option<&String>),
        at: &KeyPath,
        check: &mut ConfigValidator<'_>,
    ) -> (PolicyScope, bool) {
        let scope = PolicyScope {
            owner: owner.and_then(|text| check.parse(&at.key(owner_key), text)),
            base: base.and_then(|text| check.accept(&at.key("base"), repository_pattern(text))),
            ..self.validate(at, check)
        };
        let texts = [self.deployment.as_ref(), self.repository.as_ref(), self.account.as_ref(), owner, base];
        (scope, texts.iter().any(Option::is_some))
    }
}
