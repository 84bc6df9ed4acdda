//! Logins that AWS issues for its registries. The adapter that gets them is `aws`; this client only asks.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use crate::secret::Secret;

/// What proves who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A user name and a password, sent as `Basic` or exchanged for a token.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token, sent as `Bearer`: ECR Public refuses `Basic`
    /// (kreuzwerker/terraform-provider-docker#666).
    Bearer(Secret),
}

/// A login and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The login.
    pub login: Login,
    /// When it ends, if the issuer said.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Logins for ECR and ECR Public. An error is a sentence for people, without secrets.
pub trait AwsLogins: Send + Sync {
    /// The login of the private ECR registry of `account` in `region`.
    fn ecr<'a>(&'a self, account: &'a str, region: &'a str) -> BoxFuture<'a, Result<Issued, String>>;

    /// The login of public.ecr.aws; `None` when there are no AWS credentials at all.
    fn ecr_public(&self) -> BoxFuture<'_, Result<Option<Issued>, String>>;
}
