//! `securityhub:BatchImportFindings`, the only call to Security Hub: JSON signed and retried as in the SDK, whose crate for
//! this service is larger than all others together.

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::{
    auth::{
        SigV4OperationSigningConfig, SigningOptions,
        sigv4::{SCHEME_ID, SigV4AuthScheme},
    },
    retries::classifiers::AwsErrorCodeClassifier,
};
use aws_smithy_runtime::client::{
    orchestrator::operation::Operation,
    retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthSchemeOptionResolverParams, static_resolver::StaticAuthSchemeOptionResolver},
        behavior_version::BehaviorVersion,
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        runtime_components::RuntimeComponentsBuilder,
        runtime_plugin::StaticRuntimePlugin,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::Layer, error::ErrorMetadata};
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AwsError, AwsSession};

/// The response: what was not imported (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportResponse {
    #[serde(default)]
    failed_findings: Vec<RejectedFinding>,
}

/// A finding that was not imported.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RejectedFinding {
    /// Its id.
    pub(crate) id: String,
    /// A code such as `InvalidInput`.
    #[serde(default)]
    pub(crate) error_code: String,
    /// The reason, for people.
    #[serde(default)]
    pub(crate) error_message: String,
}

impl AwsSession {
    /// Imports `findings`, at most 100, into Security Hub in `region`. Returns those that were not imported.
    ///
    /// # Errors
    ///
    /// If the whole call failed.
    pub(crate) async fn import_findings(
        &self,
        region: &str,
        findings: &[Value],
    ) -> Result<Vec<RejectedFinding>, AwsError> {
        let call = format!("securityhub:BatchImportFindings in {region}");
        let credentials = self.config().credentials_provider();
        let credentials = credentials.ok_or_else(|| AwsError::credentials(format!("{call}: no AWS credentials")))?;
        let body = json!({ "Findings": findings }).to_string();
        let response = self.import_operation(region, credentials).invoke(body).await;
        response.map(|response| response.failed_findings).map_err(|error| AwsError::from_sdk(&call, &error))
    }

    fn import_operation(
        &self,
        region: &str,
        credentials: SharedCredentialsProvider,
    ) -> Operation<String, ImportResponse, ErrorMetadata> {
        let mut layer = Layer::new("SecurityHub");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(region.to_owned()))),
            region_set: None,
            name: Some(SigningName::from_static("securityhub")),
            signing_options: SigningOptions::default(),
        });
        let components = RuntimeComponentsBuilder::new("SecurityHub")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_resolver(SCHEME_ID, credentials);
        let config = self.config();
        let mut builder = Operation::builder()
            .service_name("securityhub")
            .operation_name("BatchImportFindings")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.security_hub(region))
            .interceptor(self.counting("securityhub"))
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .runtime_plugin(StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components));
        if let Some(client) = config.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(retry) = config.retry_config() {
            builder = builder.standard_retry(retry);
        }
        if let Some(timeouts) = config.timeout_config() {
            builder = builder.timeout_config(timeouts.clone());
        }
        builder.serializer(request).deserializer(response).build()
    }

    /// The endpoint (<https://docs.aws.amazon.com/general/latest/gr/sechub.html>).
    fn security_hub(&self, region: &str) -> String {
        let fips = if self.config().use_fips() == Some(true) { "-fips" } else { "" };
        match self.config().endpoint_url() {
            Some(endpoint) => endpoint.to_owned(),
            None => format!("https://securityhub{fips}.{region}.{}", self.partition().domain()),
        }
    }
}

fn request(body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/findings/import")?;
    request.headers_mut().insert("content-type", "application/json");
    Ok(request)
}

fn response(response: &HttpResponse) -> Result<ImportResponse, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(OrchestratorError::other);
    }
    Err(OrchestratorError::operation(refusal(response, body)))
}

/// The error code, without its namespace, and the message (<https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>).
fn refusal(response: &HttpResponse, body: &[u8]) -> ErrorMetadata {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| body[name].as_str()).map(str::to_owned);
    let code = response.headers().get("x-amzn-errortype").map(str::to_owned).or_else(|| text(["__type", "code"]));
    let code = code.as_deref().and_then(|code| code.split(':').next()?.rsplit('#').next());
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code {
        error = error.code(code);
    }
    if let Some(message) = text(["Message", "message"]) {
        error = error.message(message);
    }
    if let Some(id) = response.headers().get("x-amzn-requestid") {
        error = error.custom("aws_request_id", id);
    }
    error.build()
}
