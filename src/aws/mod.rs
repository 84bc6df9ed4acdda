//! Adapter: how is AWS talked to? The one place of SDK configuration: credentials, endpoints, retries,
//! timeouts, and the count of what was sent.
//!
//! Knows no stage. SDK errors end at the call that got them, as a [`Failure`].

mod accounts;
mod counting;
mod failure;
mod lambda;
mod logins;
pub mod loopback;
mod patience;
mod secrets;
mod session;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    imds::client::error::ImdsError, meta::region::RegionProviderChain, profile::ProfileFileRegionProvider,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use tokio::{sync::OnceCell, time::timeout};

pub use accounts::{AccountSettings, Members, Refused, Sessions};
pub use failure::Failure;
pub(crate) use lambda::Lambda;
pub use session::Session;

use crate::{once::Once, registry::Requests, secret::Secret};
use counting::Counting;

/// How long a connection may take to open.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long one transmitted request may take.
const ATTEMPT_WAIT: Duration = Duration::from_secs(30);
/// How long a call may take, retries included.
const CALL_WAIT: Duration = Duration::from_mins(2);
/// How long credentials may take that are needed: a role may have to be assumed first.
const CREDENTIALS_WAIT: Duration = Duration::from_secs(10);
/// How many times a request is sent at most: more than the SDK's three, because an audit of a large
/// account is throttled as a matter of course.
const MAX_ATTEMPTS: u32 = 5;

/// AWS, as one run sees it: configured as every AWS tool is (environment, profiles, container and instance
/// roles, `AWS_ENDPOINT_URL`…), looked up when first needed and never before.
///
/// Whether there are credentials is found out once and remembered, so build one for each run.
#[derive(Debug)]
pub struct Aws {
    requests: Arc<Requests>,
    max_attempts: u32,
    first_backoff: Option<Duration>,
    transport: Option<SharedHttpClient>,
    endpoint: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    accounts: Option<AccountSettings>,
    own: OnceCell<Arc<Session>>,
    sessions: OnceCell<Sessions>,
    single: Once<String, Option<Arc<Session>>>,
    secrets: Once<String, Result<Secret, Failure>>,
    own_account: OnceCell<Option<String>>,
    config: OnceCell<SdkConfig>,
    found: OnceCell<Lookup>,
    gave_up: AtomicBool,
}

/// What came of looking for credentials.
#[derive(Clone, Debug)]
enum Lookup {
    /// There are some.
    Found,
    /// There are none; with what is known of why.
    Nothing(String),
    /// Some are configured and cannot be used.
    Broken(Failure),
}

impl Lookup {
    /// Instance metadata is asked last, when nothing is configured: that it refuses, as it does where it is
    /// switched off for containers, is no credentials and not broken ones.
    fn of(error: &CredentialsError) -> Self {
        // The SDK lists every place it looked at, each with the reason why it was not looked at.
        if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return Self::Nothing(
                "neither the environment, nor the profile of AWS_PROFILE or the default one, nor a role has any"
                    .to_owned(),
            );
        }
        let why = failure::chain(error);
        if failure::causes(error).any(|cause| cause.downcast_ref::<ImdsError>().is_some()) {
            return Self::Nothing(why);
        }
        // The place is in a warning of the SDK only.
        let place = if why.contains("parse profile file") {
            "; look at ~/.aws/config and ~/.aws/credentials, and for the line with BASEWATCH_LOG=warn"
        } else {
            ""
        };
        Self::Broken(Failure::credentials(format!(
            "the AWS credentials that are configured cannot be used: {why}{place}"
        )))
    }
}

impl Aws {
    /// AWS as the environment configures it, counting into `requests`. Contacts nothing yet.
    #[must_use]
    pub fn new(requests: Arc<Requests>) -> Self {
        Self {
            requests,
            max_attempts: MAX_ATTEMPTS,
            first_backoff: None,
            transport: None,
            endpoint: None,
            credentials: None,
            accounts: None,
            own: OnceCell::new(),
            sessions: OnceCell::new(),
            single: Once::default(),
            secrets: Once::default(),
            own_account: OnceCell::new(),
            config: OnceCell::new(),
            found: OnceCell::new(),
            gave_up: AtomicBool::new(false),
        }
    }

