//! Where is AWS asked? One region of one account, what it is called and what it may hide when it cannot be.

use std::sync::Arc;

use super::{DeploymentKind, Extent};
use crate::{aws::Session, image::Region};

/// One region of one account.
#[derive(Clone)]
pub(super) struct Spot {
    /// As whom it is asked.
    pub(super) session: Arc<Session>,
    /// The region.
    pub(super) region: Region,
}

impl Spot {
    /// What a [`Gap`](super::Gap) in `service` here is called: `lambda eu-west-1`, or `lambda eu-west-1 of 123456789012`.
    pub(super) fn scope(&self, service: &str) -> String {
        match self.session.account() {
            Some(account) => format!("{service} {} of {account}", self.region),
            None => format!("{service} {}", self.region),
        }
    }

    /// The deployments of `kind` here.
    pub(super) fn extent(&self, kind: DeploymentKind) -> Extent {
        Extent { kind: Some(kind), region: Some(self.region.clone()), ..Extent::of_account(self.session.account()) }
    }
}
