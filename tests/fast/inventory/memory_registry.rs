//! An in-memory registry that counts requests.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use basewatch::{
    http::ResponseBody,
    image::{Digest, ImageManifest, ManifestDocument, Reference, Repository},
    registry::{Error, FetchedManifest, MissingContent, Registry, Result, TagList, TagTarget},
};
use futures::future::{BoxFuture, ready};
use serde_json::{Value, json};

use testbed::aws::CloudImage;

use crate::inventory::account::{INDEX, MANIFEST};

/// The registry.
#[derive(Default)]
pub(crate) struct MemoryRegistry {
    blobs: Mutex<HashMap<Digest, Vec<u8>>>,
    tags: Mutex<HashMap<String, Digest>>,
    errors: Mutex<HashMap<String, Error>>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl MemoryRegistry {
    /// An empty one.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Stores a blob.
    pub(crate) fn put(&self, body: &[u8]) -> Digest {
        let digest = Digest::sha256(body);
        self.blobs.lock().unwrap().insert(digest.clone(), body.to_vec());
        digest
    }

    /// Stores a unique image with its configuration; `name` is its label `name`.
    pub(crate) fn image(&self, name: &str) -> CloudImage {
        self.image_on(name, "amd64")
    }

    /// The same for an architecture.
    pub(crate) fn image_on(&self, name: &str, architecture: &str) -> CloudImage {
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2026-08-22T00:13:00Z",
            "config": { "Labels": { "name": name } },
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(name.as_bytes())] },
        });
        let config = config.to_string();
        let digest = self.put(config.as_bytes());
        let layer = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::sha256(b"l"), "size": 1 });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len() },
            "layers": [layer],
        });
        CloudImage::new(MANIFEST, manifest.to_string())
    }

    /// Points `reference` (`host/repo:tag`) at a manifest and stores it.
    pub(crate) fn tag(&self, reference: &str, image: &CloudImage) {
        let digest = self.put(image.manifest());
        self.tags.lock().unwrap().insert(reference.to_owned(), digest);
    }

    /// Fails requests for a repository, or for one digest, with `error`.
    pub(crate) fn fail(&self, what: &str, error: Error) {
        self.errors.lock().unwrap().insert(what.to_owned(), error);
    }

    /// The number of requests by kind and name: `head …`, `get …` (a manifest by its tag), `manifest …`, `config …`.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().unwrap().clone()
    }

    fn ask(&self, what: &str, repository: &Repository, digest: Option<&Digest>) -> Result<()> {
        let name = digest.map_or_else(|| repository.to_string(), ToString::to_string);
        *self.asked.lock().unwrap().entry(format!("{what} {name}")).or_default() += 1;
        let errors = self.errors.lock().unwrap();
        let error = errors.get(&repository.to_string()).or_else(|| errors.get(digest?.as_str()));
        error.map_or(Ok(()), |error| Err(error.clone()))
    }

    fn blob(&self, repository: &Repository, missing: MissingContent) -> Result<Vec<u8>> {
        let blobs = self.blobs.lock().unwrap();
        let (MissingContent::Manifest(digest) | MissingContent::Configuration(digest)) = &missing else {
            panic!("{missing:?}")
        };
        let blob = blobs.get(digest).cloned();
        blob.ok_or_else(|| Error::NotFound { repository: repository.clone(), missing, cache: None })
    }

    fn find(&self, reference: &Reference) -> Result<Digest> {
        let tag = reference.to_string();
        let tagged = || self.tags.lock().unwrap().get(&tag).cloned();
        reference.digest.clone().or_else(tagged).ok_or_else(|| Error::not_found(reference))
    }
}

/// An index over images, one for each platform.
pub(crate) fn index(children: &[(&str, &str, &CloudImage)], more: &[Value]) -> CloudImage {
    let entry = |(os, architecture, image): &(&str, &str, &CloudImage)| {
        json!({
            "mediaType": MANIFEST, "digest": image.digest(), "size": image.manifest().len(),
            "platform": { "os": os, "architecture": architecture },
        })
    };
    let entries: Vec<_> = children.iter().map(entry).chain(more.iter().cloned()).collect();
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": { "of": "index" },
    });
    CloudImage::new(INDEX, index.to_string())
}

impl Registry for MemoryRegistry {
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<TagTarget>> {
        let asked = self.ask("head", &reference.repository, None);
        let pointer = || Ok(TagTarget { digest: self.find(reference)?, kind: None });
        Box::pin(ready(asked.and_then(|()| pointer())))
    }

    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<FetchedManifest>> {
        let fetched = || {
            if reference.digest.is_none() {
                self.ask("get", &reference.repository, None)?;
            }
            let digest = self.find(reference)?;
            self.ask("manifest", &reference.repository, Some(&digest))?;
            let document = ManifestDocument::parse(
                &self.blob(&reference.repository, MissingContent::Manifest(digest.clone()))?,
                None,
            )
            .map_err(|error| Error::Malformed { what: reference.to_string(), why: error.to_string() })?;
            Ok(FetchedManifest { digest, document })
        };
        Box::pin(ready(fetched()))
    }

    fn config<'a>(
        &'a self,
        repository: &'a Repository,
        manifest: &'a ImageManifest,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        let asked = self.ask("config", repository, Some(&manifest.config));
        let missing = || MissingContent::Configuration(manifest.config.clone());
        Box::pin(ready(asked.and_then(|()| self.blob(repository, missing())).map(ResponseBody::from)))
    }

    fn tags<'a>(&'a self, _: &'a Repository) -> BoxFuture<'a, Result<TagList>> {
        Box::pin(ready(Ok(TagList::default())))
    }
}
