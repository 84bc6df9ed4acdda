//! Adapter: AWS. Configures the SDK: credentials, endpoints, retries, timeouts, and request counts.
//!
//! Knows no stage. SDK errors become a [`AwsError`] at the call.

mod accounts;
mod counting;
mod credentials;
mod error;
mod lambda;
mod logins;
mod probe;
mod profiles;
mod referrers;
mod secrets;
mod security_hub;
mod session;
mod throttling;
mod variables;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use tokio::sync::OnceCell;

pub use accounts::{AccountError, AccountSelection, AccountSessions, AccountSettings, RoleTemplate};
pub use error::AwsError;
pub(crate) use lambda::LambdaClient;
pub(crate) use security_hub::RejectedFinding;
pub use session::AwsSession;
pub use variables::unusable_variables;

use crate::{
    http::RequestCounter,
    image::{AccountId, Arn, AwsPartition},
    secret::Secret,
    single_flight::SingleFlight,
};
use counting::CountingInterceptor;
use credentials::{CheckedProvider, CredentialLookup};
use variables::FailingProvider;

/// The connect timeout.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// The timeout of one attempt.
const ATTEMPT_WAIT: Duration = Duration::from_secs(30);
/// The timeout of a call, including retries.
const CALL_WAIT: Duration = Duration::from_mins(2);
/// The most attempts of a request: more than the SDK's three, because audits of large accounts are throttled regularly.
const MAX_ATTEMPTS: u32 = 5;

/// Access to AWS for one run, configured like every AWS tool (environment, profiles, container and instance roles,
/// `AWS_ENDPOINT_URL`…) when first needed.
///
/// Credentials are looked up once, so create one for each run.
#[derive(Debug)]
pub struct Aws {
    requests: Arc<RequestCounter>,
    max_attempts: u32,
    first_backoff: Option<Duration>,
    transport: Option<SharedHttpClient>,
    endpoint: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    accounts: Option<AccountSettings>,
    partition: Option<AwsPartition>,
    own: OnceCell<Arc<AwsSession>>,
    sessions: OnceCell<AccountSessions>,
    single: SingleFlight<AccountId, Result<Arc<AwsSession>, AwsError>>,
    secrets: SingleFlight<(Arn, Option<String>), Result<Secret, AwsError>>,
    own_account: OnceCell<Result<Option<AccountId>, AwsError>>,
    config: OnceCell<SdkConfig>,
    found: OnceCell<CredentialLookup>,
    gave_up: AtomicBool,
}

