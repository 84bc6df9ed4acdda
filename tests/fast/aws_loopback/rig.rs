//! The SDK pointed at one cloud, both ways.

use std::fmt;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use basewatch::image::Digest;
use chrono::{DateTime, Utc};
use testbed::aws::{Cloud, CloudServer};

pub(crate) const OWN: &str = "123456789012";
pub(crate) const OTHER: &str = "210987654321";
pub(crate) const REGION: &str = "eu-west-1";

/// One way to a cloud.
pub(crate) struct Way {
    pub(crate) config: SdkConfig,
    _server: Option<CloudServer>,
}

/// `cloud` without a socket, and over HTTP.
pub(crate) fn both_ways(cloud: &Cloud) -> [Way; 2] {
    let server = CloudServer::start(cloud.clone()).unwrap();
    let over_http = config().to_builder().endpoint_url(server.endpoint()).build();
    let in_process = config().to_builder().http_client(cloud.transport()).build();
    [Way { config: in_process, _server: None }, Way { config: over_http, _server: Some(server) }]
}

/// Without retries, so that calls can be counted.
fn config() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(key("AKIDEXAMPLE", None))
        .build()
}

/// The key of that id.
pub(crate) fn key(id: &str, token: Option<&str>) -> SharedCredentialsProvider {
    let token = token.map(str::to_owned);
    SharedCredentialsProvider::new(Credentials::new(id, "secret", token, None, "test"))
}

impl Way {
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    pub(crate) fn ecr(&self) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&self.config)
    }

    pub(crate) fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.config)
    }

    pub(crate) fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }

    /// The same with another key, in `region`.
    pub(crate) fn with(&self, credentials: SharedCredentialsProvider, region: &str) -> SdkConfig {
        self.config.to_builder().credentials_provider(credentials).region(Region::new(region.to_owned())).build()
    }
}

/// Code and HTTP status of a service error.
pub(crate) fn refusal<T: fmt::Debug, E>(result: Result<T, SdkError<E, Response>>) -> (String, u16)
where
    E: ProvideErrorMetadata + fmt::Debug,
{
    let error = result.unwrap_err();
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.meta().code());
    (code.unwrap_or_else(|| panic!("no code: {error:?}")).to_owned(), status)
}

/// Whether there was no response.
pub(crate) fn is_unreachable<T, E>(result: &Result<T, SdkError<E, Response>>) -> bool {
    matches!(result, Err(SdkError::DispatchFailure(_)))
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn digest(of: &str) -> Digest {
    Digest::sha256(of.as_bytes())
}
