//! Logins that AWS issues for its registries, as a port that `aws` implements.

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, ready};

use super::CredentialsErrorKind;
use crate::{
    image::{Annotations, Digest, Repository},
    secret::Secret,
};

/// A login for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryLogin {
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

/// A login and its expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedLogin {
    /// The login.
    pub login: RegistryLogin,
    /// When it expires, if the issuer stated it.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why AWS issued no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoginError {
    /// Whether it was denied, throttled or unreachable; the last two may be retried.
    pub kind: CredentialsErrorKind,
    /// The call and the error of AWS, for people, without secrets.
    pub message: String,
}

/// A referrer of an image, as ECR lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its artifact type, if any.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
}

/// Logins for ECR and ECR Public, and referrers from the API of ECR.
pub trait AwsLogins: Send + Sync {
    /// The readable referrers of `image` in `repository` of private ECR; `None` if the API of ECR is not used.
    fn referrers<'a>(
        &'a self,
        repository: &'a Repository,
        image: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Vec<Referrer>>, LoginError>> {
        let _ = (repository, image);
        Box::pin(ready(Ok(None)))
    }

    /// The login of the private ECR registry of `account` in `region`.
    fn ecr<'a>(&'a self, account: &'a str, region: &'a str) -> BoxFuture<'a, Result<IssuedLogin, LoginError>>;

    /// The login of public.ecr.aws; `None` without AWS credentials, and in partitions without ECR Public.
    fn ecr_public(&self) -> BoxFuture<'_, Result<Option<IssuedLogin>, LoginError>>;
}
