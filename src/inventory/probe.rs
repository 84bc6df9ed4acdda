//! Cheap requests that check permissions: one item of each list, in every account and region, and a registry token.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};

use super::{AwsScope, CollectionError, DeploymentKind, RegionSelection, account_region::AccountRegion};
use crate::aws::AwsError;

/// Requests in flight.
const CONCURRENCY: usize = 16;

/// Result of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbedScope {
    /// The calls that were allowed, each with the number of accounts and regions.
    pub allowed: BTreeMap<&'static str, usize>,
    /// The failures, by account or by service, region and account.
    pub errors: Vec<CollectionError>,
}

/// A call that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ProbedCall {
    /// `lambda:ListFunctions`
    Functions,
    /// `ecs:ListClusters`
    Clusters,
    /// `ecr:DescribeRepositories`
    Repositories,
    /// `ecr:GetAuthorizationToken`, which reading images needs.
    Token,
}

impl AwsScope {
    /// Tries one request for each of `inventories` in every account and region.
    pub async fn probe(&self, inventories: &[(DeploymentKind, &RegionSelection)]) -> ProbedScope {
        let mut errors = Vec::new();
        let mut calls = BTreeMap::new();
        for (kind, regions) in inventories {
            let call = match kind {
                DeploymentKind::Lambda => ProbedCall::Functions,
                DeploymentKind::Ecs => ProbedCall::Clusters,
                DeploymentKind::Ecr => ProbedCall::Repositories,
                DeploymentKind::Image | DeploymentKind::Layout => continue,
            };
            for at in self.account_regions(regions, &mut errors).await {
                for call in [call, ProbedCall::Token] {
                    let key = (call, at.session.account().cloned(), at.region.clone());
                    calls.insert(key, (call, *kind, at.clone()));
                }
            }
        }
        let tried = stream::iter(calls.into_values()).map(async |(call, kind, at)| {
            let outcome = call.request(&at).await;
            (
                call,
                outcome.map_err(|failure| CollectionError::new(at.scope(call.service()), at.affected(kind), failure)),
            )
        });
        let tried: Vec<_> = tried.buffered(CONCURRENCY).collect().await;
        let mut probed = ProbedScope::default();
        for (call, outcome) in tried {
            match outcome {
                Ok(()) => *probed.allowed.entry(call.as_str()).or_default() += 1,
                Err(error) => errors.push(error),
            }
        }
        probed.errors = CollectionError::merged(errors);
        probed
    }
}

impl ProbedCall {
    fn as_str(self) -> &'static str {
        match self {
            Self::Functions => "lambda:ListFunctions",
            Self::Clusters => "ecs:ListClusters",
            Self::Repositories => "ecr:DescribeRepositories",
            Self::Token => "ecr:GetAuthorizationToken",
        }
    }

    fn service(self) -> &'static str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    async fn request(self, at: &AccountRegion) -> Result<(), AwsError> {
        let region = at.region.as_str();
        match self {
            Self::Functions => {
                let lambda = at.session.lambda(region);
                let request = lambda.for_others().await.list_functions().max_items(1);
                request.send().await.map(drop).map_err(|error| AwsError::from_sdk(self.as_str(), &error))
            }
            Self::Clusters => {
                let request = at.session.ecs(region).list_clusters().max_results(1);
                request.send().await.map(drop).map_err(|error| AwsError::from_sdk(self.as_str(), &error))
            }
            Self::Repositories => {
                let request = at.session.ecr(region).describe_repositories().max_results(1);
                request.send().await.map(drop).map_err(|error| AwsError::from_sdk(self.as_str(), &error))
            }
            Self::Token => {
                let request = at.session.ecr(region).get_authorization_token();
                request.send().await.map(drop).map_err(|error| AwsError::from_sdk(self.as_str(), &error))
            }
        }
    }
}
