//! One region of one account.

use std::sync::Arc;

use super::{AffectedScope, DeploymentKind};
use crate::{aws::AwsSession, image::Region};

/// One region of one account.
#[derive(Clone)]
pub(super) struct AccountRegion {
    /// The session to read it with.
    pub(super) session: Arc<AwsSession>,
    /// The region.
    pub(super) region: Region,
}

impl AccountRegion {
    /// The scope of a [`CollectionError`](super::CollectionError) in `service` here: `lambda eu-west-1`, or
    /// `lambda eu-west-1 of 123456789012`.
    pub(super) fn scope(&self, service: &str) -> String {
        match self.session.account() {
            Some(account) => format!("{service} {} of {account}", self.region),
            None => format!("{service} {}", self.region),
        }
    }

    /// The deployments of `kind` here that an error may hide.
    pub(super) fn affected(&self, kind: DeploymentKind) -> AffectedScope {
        AffectedScope {
            kind: Some(kind),
            region: Some(self.region.clone()),
            ..AffectedScope::for_account(self.session.account())
        }
    }
}
