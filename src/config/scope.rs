//! Which deployments a rule of `[policy]` is for, as overrides and exemptions share it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath, values::repository_pattern};
use crate::judge::Scope;

/// The patterns of a rule, but for that of the owner, whose key differs.
// Flattened, which serde does not let a table deny unknown keys with; they are found before serde sees them, by the
// schema.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawScope {
    /// A pattern of the deployment's name.
    #[schemars(example = &"orders*")]
    deployment: Option<String>,
    /// A pattern of the image's repository, without its registry.
    #[schemars(example = &"team-a/*")]
    repository: Option<String>,
    /// A pattern of the AWS account.
    #[schemars(example = &"123456789012")]
    account: Option<String>,
    /// A pattern of the base's line or repository, with its registry.
    #[schemars(example = &"public.ecr.aws/lambda/java:*")]
    base: Option<String>,
}

impl RawScope {
    /// The scope of the rule at `at`, with the pattern of the owner from `owner_key`; and whether it has any pattern.
    pub(super) fn validate(
        &self,
        owner_key: &str,
        owner: Option<&String>,
        at: &KeyPath,
        check: &mut Check<'_>,
    ) -> (Scope, bool) {
        let Self { deployment, repository, account, base } = self;
        let mut pattern = |key: &str, text: Option<&String>| text.and_then(|text| check.parse(&at.key(key), text));
        let scope = Scope {
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
