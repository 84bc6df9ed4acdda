//! The content of a loopback registry: manifests, blobs and tags, generated from short specifications.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use serde_json::{Value, json};

use basewatch::image::{Annotations, Digest, MANIFEST_MEDIA_TYPES, Platform};

/// The content of a registry. Clones share it, and it may change while it is served.
#[derive(Clone, Debug, Default)]
pub struct Stock(Arc<Mutex<BTreeMap<String, StockRepository>>>);

/// One repository.
#[derive(Debug, Default)]
struct StockRepository {
    manifests: BTreeMap<Digest, (String, Bytes)>,
    blobs: BTreeMap<Digest, Bytes>,
    tags: BTreeMap<String, Digest>,
}

/// A manifest as it is served.
#[derive(Debug)]
pub(crate) struct StockManifest {
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its media type.
    pub(crate) media_type: String,
    /// Its bytes.
    pub(crate) body: Bytes,
}

/// What an image is made from.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// The platform.
    pub platform: Platform,
    /// `created` of the configuration.
    pub created: Option<String>,
    /// The labels of the configuration.
    pub labels: Annotations,
    /// The annotations of the manifest.
    pub annotations: Annotations,
    /// The contents of the layers, lowest first: any bytes, equal ones for equal layers.
    pub layers: Vec<Vec<u8>>,
    /// Whether it has Docker's media types and not the OCI's.
    pub docker_media_types: bool,
}

impl Default for ImageSpec {
    fn default() -> Self {
        Self {
            platform: Platform::new("linux", "amd64", None),
            created: None,
            labels: Annotations::new(),
            annotations: Annotations::new(),
            layers: Vec::new(),
            docker_media_types: false,
        }
    }
}

