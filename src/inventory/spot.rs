//! One region of one account.

use std::sync::Arc;

use super::{DeploymentKind, Extent};
use crate::{aws::Session, image::Region};

/// One region of one account.
#[derive(Clone)]
pub(super) struct Spot {
    /// The session to read it with.
    pub(super) session: Arc<Session>,
    /// The region.
    pub(super) region: Region,
}

impl Spot {
    /// The scope of a [`Gap`](super::Gap) in `service` here: `lambda eu-west-1`, or `lambda eu-west-1 of 123456789012`.
    pub(super) fn scope(&self, service: &str) -> String {
        match self.session.account() {
            Some(account) => format!("{service} {} of {account}", self.region),
            None => format!("{service} {}", self.region),
        }
    }

    /// The deployments of `kind` here that an error may hide.
    pub(super) fn extent(&self, kind: DeploymentKind) -> Extent {
        Extent { kind: Some(kind), region: Some(self.region.clone()), ..Extent::of_account(self.session.account()) }
    }
}
