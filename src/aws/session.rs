//! A session: one identity in one account, with its clients, each created once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

use super::{
    AwsError,
    counting::CountingInterceptor,
    lambda::{LambdaClient, LambdaQuotas, ThrottleInterceptor},
    throttling::ThrottleClassifier,
};
use crate::{
    http::RequestCounter,
    image::{AccountId, AwsPartition, Region},
};

/// The most attempts of a request to a service with low quotas.
const THROTTLED_ATTEMPTS: u32 = 8;

/// One identity and its clients.
#[derive(Debug)]
pub struct AwsSession {
    account: Option<AccountId>,
    config: SdkConfig,
    partition: AwsPartition,
    requests: Arc<RequestCounter>,
    clients: SessionClients,
}

#[derive(Debug, Default)]
struct SessionClients {
    ecr: PerRegion<aws_sdk_ecr::Client>,
    ecs: PerRegion<aws_sdk_ecs::Client>,
    lambda: PerRegion<LambdaClient>,
    s3: PerRegion<aws_sdk_s3::Client>,
}

type PerRegion<T> = Mutex<HashMap<String, T>>;

/// A client of one service in one region.
macro_rules! client {
    ($self:ident, $region:ident, $sdk:ident, $service:literal $(, $interceptor:expr)? $(; $adjust:expr)?) => {{
        let mut config = $sdk::config::Builder::from(&$self.config)
            .region($sdk::config::Region::new($region.to_owned()))
            $(.interceptor($interceptor))?
            .interceptor(CountingInterceptor::new($service, Arc::clone(&$self.requests)));
        if let Some(retry) = $self.retry($service) {
            let partition = format!("{}-{}-{}", $service, $self.account.as_deref().unwrap_or("own"), $region);
            // By default all accounts would share one retry budget.
            config = config.retry_config(retry).retry_partition($sdk::config::retry::RetryPartition::new(partition));
        }
        $(let config = $adjust(config);)?
        $sdk::Client::from_conf(config.build())
    }};
}

impl AwsSession {
    pub(super) fn new(
        account: Option<AccountId>,
        config: SdkConfig,
        partition: AwsPartition,
        requests: Arc<RequestCounter>,
    ) -> Self {
        Self { account, config, partition, requests, clients: SessionClients::default() }
    }

    /// The same configuration for `account`, with other `credentials` if given.
    pub(super) fn in_account(&self, account: &AccountId, credentials: Option<SharedCredentialsProvider>) -> Self {
        let config = match credentials {
            Some(credentials) => self.config.to_builder().credentials_provider(credentials).build(),
            None => self.config.clone(),
        };
        Self::new(Some(account.clone()), config, self.partition, Arc::clone(&self.requests))
    }

    /// The account, if configured: basewatch's own is only known from list responses.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    pub(super) fn config(&self) -> &SdkConfig {
        &self.config
    }

    pub(super) fn partition(&self) -> AwsPartition {
        self.partition
    }

    /// Counts the requests of a client of `service`.
    pub(super) fn counting(&self, service: &'static str) -> CountingInterceptor {
        CountingInterceptor::new(service, Arc::clone(&self.requests))
    }

    /// Private ECR in `region`.
    pub(crate) fn ecr(&self, region: &str) -> aws_sdk_ecr::Client {
        get_or_create(&self.clients.ecr, region, || client!(self, region, aws_sdk_ecr, "ecr"))
    }

    /// ECS in `region`.
    pub(crate) fn ecs(&self, region: &str) -> aws_sdk_ecs::Client {
        get_or_create(&self.clients.ecs, region, || client!(self, region, aws_sdk_ecs, "ecs"))
    }

    /// Lambda in `region`, with its quotas.
    pub(crate) fn lambda(&self, region: &str) -> LambdaClient {
        get_or_create(&self.clients.lambda, region, || {
            let quotas = Arc::new(LambdaQuotas::default());
            LambdaClient::new(
                client!(self, region, aws_sdk_lambda, "lambda", ThrottleInterceptor::new(&quotas)),
                quotas,
            )
        })
    }

    /// Secrets Manager in `region`.
    pub(crate) fn secrets_manager(&self, region: &str) -> aws_sdk_secretsmanager::Client {
        client!(self, region, aws_sdk_secretsmanager, "secretsmanager")
    }

    /// SNS in `region`.
    pub(crate) fn sns(&self, region: &str) -> aws_sdk_sns::Client {
        let adjust = |config: aws_sdk_sns::config::Builder| config.retry_classifier(ThrottleClassifier);
        client!(self, region, aws_sdk_sns, "sns"; adjust)
    }

    /// S3 in `region`.
    ///
    /// With another endpoint than AWS, path-style requests are used: such a server has one name in DNS, not one for
    /// each bucket. AWS requires virtual-hosted-style requests
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).
    pub(crate) fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        let is_elsewhere = self.config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let adjust = |config: aws_sdk_s3::config::Builder| config.force_path_style(is_elsewhere);
        get_or_create(&self.clients.s3, region, || client!(self, region, aws_sdk_s3, "s3"; adjust))
    }

    /// The region of the environment.
    pub(crate) fn region(&self) -> &str {
        self.config.region().map_or("us-east-1", AsRef::as_ref)
    }

    /// The enabled regions of the account, sorted.
    pub(crate) async fn enabled_regions(&self) -> Result<Vec<Region>, AwsError> {
        use aws_sdk_account::types::RegionOptStatus::{Enabled, EnabledByDefault};
        // One endpoint for the whole partition (https://docs.aws.amazon.com/general/latest/gr/accounts.html).
        let region = self.partition.global_region();
        let client = client!(self, region, aws_sdk_account, "account");
        let call =
            client.list_regions().region_opt_status_contains(Enabled).region_opt_status_contains(EnabledByDefault);
        let pages = call.into_paginator().items().send().try_collect().await;
        let listed = pages.map_err(|error| AwsError::from_sdk("account:ListRegions", &error))?;
        let mut names: Vec<_> = listed.into_iter().filter_map(|region| region.region_name?.parse().ok()).collect();
        names.sort();
        Ok(names)
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        let region = self.region();
        client!(self, region, aws_sdk_sts, "sts")
    }

    /// AWS Organizations, at the one endpoint of the partition.
    pub(super) fn organizations(&self) -> aws_sdk_organizations::Client {
        let region = self.partition.global_region();
        client!(self, region, aws_sdk_organizations, "organizations")
    }

    /// Lambda's control plane, Organizations and ECS have quotas of a few requests a second, so more attempts are
    /// needed. Values set for tests stay. The SDK's adaptive mode is not used: with continued throttling it slows down
    /// until calls time out after two minutes; `LambdaClient` delays new calls itself.
    fn retry(&self, service: &str) -> Option<RetryConfig> {
        let retry = self.config.retry_config()?;
        let is_narrow =
            matches!(service, "lambda" | "ecs" | "organizations") && retry.max_attempts() == super::MAX_ATTEMPTS;
        is_narrow.then(|| retry.clone().with_max_attempts(THROTTLED_ATTEMPTS))
    }
}

fn get_or_create<T: Clone>(clients: &PerRegion<T>, region: &str, make: impl FnOnce() -> T) -> T {
    let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
    clients.entry(region.to_owned()).or_insert_with(make).clone()
}
