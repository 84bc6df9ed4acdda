//! A part of the inventory that could not be read, and the deployments that it may hide.

use super::DeploymentKind;
use crate::{
    aws::Failure,
    image::{AccountId, ErrorCode, Region},
};

/// Something that kept a part of the inventory from being seen; the audit goes on and is incomplete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What could not be seen: `ecr eu-west-1`, `ecr eu-west-1 orders`, `account 210987654321`.
    pub scope: String,
    /// The deployments that it may hide.
    pub extent: Extent,
    /// The code in the report.
    pub code: ErrorCode,
    /// What happened, for people.
    pub message: String,
}

/// The deployments that a gap may hide: their absence proves nothing. What is `None` is not narrowed down, so that
/// the default hides deployments of any kind, everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Only deployments of this kind.
    pub kind: Option<DeploymentKind>,
    /// Only deployments in this AWS account; of a repository, the account of its registry.
    pub account: Option<AccountId>,
    /// Only deployments in this AWS region; of a repository, the region of its registry.
    pub region: Option<Region>,
    /// Only deployments whose image is in this repository, without its registry.
    pub repository: Option<String>,
}

impl Extent {
    /// Everything in `account`, whatever its kind and region.
    #[must_use]
    pub fn of_account(account: Option<&AccountId>) -> Self {
        Self { account: account.cloned(), ..Self::default() }
    }

    /// The smallest extent that covers both.
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

impl Gap {
    /// What `failure` kept from being seen.
    pub(super) fn new(scope: String, extent: Extent, failure: Failure) -> Self {
        Self { scope, extent, code: failure.code, message: failure.message }
    }

    /// Makes one gap of each place and code out of `gaps`; it hides what any of them hides.
    #[must_use]
    pub fn merged(mut gaps: Vec<Self>) -> Vec<Self> {
        gaps.sort_by(|one, other| (&one.scope, one.code).cmp(&(&other.scope, other.code)));
        gaps.dedup_by(|later, earlier| {
            let is_same = (&later.scope, later.code) == (&earlier.scope, earlier.code);
            if is_same {
                earlier.absorb(later);
            }
            is_same
        });
        gaps
    }

    /// Hides what `other` hides, too.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.extent = std::mem::take(&mut self.extent).widened(&other.extent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_one_place_and_code_are_one_that_hides_what_any_of_them_hides() {
        let extent = |kind, repository: &str| Extent {
            kind,
            account: "123456789012".parse().ok(),
            region: "eu-west-1".parse().ok(),
            repository: Some(repository.into()),
        };
        let gap = |scope: &str, code, message: &str, extent| Gap {
            scope: scope.into(),
            extent,
            code,
            message: message.into(),
        };
        let listed =
            gap("ecr eu-west-1 orders", ErrorCode::AccessDenied, "images", extent(Some(DeploymentKind::Ecr), "orders"));
        let tags = gap("ecr eu-west-1 orders", ErrorCode::AccessDenied, "tags", extent(None, "orders"));
        let other =
            gap("ecr eu-west-1 orders", ErrorCode::Throttled, "images", extent(Some(DeploymentKind::Ecr), "orders"));
        let merged = Gap::merged(vec![other.clone(), listed.clone(), tags.clone()]);
        assert_eq!(merged, [Gap { extent: extent(None, "orders"), ..listed.clone() }, other]);
        assert_eq!(Gap::merged(vec![tags, listed]).len(), 1);
        assert_eq!(extent(None, "a").widened(&Extent::default()), Extent::default());
    }
}
