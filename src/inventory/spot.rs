//! Where is AWS asked? One region of one account, and what is said of it when it cannot be.

use std::sync::Arc;

use super::Gap;
use crate::aws::{Failure, Session};

/// One region of one account.
#[derive(Clone)]
pub(super) struct Spot {
    /// As whom it is asked.
    pub(super) session: Arc<Session>,
    /// The region.
    pub(super) region: String,
}

impl Spot {
    /// What a [`Gap`] in `service` here is called: `lambda eu-west-1`, or `lambda eu-west-1 of 123456789012`.
    pub(super) fn scope(&self, service: &str) -> String {
        match self.session.account() {
            Some(account) => format!("{service} {} of {account}", self.region),
            None => format!("{service} {}", self.region),
        }
    }
}

/// What `failure` kept from being seen.
pub(super) fn gap(scope: String, failure: Failure) -> Gap {
    Gap { scope, code: failure.code, message: failure.message }
}
