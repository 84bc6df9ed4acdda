//! Collection errors: parts of the inventory that could not be read, and the deployments that they may hide.

use super::DeploymentKind;
use crate::{
    aws::AwsError,
    image::{AccountId, ErrorCode, Region},
};

/// Part of the inventory could not be read. The audit continues and is incomplete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionError {
    /// The part that could not be read: `ecr eu-west-1`, `ecr eu-west-1 orders`, `account 210987654321`.
    pub scope: String,
    /// The deployments that it may hide.
    pub affected: AffectedScope,
    /// A stable code: `access-denied`, `throttled` (after all retries), `unreachable` (no connection or a timeout),
    /// `not-found`, `credentials` (none, expired or refused), `malformed` (a malformed response) or `failed` (any other
    /// error).
    pub code: ErrorCode,
    /// The message for people.
    pub message: String,
}

/// The deployments that a collection error may hide: their absence proves nothing. `None` matches everything, so the
/// default hides all deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AffectedScope {
    /// Only deployments of this kind.
    pub kind: Option<DeploymentKind>,
    /// Only deployments in this AWS account; of a repository, the account of its registry.
    pub account: Option<AccountId>,
    /// Only deployments in this AWS region; of a repository, the region of its registry.
    pub region: Option<Region>,
    /// Only deployments whose image is in this repository, without its registry.
    pub repository: Option<String>,
}

impl AffectedScope {
    /// All kinds and regions of `account`.
    #[must_use]
    pub fn for_account(account: Option<&AccountId>) -> Self {
        Self { account: account.cloned(), ..Self::default() }
    }

    /// The smallest scope that covers both.
    fn widened(self, other: &Self) -> Self {
        Self {
            kind: self.kind.filter(|kind| other.kind == Some(*kind)),
            account: both(self.account, other.account.as_ref()),
            region: both(self.region, other.region.as_ref()),
            repository: both(self.repository, other.repository.as_ref()),
        }
    }
}

/// `one` if both are equal.
fn both<T: PartialEq>(one: Option<T>, other: Option<&T>) -> Option<T> {
    one.filter(|one| other == Some(one))
}

impl CollectionError {
    /// The error that `failure` is for `scope`.
    pub(super) fn new(scope: String, affected: AffectedScope, failure: AwsError) -> Self {
        Self { scope, affected, code: failure.code, message: failure.message }
    }

    /// Merges errors of the same scope and code into one that covers the deployments of all.
    #[must_use]
    pub fn merged(mut errors: Vec<Self>) -> Vec<Self> {
        errors.sort_by(|one, other| (&one.scope, one.code).cmp(&(&other.scope, other.code)));
        errors.dedup_by(|later, earlier| {
            let is_same = (&later.scope, later.code) == (&earlier.scope, earlier.code);
            if is_same {
                earlier.absorb(later);
            }
            is_same
        });
        errors
    }

    /// Covers the deployments of `other`, too.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.affected = std::mem::take(&mut self.affected).widened(&other.affected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_scope_and_code_merge_into_one_that_covers_all_their_deployments() {
        let extent = |kind, repository: &str| AffectedScope {
            kind,
            account: "123456789012".parse().ok(),
            region: "eu-west-1".parse().ok(),
            repository: Some(repository.into()),
        };
        let error = |scope: &str, code, message: &str, extent| CollectionError {
            scope: scope.into(),
            affected: extent,
            code,
            message: message.into(),
        };
        let listed = error(
            "ecr eu-west-1 orders",
            ErrorCode::AccessDenied,
            "images",
            extent(Some(DeploymentKind::Ecr), "orders"),
        );
        let tags = error("ecr eu-west-1 orders", ErrorCode::AccessDenied, "tags", extent(None, "orders"));
        let other =
            error("ecr eu-west-1 orders", ErrorCode::Throttled, "images", extent(Some(DeploymentKind::Ecr), "orders"));
        let merged = CollectionError::merged(vec![other.clone(), listed.clone(), tags.clone()]);
        assert_eq!(merged, [CollectionError { affected: extent(None, "orders"), ..listed.clone() }, other]);
        assert_eq!(CollectionError::merged(vec![tags, listed]).len(), 1);
        assert_eq!(extent(None, "a").widened(&AffectedScope::default()), AffectedScope::default());
    }
}
