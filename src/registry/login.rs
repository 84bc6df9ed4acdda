//! Logins that AWS issues for its registries. The adapter that gets them is `aws`; this client only asks.

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, ready};

use super::CredentialsErrorKind;
use crate::{
    image::{Annotations, Digest, Repository},
    secret::Secret,
};

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

/// Why AWS issued no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoginError {
    /// Whether it was refused, throttled or not reached: another attempt may help in the last two cases.
    pub kind: CredentialsErrorKind,
    /// What was asked and what AWS answered, for people and without secrets.
    pub message: String,
}

/// What refers to an image, as ECR lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What it is, where it says so.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
}

/// Logins for ECR and ECR Public, and what only the API of ECR says of an image.
pub trait AwsLogins: Send + Sync {
    /// What refers to `image` in `repository` of private ECR and can be read; `None` where ECR is not asked by its API.
    fn referrers<'a>(
        &'a self,
        repository: &'a Repository,
        image: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Vec<Referrer>>, LoginError>> {
        let _ = (repository, image);
        Box::pin(ready(Ok(None)))
    }

    /// The login of the private ECR registry of `account` in `region`.
    fn ecr<'a>(&'a self, account: &'a str, region: &'a str) -> BoxFuture<'a, Result<Issued, LoginError>>;

    /// The login of public.ecr.aws; `None` without AWS credentials, and in partitions without ECR Public.
    fn ecr_public(&self) -> BoxFuture<'_, Result<Option<Issued>, LoginError>>;
}
