//! The registry of the demo: images generated from short specifications, served on a loopback port.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::image::{Annotations, Digest, MANIFEST_MEDIA_TYPES, Platform};

/// The content of the registry.
#[derive(Debug, Default)]
pub(super) struct DemoContent(BTreeMap<String, DemoRepository>);

#[derive(Debug, Default)]
struct DemoRepository {
    manifests: BTreeMap<Digest, DemoManifest>,
    blobs: BTreeMap<Digest, Bytes>,
    tags: BTreeMap<String, Digest>,
}

/// A manifest as it is served.
#[derive(Clone, Debug)]
pub(super) struct DemoManifest {
    pub(super) digest: Digest,
    pub(super) media_type: &'static str,
    pub(super) body: Bytes,
}

/// What the image of one platform is made from.
#[derive(Debug)]
pub(super) struct DemoImageSpec {
    pub(super) platform: Platform,
    /// RFC 3339.
    pub(super) created: Option<String>,
    pub(super) labels: Annotations,
    pub(super) annotations: Annotations,
    /// The contents of the layers, lowest first: any bytes, equal ones for equal layers.
    pub(super) layers: Vec<Vec<u8>>,
}

impl DemoContent {
    /// Adds an image; the digest of its manifest.
    pub(super) fn push_image(&mut self, repository: &str, spec: DemoImageSpec) -> Digest {
        let config = json!({
            "os": spec.platform.os(),
            "architecture": spec.platform.architecture(),
            "created": spec.created,
            "config": { "Labels": spec.labels },
            "rootfs": { "type": "layers", "diff_ids": spec.layers.iter().map(|it| Digest::sha256(it)).collect::<Vec<_>>() },
        });
        let config = written(config);
        let layer_type = "application/vnd.oci.image.layer.v1.tar";
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPES[1],
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": spec.layers.iter().map(|layer| descriptor(layer_type, layer)).collect::<Vec<_>>(),
        });
        if !spec.annotations.is_empty() {
            manifest["annotations"] = json!(spec.annotations);
        }
        let blobs = &mut self.repository(repository).blobs;
        blobs.extend(spec.layers.into_iter().chain([config]).map(|blob| (Digest::sha256(&blob), blob.into())));
        self.push_manifest(repository, MANIFEST_MEDIA_TYPES[1], manifest)
    }

    /// Adds an index over images of `repository`; its digest.
    pub(super) fn push_index(&mut self, repository: &str, children: &[(Digest, Platform)]) -> Digest {
        let children = children.iter().map(|(digest, platform)| {
            let size = self.manifest(repository, digest.as_str()).map_or(0, |manifest| manifest.body.len());
            let platform = json!({ "os": platform.os(), "architecture": platform.architecture() });
            json!({ "mediaType": MANIFEST_MEDIA_TYPES[1], "digest": digest, "size": size, "platform": platform })
        });
        let children: Vec<_> = children.collect();
        let index = json!({ "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPES[0], "manifests": children });
        self.push_manifest(repository, MANIFEST_MEDIA_TYPES[0], index)
    }

    /// Points `tag` at `digest`, wherever it pointed before.
    pub(super) fn tag(&mut self, repository: &str, tag: &str, digest: &Digest) {
        self.repository(repository).tags.insert(tag.to_owned(), digest.clone());
    }

    /// Removes `tag`.
    pub(super) fn untag(&mut self, repository: &str, tag: &str) {
        self.repository(repository).tags.remove(tag);
    }

    /// The manifest of `name`, a tag or a digest.
    pub(super) fn manifest(&self, repository: &str, name: &str) -> Option<&DemoManifest> {
        let repository = self.0.get(repository)?;
        let digest = name.parse().ok().or_else(|| repository.tags.get(name).cloned())?;
        repository.manifests.get(&digest)
    }

    fn push_manifest(&mut self, repository: &str, media_type: &'static str, document: Value) -> Digest {
        let body = Bytes::from(written(document));
        let digest = Digest::sha256(&body);
        let manifest = DemoManifest { digest: digest.clone(), media_type, body };
        self.repository(repository).manifests.insert(digest.clone(), manifest);
        digest
    }

    fn repository(&mut self, name: &str) -> &mut DemoRepository {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The response to a `GET` of `path`; `None` if it names nothing.
    fn response(&self, path: &str) -> Option<Response> {
        let path = path.strip_prefix("/v2/")?;
        if let Some(name) = path.strip_suffix("/tags/list") {
            let tags: Vec<_> = self.0.get(name)?.tags.keys().collect();
            return Some(Json(json!({ "name": name, "tags": tags })).into_response());
        }
        if let Some((repository, name)) = path.rsplit_once("/manifests/") {
            let DemoManifest { digest, media_type, body } = self.manifest(repository, name)?.clone();
            let headers = [("content-type", media_type), ("docker-content-digest", digest.as_str())];
            return Some((headers, body).into_response());
        }
        let (repository, digest) = path.rsplit_once("/blobs/")?;
        let blob = self.0.get(repository)?.blobs.get(&digest.parse().ok()?)?;
        Some(([(header::CONTENT_TYPE, "application/octet-stream")], blob.clone()).into_response())
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
}

/// The bytes of a document. Its keys are sorted: whether serde_json sorts them itself depends on the features of a
/// build, and digests must not.
fn written(mut document: Value) -> Vec<u8> {
    document.sort_all_objects();
    document.to_string().into_bytes()
}

/// The server; it stops when dropped.
#[derive(Debug)]
pub(super) struct DemoRegistry {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl DemoRegistry {
    /// Serves `content` on a port of 127.0.0.1 that the system picks, within the running tokio runtime.
    pub(super) fn start(content: DemoContent) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let router = Router::new().fallback(respond).with_state(Arc::new(content));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until_dropped = async { drop(stopped.await) };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until_dropped).await {
                tracing::warn!(%error, "the registry of the demo stopped");
            }
        });
        Ok(Self { address, _stop: stop })
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }
}

async fn respond(State(content): State<Arc<DemoContent>>, uri: Uri) -> Response {
    content.response(uri.path()).unwrap_or_else(|| {
        // Clients tell a missing manifest from another 404 by the code
        // (OCI distribution specification, "Error Codes").
        let code = if uri.path().contains("/manifests/") { "MANIFEST_UNKNOWN" } else { "NOT_FOUND" };
        let body = json!({ "errors": [{ "code": code, "message": "there is nothing here" }] });
        (StatusCode::NOT_FOUND, Json(body)).into_response()
    })
}
