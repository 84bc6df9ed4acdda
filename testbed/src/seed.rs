//! Images for the peers, built byte by byte and pushed like any client does.
//!
//! Uses no product code except the vocabulary: digests are computed with `sha2`, to detect errors of ours.

use std::fmt::Write as _;

use reqwest::{Client, StatusCode, header::LOCATION};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// `sha256:` and the digest of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// The contents of an image.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// `amd64` or `arm64`.
    pub architecture: &'static str,
    /// `created` of the configuration.
    pub created: String,
    /// The contents of the layers, lowest first.
    pub layers: Vec<String>,
    /// Labels of the configuration.
    pub labels: Vec<(String, String)>,
    /// Annotations of the manifest.
    pub annotations: Vec<(String, String)>,
    /// Docker's media types instead of OCI's.
    pub is_docker: bool,
}

impl Recipe {
    /// An amd64 image with these layers.
    pub fn new(created: &str, layers: &[&str]) -> Self {
        Self {
            architecture: "amd64",
            created: created.to_owned(),
            layers: layers.iter().map(|&layer| layer.to_owned()).collect(),
            labels: Vec::new(),
            annotations: Vec::new(),
            is_docker: false,
        }
    }

    /// With a label.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an annotation.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.push((name.to_owned(), value.to_owned()));
        self
    }

    /// For arm64.
    pub fn arm64(mut self) -> Self {
        self.architecture = "arm64";
        self
    }

    /// With Docker's media types.
    pub fn docker(mut self) -> Self {
        self.is_docker = true;
        self
    }

    /// The bytes.
    pub fn build(&self) -> Image {
        let [manifest_type, config_type, layer_type] = if self.is_docker {
            [
                DOCKER_MANIFEST,
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar",
            ]
        } else {
            [OCI_MANIFEST, "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"]
        };
        let layers: Vec<Vec<u8>> = self.layers.iter().map(|layer| layer.clone().into_bytes()).collect();
        let config = json!({
            "created": self.created,
            "architecture": self.architecture,
            "os": "linux",
            "config": { "Labels": map(&self.labels) },
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| digest(layer)).collect::<Vec<_>>() },
        });
        let config = config.to_string().into_bytes();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": descriptor(config_type, &config),
            "layers": layers.iter().map(|layer| descriptor(layer_type, layer)).collect::<Vec<_>>(),
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = map(&self.annotations);
        }
        let mut blobs = layers;
        blobs.push(config);
        Image::of(manifest_type, &manifest, blobs, Vec::new(), self.architecture)
    }
}

fn map(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect::<Map<_, _>>().into()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

/// An image or an index of images, as bytes.
#[derive(Clone, Debug)]
pub struct Image {
    /// The media type of the manifest.
    pub media_type: &'static str,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its digest.
    pub digest: String,
    /// Layers and configuration.
    pub blobs: Vec<Vec<u8>>,
    /// The images of an index.
    pub children: Vec<Image>,
    architecture: &'static str,
}

impl Image {
    fn of(
        media_type: &'static str,
        manifest: &Value,
        blobs: Vec<Vec<u8>>,
        children: Vec<Image>,
        architecture: &'static str,
    ) -> Self {
        let manifest = manifest.to_string().into_bytes();
        Self { media_type, digest: digest(&manifest), manifest, blobs, children, architecture }
    }

    /// The index of `children`, in the media type that goes with theirs.
    pub fn index(children: &[Image]) -> Self {
        let is_docker = children.iter().all(|child| child.media_type == DOCKER_MANIFEST);
        let media_type = if is_docker { DOCKER_LIST } else { OCI_INDEX };
        let entries: Vec<Value> = children
            .iter()
            .map(|child| {
                let mut entry = descriptor(child.media_type, &child.manifest);
                entry["platform"] = json!({ "os": "linux", "architecture": child.architecture });
                entry
            })
            .collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
        Self::of(media_type, &manifest, Vec::new(), children.to_vec(), "")
    }

    /// Pushes it to `repository` at `registry`, under `tag` or by digest.
    ///
    /// # Panics
    /// If the registry rejects it.
    pub async fn push(&self, registry: &Target, repository: &str, tag: Option<&str>) {
        for child in &self.children {
            Box::pin(child.push(registry, repository, None)).await;
        }
        for blob in &self.blobs {
            registry.push_blob(repository, blob).await;
        }
        self.push_manifest(registry, repository, tag.unwrap_or(&self.digest)).await;
    }

    /// Pushes only the manifest, of an image that is already there, under `name`.
    ///
    /// # Panics
    /// If the registry rejects it.
    pub async fn push_manifest(&self, registry: &Target, repository: &str, name: &str) {
        let request = registry.client.put(format!("{}/v2/{repository}/manifests/{name}", registry.endpoint));
        let request = request.header("Content-Type", self.media_type).body(self.manifest.clone());
        let response = registry.send(request).await;
        assert_eq!(response.status(), StatusCode::CREATED, "pushing {repository}:{name}");
    }
}

/// A registry to push to.
pub struct Target {
    /// `http://127.0.0.1:41234`.
    pub endpoint: String,
    /// The client.
    pub client: Client,
    /// User and password, for `Basic`.
    pub login: Option<(String, String)>,
}

impl Target {
    /// An open registry over plain HTTP.
    pub fn open(endpoint: String) -> Self {
        Self { endpoint, client: Client::new(), login: None }
    }

    /// A registry with `Basic` authentication.
    pub fn with_login(endpoint: String, user: &str, password: &str) -> Self {
        Self { login: Some((user.to_owned(), password.to_owned())), ..Self::open(endpoint) }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let request = match &self.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        request.send().await.expect("an answer of the registry")
    }

    async fn push_blob(&self, repository: &str, blob: &[u8]) {
        let response = self.send(self.client.post(format!("{}/v2/{repository}/blobs/uploads/", self.endpoint))).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "an upload to {repository} is begun");
        let location = response.headers()[LOCATION].to_str().expect("a location in ASCII").to_owned();
        let separator = if location.contains('?') { '&' } else { '?' };
        let request = self.client.put(format!("{location}{separator}digest={}", digest(blob))).body(blob.to_vec());
        assert_eq!(self.send(request).await.status(), StatusCode::CREATED, "a blob is pushed to {repository}");
    }
}
