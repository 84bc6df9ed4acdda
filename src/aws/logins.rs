//! Logins for private ECR and ECR Public.

use std::{sync::atomic::Ordering, time::Duration};

use aws_smithy_types::DateTime as AwsTime;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::time::timeout;

use super::{Aws, AwsError, CredentialLookup};
use crate::{
    image::{Digest, ErrorCode, Repository},
    registry::{AwsLogins, IssuedLogin, LoginError, Referrer, RegistryLogin},
    secret::Secret,
};

/// The timeout of a lookup for credentials that would only raise a rate limit: outside AWS it ends with a missing
/// instance metadata service.
const OPTIONAL_WAIT: Duration = Duration::from_secs(3);

impl AwsLogins for Aws {
    /// The token is valid for every registry of that region that the caller may read, so the account only selects the
    /// identity: the role assumed there, if any (`registryIds` is deprecated).
    fn ecr<'a>(&'a self, account: &'a str, region: &'a str) -> BoxFuture<'a, Result<IssuedLogin, LoginError>> {
        Box::pin(async move { Ok(self.ecr_login(account, region).await?) })
    }

    fn referrers<'a>(
        &'a self,
        repository: &'a Repository,
        image: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Vec<Referrer>>, LoginError>> {
        Box::pin(async move { Ok(self.ecr_referrers(repository, image).await?) })
    }

    fn ecr_public(&self) -> BoxFuture<'_, Result<Option<IssuedLogin>, LoginError>> {
        Box::pin(async move { Ok(self.ecr_public_login().await?) })
    }
}

impl Aws {
    async fn ecr_login(&self, account: &str, region: &str) -> Result<IssuedLogin, AwsError> {
        self.require_credentials().await?;
        let call = format!("ecr:GetAuthorizationToken in {region}");
        let response = self
            .session_of(account)
            .await?
            .ecr(region)
            .get_authorization_token()
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(&call, &error))?;
        let issued = response.authorization_data().first();
        let unusable =
            || AwsError { code: ErrorCode::Failed, message: format!("{call}: the response has no usable token") };
        let login = issued.and_then(|issued| basic(issued.authorization_token()?)).ok_or_else(unusable)?;
        Ok(IssuedLogin { login, expires_at: issued.and_then(|issued| issued.expires_at()).and_then(future_instant) })
    }

    async fn ecr_public_login(&self) -> Result<Option<IssuedLogin>, AwsError> {
        if self.gave_up.load(Ordering::Relaxed) || !self.partition().await.has_ecr_public() {
            return Ok(None);
        }
        match timeout(OPTIONAL_WAIT, self.credentials()).await {
            Ok(CredentialLookup::Found) => {}
            Ok(CredentialLookup::Nothing(_)) => return Ok(None),
            Ok(CredentialLookup::Broken(failure)) => return Err(failure.clone()),
            Err(_) => {
                self.gave_up.store(true, Ordering::Relaxed);
                return Ok(None);
            }
        }
        let call = "ecr-public:GetAuthorizationToken";
        let response = self.ecr_public().await.get_authorization_token().send().await.map_err(|error| {
            let mut failure = AwsError::from_sdk(call, &error);
            if failure.code == ErrorCode::AccessDenied {
                failure.message += "; allow ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken";
            }
            failure
        })?;
        let unusable =
            || AwsError { code: ErrorCode::Failed, message: format!("{call}: the response has no usable token") };
        let issued = response.authorization_data().ok_or_else(unusable)?;
        let token = issued.authorization_token().ok_or_else(unusable)?;
        Ok(Some(IssuedLogin {
            login: RegistryLogin::Bearer(Secret::new(token.to_owned())),
            expires_at: issued.expires_at().and_then(future_instant),
        }))
    }
}

/// Reads the base64 of `AWS:password`.
fn basic(token: &str) -> Option<RegistryLogin> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(RegistryLogin::Basic { username: username.to_owned(), password: Secret::new(password.to_owned()) })
}

/// An expiry in the past at issue is due to a wrong clock and is ignored.
fn future_instant(at: &AwsTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos()).filter(|at| *at > Utc::now())
}