    /// Sends each request at most `max_attempts` times; at least once.
    #[must_use]
    pub fn with_max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts: max_attempts.max(1), ..self }
    }

    /// Waits at most `first_backoff` before the first retry, twice that before the second, and so on.
    #[must_use]
    pub fn with_first_backoff(self, first_backoff: Duration) -> Self {
        Self { first_backoff: Some(first_backoff), ..self }
    }

    /// Sends everything, lookups of credentials included, through `transport`: for replayed answers.
    #[must_use]
    pub fn with_transport(self, transport: impl HttpClient + 'static) -> Self {
        Self { transport: Some(SharedHttpClient::new(transport)), ..self }
    }

    /// Sends everything to what listens at `endpoint` in place of AWS, as `AWS_ENDPOINT_URL` would.
    #[must_use]
    pub fn with_endpoint(self, endpoint: impl Into<String>) -> Self {
        Self { endpoint: Some(endpoint.into()), ..self }
    }

    /// Uses this access key instead of looking for credentials.
    #[must_use]
    pub fn with_access_key(self, id: &str, secret: &Secret) -> Self {
        let key = aws_credential_types::Credentials::new(id, secret.reveal(), None, None, "given");
        self.with_credentials(key)
    }

    /// Uses these credentials instead of looking for some.
    #[must_use]
    pub fn with_credentials(self, credentials: impl ProvideCredentials + 'static) -> Self {
        Self { credentials: Some(SharedCredentialsProvider::new(credentials)), ..self }
    }

    /// The same identity for another run, counting into `requests`: its configuration, connections and credentials are
    /// kept, and nothing of what the runs before found out with them.
    pub async fn for_another_run(&self, requests: Arc<Requests>) -> Self {
        Self {
            max_attempts: self.max_attempts,
            first_backoff: self.first_backoff,
            transport: self.transport.clone(),
            endpoint: self.endpoint.clone(),
            credentials: self.credentials.clone(),
            accounts: self.accounts.clone(),
            config: OnceCell::new_with(Some(Box::pin(self.config()).await.clone())),
            ..Self::new(requests)
        }
    }

    /// Asks the accounts of `accounts`, as the roles assumed in them.
    #[must_use]
    pub fn with_accounts(self, accounts: Option<AccountSettings>) -> Self {
        Self { accounts, ..self }
    }

    /// The identity that the environment provides.
    pub(crate) async fn own(&self) -> Arc<Session> {
        let open = || async { Arc::new(Session::new(None, self.config().await.clone(), Arc::clone(&self.requests))) };
        Arc::clone(self.own.get_or_init(open).await)
    }

    /// A client of ECR Public, whose tokens are issued in us-east-1
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>).
    async fn ecr_public(&self) -> aws_sdk_ecrpublic::Client {
        let config = aws_sdk_ecrpublic::config::Builder::from(self.config().await)
            .region(aws_sdk_ecrpublic::config::Region::new("us-east-1"))
            .interceptor(Counting::new("ecr-public", Arc::clone(&self.requests)))
            .build();
        aws_sdk_ecrpublic::Client::from_conf(config)
    }

    /// Fails unless there are credentials; the lookup is shared by all who ask.
    pub(crate) async fn require_credentials(&self) -> Result<(), Failure> {
        match self.credentials().await {
            Lookup::Found => Ok(()),
            Lookup::Broken(failure) => Err(failure.clone()),
            Lookup::Nothing(why) => Err(Failure::credentials(format!(
                "no AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run where a role is attached \
                 ({why})"
            ))),
        }
    }

    /// What there is in the way of credentials, looked for once.
    async fn credentials(&self) -> &Lookup {
        self.found.get_or_init(|| self.look_for_credentials()).await
    }

    async fn look_for_credentials(&self) -> Lookup {
        let Some(provider) = self.config().await.credentials_provider() else {
            return Lookup::Nothing("no source is configured".to_owned());
        };
        match timeout(CREDENTIALS_WAIT, provider.provide_credentials()).await {
            Ok(Ok(_)) => Lookup::Found,
            Ok(Err(error)) => Lookup::of(&error),
            Err(_) => Lookup::Nothing(format!("no answer within {} seconds", CREDENTIALS_WAIT.as_secs())),
        }
    }

    async fn config(&self) -> &SdkConfig {
        self.config.get_or_init(|| self.load()).await
    }

    /// The region is never asked of the instance metadata service: every client is given its own, and
    /// outside AWS that question only costs seconds.
    async fn load(&self) -> SdkConfig {
        let mut retry = RetryConfig::standard().with_max_attempts(self.max_attempts);
        if let Some(backoff) = self.first_backoff {
            retry = retry.with_initial_backoff(backoff);
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_WAIT)
            .operation_attempt_timeout(ATTEMPT_WAIT)
            .operation_timeout(CALL_WAIT)
            .build();
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(Region::new("us-east-1"));
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).region(region).retry_config(retry).timeout_config(timeouts);
        if let Ok(name) = AppName::new("basewatch") {
            loader = loader.app_name(name);
        }
        if let Some(transport) = &self.transport {
            loader = loader.http_client(transport.clone());
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        loader.load().await
    }
}