impl Stock {
    /// An empty stock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the image of one platform; its manifest's digest.
    #[must_use]
    pub fn push_image(&self, repository: &str, spec: &ImageSpec) -> Digest {
        let config = written(configuration(spec));
        let (manifest_type, config_type, layer_type) = if spec.docker_media_types {
            (
                MANIFEST_MEDIA_TYPES[3],
                "application/vnd.docker.container.image.v1+json",
                "application/vnd.docker.image.rootfs.diff.tar",
            )
        } else {
            (
                MANIFEST_MEDIA_TYPES[1],
                "application/vnd.oci.image.config.v1+json",
                "application/vnd.oci.image.layer.v1.tar",
            )
        };
        let layers: Vec<_> = spec.layers.iter().map(|layer| descriptor(layer_type, layer)).collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": descriptor(config_type, &config),
            "layers": layers,
        });
        annotate(&mut manifest, &spec.annotations);
        for blob in spec.layers.iter().cloned().chain([config]) {
            self.change(repository, |repository| repository.blobs.insert(Digest::sha256(&blob), blob.into()));
        }
        self.push_raw(repository, manifest_type, written(manifest))
    }

    /// Adds an index over images of `repository`; its digest. It may name images that are not there.
    #[must_use]
    pub fn push_index(
        &self,
        repository: &str,
        children: &[(Digest, Platform)],
        annotations: &Annotations,
        docker_media_types: bool,
    ) -> Digest {
        let (index_type, child_type) = if docker_media_types {
            (MANIFEST_MEDIA_TYPES[2], MANIFEST_MEDIA_TYPES[3])
        } else {
            (MANIFEST_MEDIA_TYPES[0], MANIFEST_MEDIA_TYPES[1])
        };
        let manifests: Vec<_> = children
            .iter()
            .map(|(digest, platform)| {
                let found = self.manifest(repository, digest.as_str());
                json!({
                    "mediaType": found.as_ref().map_or(child_type, |found| found.media_type.as_str()),
                    "digest": digest,
                    "size": found.as_ref().map_or(0, |found| found.body.len()),
                    "platform": platform_object(platform),
                })
            })
            .collect();
        let mut index = json!({ "schemaVersion": 2, "mediaType": index_type, "manifests": manifests });
        annotate(&mut index, annotations);
        self.push_raw(repository, index_type, written(index))
    }

    /// Adds any bytes as a manifest served with `media_type`; their digest.
    #[must_use]
    pub fn push_raw(&self, repository: &str, media_type: &str, bytes: Vec<u8>) -> Digest {
        let digest = Digest::sha256(&bytes);
        self.change(repository, |repository| {
            repository.manifests.insert(digest.clone(), (media_type.to_owned(), bytes.into()));
        });
        digest
    }

    /// Adds a blob; its digest.
    #[must_use]
    pub fn push_blob(&self, repository: &str, bytes: Vec<u8>) -> Digest {
        let digest = Digest::sha256(&bytes);
        self.change(repository, |repository| repository.blobs.insert(digest.clone(), bytes.into()));
        digest
    }

    /// Points `tag` at `digest`, wherever it pointed before.
    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        self.change(repository, |repository| repository.tags.insert(tag.to_owned(), digest.clone()));
    }

    /// Removes `tag`.
    pub fn untag(&self, repository: &str, tag: &str) {
        self.change(repository, |repository| repository.tags.remove(tag));
    }

    /// What `name`, a tag or a digest, is in `repository`.
    pub(crate) fn manifest(&self, repository: &str, name: &str) -> Option<StockManifest> {
        let all = self.lock();
        let repository = all.get(repository)?;
        let digest = name.parse().ok().or_else(|| repository.tags.get(name).cloned())?;
        let (media_type, body) = repository.manifests.get(&digest)?.clone();
        Some(StockManifest { digest, media_type, body })
    }

    /// The index of the referrers of `image`, as in the referrers API.
    pub(super) fn referrers(&self, repository: &str, image: &str) -> Bytes {
        let all = self.lock();
        let manifests = all.get(repository).into_iter().flat_map(|repository| &repository.manifests);
        let referrers = manifests.filter_map(|(digest, (media_type, body))| {
            let manifest: Value = serde_json::from_slice(body).ok()?;
            (manifest["subject"]["digest"] == image).then(|| {
                let mut referrer = json!({
                    "mediaType": media_type, "digest": digest, "size": body.len(),
                    "artifactType": manifest["artifactType"],
                });
                // They are copied (OCI distribution specification, "Listing Referrers").
                if let Some(annotations) = manifest.get("annotations") {
                    referrer["annotations"] = annotations.clone();
                }
                referrer
            })
        });
        let referrers: Vec<_> = referrers.collect();
        let index = json!({ "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPES[0], "manifests": referrers });
        written(index).into()
    }

    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.lock().get(repository)?.blobs.get(&digest.parse().ok()?).cloned()
    }

    /// The tags, in a stable but unexpected order.
    pub(super) fn tags(&self, repository: &str) -> Option<Vec<String>> {
        let mut tags: Vec<_> = self.lock().get(repository)?.tags.keys().cloned().collect();
        tags.sort_by_cached_key(|tag| Digest::sha256(tag.as_bytes()));
        Some(tags)
    }

    fn change<T>(&self, repository: &str, change: impl FnOnce(&mut StockRepository) -> T) -> T {
        change(self.lock().entry(repository.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, StockRepository>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn configuration(spec: &ImageSpec) -> Value {
    let diff_ids: Vec<_> = spec.layers.iter().map(|layer| Digest::sha256(layer)).collect();
    let mut configuration = platform_object(&spec.platform);
    configuration["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
    configuration["config"] = json!({ "Labels": spec.labels });
    if let Some(created) = &spec.created {
        configuration["created"] = json!(created);
    }
    configuration
}

fn platform_object(platform: &Platform) -> Value {
    let text = platform.to_string();
    let mut parts = text.split('/');
    let mut object = json!({ "os": parts.next(), "architecture": parts.next() });
    if let Some(variant) = parts.next() {
        object["variant"] = json!(variant);
    }
    object
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
}

/// The bytes of a document, its keys in order: serde_json keeps another order where some dependency of a build
/// asks it to, and digests must not depend on that.
fn written(document: Value) -> Vec<u8> {
    sorted(document).to_string().into_bytes()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let keys: BTreeMap<_, _> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(keys.into_iter().collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        scalar => scalar,
    }
}

fn annotate(document: &mut Value, annotations: &Annotations) {
    if !annotations.is_empty() {
        document["annotations"] = json!(annotations);
    }
}