impl Aws {
    /// AWS with the configuration of the environment, counting into `requests`. Sends no request.
    #[must_use]
    pub fn new(requests: Arc<RequestCounter>) -> Self {
        Self {
            requests,
            max_attempts: MAX_ATTEMPTS,
            first_backoff: None,
            transport: None,
            endpoint: None,
            credentials: None,
            accounts: None,
            partition: None,
            own: OnceCell::new(),
            sessions: OnceCell::new(),
            single: SingleFlight::default(),
            secrets: SingleFlight::default(),
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

    /// Sends all requests, including credential lookups, through `transport`: for replayed responses.
    #[must_use]
    pub fn with_transport(self, transport: impl HttpClient + 'static) -> Self {
        Self { transport: Some(SharedHttpClient::new(transport)), ..self }
    }

    /// Sends all requests to `endpoint` instead of AWS, like `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn with_endpoint(self, endpoint: impl Into<String>) -> Self {
        Self { endpoint: Some(endpoint.into()), ..self }
    }

    /// Uses this access key instead of looking up credentials.
    #[must_use]
    pub fn with_access_key(self, id: &str, secret: &Secret) -> Self {
        let key = aws_credential_types::Credentials::new(id, secret.reveal(), None, None, "given");
        self.with_credentials(key)
    }

    /// Uses these credentials instead of looking them up.
    #[must_use]
    pub fn with_credentials(self, credentials: impl ProvideCredentials + 'static) -> Self {
        Self { credentials: Some(SharedCredentialsProvider::new(credentials)), ..self }
    }

    /// The same identity for another run, counting into `requests`. Configuration, connections and credentials are
    /// kept; cached results of earlier runs are not.
    pub async fn for_another_run(&self, requests: Arc<RequestCounter>) -> Self {
        Self {
            max_attempts: self.max_attempts,
            first_backoff: self.first_backoff,
            transport: self.transport.clone(),
            endpoint: self.endpoint.clone(),
            credentials: self.credentials.clone(),
            accounts: self.accounts.clone(),
            partition: self.partition,
            config: OnceCell::new_with(Some(Box::pin(self.config()).await.clone())),
            ..Self::new(requests)
        }
    }

    /// Sets the accounts to read and the roles to assume.
    #[must_use]
    pub fn with_accounts(self, accounts: Option<AccountSettings>) -> Self {
        Self { accounts, ..self }
    }

    /// Sets the configured partition, unless the role of the accounts has another one.
    #[must_use]
    pub fn with_partition(self, partition: Option<AwsPartition>) -> Self {
        Self { partition, ..self }
    }

    /// The partition: that of the role or the settings, else that of the environment's region.
    pub(crate) async fn partition(&self) -> AwsPartition {
        match self.named_partition() {
            Some(partition) => partition,
            None => AwsPartition::from_region(self.config().await.region().map_or("", Region::as_ref)),
        }
    }

    fn named_partition(&self) -> Option<AwsPartition> {
        let role = self.accounts.as_ref().map(|accounts| &accounts.role);
        role.and_then(RoleTemplate::partition).or(self.partition)
    }

    /// The identity that the environment provides.
    pub(crate) async fn own(&self) -> Arc<AwsSession> {
        let open = || async {
            let config = self.config().await.clone();
            Arc::new(AwsSession::new(None, config, self.partition().await, Arc::clone(&self.requests)))
        };
        Arc::clone(self.own.get_or_init(open).await)
    }

    /// A client of ECR Public, whose tokens are issued in us-east-1
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>).
    async fn ecr_public(&self) -> aws_sdk_ecrpublic::Client {
        let config = aws_sdk_ecrpublic::config::Builder::from(self.config().await)
            .region(aws_sdk_ecrpublic::config::Region::new("us-east-1"))
            .interceptor(CountingInterceptor::new("ecr-public", Arc::clone(&self.requests)))
            .build();
        aws_sdk_ecrpublic::Client::from_conf(config)
    }

    async fn config(&self) -> &SdkConfig {
        self.config.get_or_init(|| self.load()).await
    }

    /// The region is never requested from the instance metadata service: every client has its own, and outside AWS the
    /// request only takes seconds.
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
        let region = self.default_region().await;
        let unusable = FailingProvider::find(&region);
        let region = if unusable.is_some() { AwsPartition::COMMERCIAL.global_region().to_owned() } else { region };
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region))
            .retry_config(retry)
            .timeout_config(timeouts);
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
        let config = loader.load().await;
        let provider = match (unusable, config.credentials_provider()) {
            (Some(unusable), _) => SharedCredentialsProvider::new(unusable),
            (None, Some(provider)) => {
                SharedCredentialsProvider::new(CheckedProvider::new(provider, self.credentials.is_none()))
            }
            (None, None) => return config,
        };
        config.into_builder().credentials_provider(provider).build()
    }

    /// The region of the environment or the profile, if it belongs to the configured partition; else the region of that
    /// partition's global services.
    async fn default_region(&self) -> String {
        let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new());
        let found = chain.region().await.map(|region| region.to_string());
        let of_role = || std::env::var("AWS_ROLE_ARN").ok()?.parse::<Arn>().ok()?.partition();
        match (found, self.named_partition()) {
            (Some(region), Some(named)) if AwsPartition::from_region(&region) != named => {
                named.global_region().to_owned()
            }
            (Some(region), _) => region,
            (None, named) => named.or_else(of_role).unwrap_or(AwsPartition::COMMERCIAL).global_region().to_owned(),
        }
    }
}
