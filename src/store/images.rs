//! Image facts by digest, from the catalog or else from the registry. Concurrent requests for a digest share one fetch.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::{Catalog, SharedContent, TagObservation};
use crate::{
    image::{Digest, DigestContent, ImageFacts, ManifestDocument, Reference, Repository},
    registry::{Error, Registry, Result},
};

/// Maximum lag of the tags of a pull-through cache: ECR asks the upstream for a tag at least once a day
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-working.html>).
const CACHE_LAG: TimeDelta = TimeDelta::hours(24);

/// The target of a tag.
#[derive(Clone, Debug)]
pub struct TagResolution {
    /// The digest.
    pub digest: Digest,
    /// Its content.
    pub content: SharedContent,
    /// When the tag was first seen at this digest.
    pub first_seen: DateTime<Utc>,
}

/// An image read by an inventory.
#[derive(Clone, Debug)]
pub struct InventoryImage {
    /// The repository.
    pub repository: Repository,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The image; never an index.
    pub content: SharedContent,
}

/// Reads image facts through the catalog.
pub struct ImageReader {
    registry: Arc<dyn Registry>,
    catalog: Arc<Catalog>,
    fetching: Mutex<HashMap<Digest, Arc<futures::lock::Mutex<()>>>>,
    /// Receives the images of inventories while these are being read.
    listener: Mutex<Option<UnboundedSender<InventoryImage>>>,
}

impl ImageReader {
    /// Reads from `registry` what `catalog` does not have.
    #[must_use]
    pub fn new(registry: Arc<dyn Registry>, catalog: Arc<Catalog>) -> Self {
        Self { registry, catalog, fetching: Mutex::default(), listener: Mutex::default() }
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &dyn Registry {
        &*self.registry
    }

    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// A stream of the images that inventories read from now on, until [`stop_listening`](Self::stop_listening). Replaces an
    /// earlier listener. Needs no bound: the catalog keeps the same images in memory.
    pub fn listen(&self) -> UnboundedReceiver<InventoryImage> {
        let (sender, receiver) = unbounded();
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Ends the stream of [`listen`](Self::listen).
    pub fn stop_listening(&self) {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Passes `content`, read by an inventory as `digest` in `repository`, to the listener if it is an image.
    pub fn announce(&self, repository: &Repository, digest: &Digest, content: &SharedContent) {
        if !matches!(&**content, DigestContent::Image(_)) {
            return;
        }
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &*listener {
            let (repository, digest) = (repository.clone(), digest.clone());
            // An error means that the listener is gone.
            drop(listener.unbounded_send(InventoryImage { repository, digest, content: Arc::clone(content) }));
        }
    }

    /// The content of `digest` in `repository`: an index, or an image with its configuration.
    pub async fn content(&self, repository: &Repository, digest: &Digest) -> Result<SharedContent> {
        if let Some(known) = self.catalog.content(digest) {
            return Ok(known);
        }
        let fetching = self.fetch_lock(digest);
        let _fetching = fetching.lock().await;
        if let Some(known) = self.catalog.content(digest) {
            return Ok(known);
        }
        let reference = Reference::pinned(repository.clone(), digest.clone());
        let fetched = self.registry.manifest(&reference).await?;
        self.read(repository, digest, fetched.document).await
    }

    /// Like [`content`](Self::content) for a document that was already fetched and verified against `digest`. Fetches only
    /// the configuration of a manifest.
    pub async fn complete(
        &self,
        repository: &Repository,
        digest: &Digest,
        document: ManifestDocument,
    ) -> Result<SharedContent> {
        let fetching = self.fetch_lock(digest);
        let _fetching = fetching.lock().await;
        match self.catalog.content(digest) {
            Some(known) => Ok(known),
            None => self.read(repository, digest, document).await,
        }
    }

    /// The target of the tag of `reference`, recorded as seen at `seen_at`.
    ///
    /// One `HEAD` if the last target is known: mostly the tag has not moved, and a `HEAD` does not count as a download. Else a
    /// `GET`, which returns the manifest.
    pub async fn resolve_tag(&self, reference: &Reference, seen_at: DateTime<Utc>) -> Result<TagResolution> {
        let repository = &reference.repository;
        let Some(tag) = &reference.tag else { return Err(Error::not_found(reference)) };
        let last = self.last_seen(repository, tag).filter(|last| self.catalog.content(&last.digest).is_some());
        let digest = if last.is_some() {
            self.registry.head(reference).await?.digest
        } else {
            let fetched = self.registry.manifest(reference).await?;
            self.complete(repository, &fetched.digest, fetched.document).await?;
            fetched.digest
        };
        let content = self.content(repository, &digest).await?;
        let location = self.tag_source(repository);
        if location != *repository
            && let Some(ahead) = self.ahead_of_cache(repository, tag, &digest, seen_at)
        {
            return Ok(ahead);
        }
        // Looked up again: the answer may have come through a cache this time.
        if let Some(last) = self.last_seen(repository, tag).filter(|last| last.digest == digest) {
            self.catalog.update_repository(&location, |record| {
                if let Some(observation) = record.moving.get_mut(tag).and_then(|history| history.last_mut()) {
                    observation.extend_to(seen_at);
                }
            });
            return Ok(TagResolution { digest, content, first_seen: last.first_seen });
        }
        let observation = TagObservation::new(digest.clone(), Some(content.kind()), seen_at);
        self.catalog
            .update_repository(&location, |record| record.moving.entry(tag.clone()).or_default().push(observation));
        Ok(TagResolution { digest, content, first_seen: seen_at })
    }

    /// The repository under which tags of `repository` are recorded: the pull-through cache it is read through, whose tags may
    /// lag behind upstream, or else itself.
    #[must_use]
    pub fn tag_source(&self, repository: &Repository) -> Repository {
        self.registry.cache_of(repository).unwrap_or_else(|| repository.clone())
    }

    /// The later target of the tag upstream, if a cache still has `digest` and its lag explains that.
    fn ahead_of_cache(
        &self,
        repository: &Repository,
        tag: &str,
        digest: &Digest,
        seen_at: DateTime<Utc>,
    ) -> Option<TagResolution> {
        let last = self.catalog.read_repository(repository, |record| {
            let history = record.moving.get(tag)?;
            let at = history.iter().rposition(|observation| observation.digest == *digest)?;
            history[at + 1..].last().filter(|last| seen_at - last.last_seen() <= CACHE_LAG).cloned()
        })?;
        let content = self.catalog.content(&last.digest)?;
        Some(TagResolution { digest: last.digest, content, first_seen: last.first_seen })
    }

    fn last_seen(&self, repository: &Repository, tag: &str) -> Option<TagObservation> {
        self.catalog.read_repository(&self.tag_source(repository), |record| record.moving.get(tag)?.last().cloned())
    }

    async fn read(
        &self,
        repository: &Repository,
        digest: &Digest,
        document: ManifestDocument,
    ) -> Result<SharedContent> {
        let content = match document {
            ManifestDocument::Index(index) => DigestContent::Index(index),
            ManifestDocument::Manifest(manifest) => {
                let config = self.registry.config(repository, &manifest).await?;
                DigestContent::Image(ImageFacts::read(manifest, &config).map_err(|error| Error::Malformed {
                    what: format!("the configuration of {repository}@{digest}"),
                    why: error.to_string(),
                })?)
            }
        };
        Ok(self.catalog.insert_content(digest, content))
    }

    fn fetch_lock(&self, digest: &Digest) -> Arc<futures::lock::Mutex<()>> {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(fetching.entry(digest.clone()).or_default())
    }
}
