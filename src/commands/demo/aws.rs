//! The AWS account of the demo, below the SDK: functions that run images of the fleet, and their repositories.
//!
//! It answers the calls of an audit of these functions, in one region and one page each.

use std::{collections::BTreeMap, sync::Arc};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::registry::DemoManifest;
use crate::image::{Digest, LambdaArch};

/// The account; a transport for the SDK.
#[derive(Clone, Debug)]
pub(super) struct DemoAws(Arc<DemoAccount>);

/// What the account holds in its region.
#[derive(Debug, Default)]
pub(super) struct DemoAccount {
    pub(super) id: String,
    pub(super) region: String,
    /// By name.
    pub(super) functions: BTreeMap<String, DemoFunction>,
    /// The images of each repository.
    pub(super) repositories: BTreeMap<String, Vec<PushedImage>>,
}

/// A function. With an alias, its version 1 is published and equals `$LATEST`.
#[derive(Debug)]
pub(super) struct DemoFunction {
    /// The reference that it was deployed by, and its digest at that time.
    pub(super) image: (String, Digest),
    pub(super) architecture: LambdaArch,
    pub(super) alias: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

/// An image in a repository.
#[derive(Debug)]
pub(super) struct PushedImage {
    pub(super) manifest: DemoManifest,
    pub(super) tag: String,
    pub(super) pushed_at: DateTime<Utc>,
}

impl DemoAws {
    pub(super) fn new(account: DemoAccount) -> Self {
        Self(Arc::new(account))
    }
}

impl DemoAccount {
    /// The body of the response, or the code of the error.
    fn response(&self, request: &HttpRequest) -> Result<Value, &'static str> {
        match request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next()) {
            Some(operation) => self.ecr(operation, request.body().bytes().unwrap_or_default()),
            None => self.lambda(request.uri()).ok_or("ResourceNotFoundException"),
        }
    }

    fn ecr(&self, operation: &str, body: &[u8]) -> Result<Value, &'static str> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let images = || {
            let images = self.repositories.get(body["repositoryName"].as_str().unwrap_or_default());
            images.ok_or("RepositoryNotFoundException")
        };
        match operation {
            "DescribeRepositories" => {
                let described: Vec<_> = self.repositories.keys().map(|name| self.described_repository(name)).collect();
                Ok(json!({ "repositories": described }))
            }
            "DescribePullThroughCacheRules" => Ok(json!({ "pullThroughCacheRules": [] })),
            "ListImageReferrers" => images().map(|_| json!({ "referrers": [] })),
            "DescribeImages" => {
                let described: Vec<_> = images()?.iter().map(PushedImage::described).collect();
                Ok(json!({ "imageDetails": described }))
            }
            "BatchGetImage" => {
                let requested = |image: &&PushedImage| {
                    let ids = body["imageIds"].as_array().into_iter().flatten();
                    ids.map(|id| &id["imageDigest"]).any(|digest| digest == image.manifest.digest.as_str())
                };
                let found: Vec<_> = images()?.iter().filter(requested).map(PushedImage::fetched).collect();
                Ok(json!({ "images": found, "failures": [] }))
            }
            _ => Err("UnknownOperationException"),
        }
    }

    fn described_repository(&self, name: &str) -> Value {
        let Self { id, region, .. } = self;
        json!({
            "repositoryName": name,
            "registryId": id,
            "repositoryArn": format!("arn:aws:ecr:{region}:{id}:repository/{name}"),
            "repositoryUri": format!("{id}.dkr.ecr.{region}.amazonaws.com/{name}"),
        })
    }

    /// The response to a `GET` of `/2015-03-31/functions/…`.
    fn lambda(&self, uri: &str) -> Option<Value> {
        let (_, path) = uri.split_once("/functions")?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.trim_matches('/');
        if path.is_empty() {
            let versions = |function: &DemoFunction| ["$LATEST", "1"].into_iter().take(function.version_count());
            let listed = self.functions.iter().flat_map(|(name, function)| {
                versions(function).map(|version| self.configuration(name, function, version, &format!(":{version}")))
            });
            return Some(json!({ "Functions": listed.collect::<Vec<_>>() }));
        }
        if let Some(name) = path.strip_suffix("/aliases") {
            let alias = self.functions.get(name)?.alias.iter();
            let listed = alias.map(|alias| {
                let arn = self.function_arn(name, &format!(":{alias}"));
                json!({ "AliasArn": arn, "Name": alias, "FunctionVersion": "1" })
            });
            return Some(json!({ "Aliases": listed.collect::<Vec<_>>() }));
        }
        let function = self.functions.get(path)?;
        let (version, qualifier) = if query.contains("Qualifier=1") { ("1", ":1") } else { ("$LATEST", "") };
        let mut configuration = self.configuration(path, function, version, qualifier);
        configuration["State"] = "Active".into();
        configuration["LastUpdateStatus"] = "Successful".into();
        let (uri, digest) = &function.image;
        let repository = uri.rsplit_once(':').map_or(uri.as_str(), |(repository, _)| repository);
        let resolved = format!("{repository}@{digest}");
        let code = json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": resolved });
        Some(json!({ "Configuration": configuration, "Code": code, "Tags": function.tags }))
    }

    fn configuration(&self, name: &str, function: &DemoFunction, version: &str, qualifier: &str) -> Value {
        json!({
            "FunctionName": name,
            "FunctionArn": self.function_arn(name, qualifier),
            "Version": version,
            "RevisionId": version,
            "PackageType": "Image",
            "CodeSha256": function.image.1.hex(),
            "Architectures": [function.architecture.to_string()],
            "MemorySize": 128,
            "LastModified": "1970-01-01T00:00:00.000+0000",
        })
    }

    fn function_arn(&self, name: &str, qualifier: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}{qualifier}", self.region, self.id)
    }
}

impl DemoFunction {
    fn version_count(&self) -> usize {
        if self.alias.is_some() { 2 } else { 1 }
    }
}

impl PushedImage {
    fn described(&self) -> Value {
        json!({
            "imageDigest": self.manifest.digest,
            "imageTags": [self.tag],
            "imagePushedAt": self.pushed_at.timestamp(),
            "imageManifestMediaType": self.manifest.media_type,
            "imageStatus": "ACTIVE",
            "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        })
    }

    fn fetched(&self) -> Value {
        json!({
            "imageId": { "imageDigest": self.manifest.digest },
            "imageManifest": String::from_utf8_lossy(&self.manifest.body),
            "imageManifestMediaType": self.manifest.media_type,
        })
    }
}

impl HttpConnector for DemoAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = match self.0.response(&request) {
            Ok(body) => (200, body),
            Err(code) => (400, json!({ "__type": code, "message": "not in the demo" })),
        };
        let status = StatusCode::try_from(status).expect("both are statuses");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
    }
}

impl HttpClient for DemoAws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
