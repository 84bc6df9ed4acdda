//! The deployments that a rule of `[policy]` applies to.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::repository_pattern};
use crate::judge::PolicyScope;

/// The patterns of a rule, except that of the owner, whose key differs.
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
    /// Pattern of the line or repository of the base, including the registry.
    #[schemars(example = &"public.ecr.aws/lambda/java:*")]
    base: Option<String>,
}

impl RawScope {
    /// The scope of the rule at `at`, with the owner pattern of `owner_key`, and whether it has any pattern.
    pub(super) fn validate(
        &self,
        owner_key: &str,
        owner: Option<&String>,
        at: &KeyPath,
        check: &mut ConfigValidator<'_>,
    ) -> (PolicyScope, bool) {
        let Self { deployment, repository, account, base } = self;
        let mut pattern = |key: &str, text: Option<&String>| text.and_then(|text| check.parse(&at.key(key), text));
        let scope = PolicyScope {
            deployment: pattern("deployment", deployment.as_ref()),
            repository: pattern("repository", repository.as_ref()),
            account: pattern("account", account.as_ref()),
            owner: pattern(owner_key, owner),
            base: base.as_ref().and_then(|text| check.accept(&at.key("base"), repository_pattern(text))),
        };
        let texts = [deployment.as_ref(), repository.as_ref(), account.as_ref(), owner, base.as_ref()];
        (scope, texts.iter().any(Option::is_some))
    }
}
