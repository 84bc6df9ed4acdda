//! ECR: repositories with their images.

mod images;
mod wire;

use std::collections::BTreeMap;

use axum::body::Bytes;
use basewatch::image::Digest;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Cloud, Fields, Tags};
use crate::registry::Stock;

pub(super) use wire::respond;

/// An image, index or artifact in a repository, with the bytes that a registry serves for it.
#[derive(Clone, Debug)]
pub struct CloudImage {
    digest: Digest,
    media_type: String,
    manifest: Bytes,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: DateTime<Utc>,
    /// Its storage class.
    pub status: ImageStatus,
    /// Fields of `ImageDetail` that replace those made from the rest.
    pub fields: Fields,
}

/// The storage class of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageStatus {
    /// In standard storage.
    #[default]
    Active,
    /// In the archive: it is listed on request, and cannot be pulled.
    Archived,
}

impl ImageStatus {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
        }
    }
}

/// A rule that makes repositories below a prefix a cache of another registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudCacheRule {
    /// `ecr-public`, or `ROOT` for all repositories.
    pub prefix: String,
    /// The host: `public.ecr.aws`.
    pub upstream_url: String,
    /// The kind of registry: `ecr-public`.
    pub upstream: String,
    /// The upstream repository prefix; `ROOT` or `None` for none.
    pub upstream_prefix: Option<String>,
}

impl CloudCacheRule {
    /// The rule that AWS's console proposes for ECR Public.
    #[must_use]
    pub fn ecr_public(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            upstream_url: "public.ecr.aws".into(),
            upstream: "ecr-public".into(),
            upstream_prefix: None,
        }
    }
}

/// One repository.
#[derive(Debug, Default)]
pub(super) struct CloudRepository {
    images: BTreeMap<Digest, CloudImage>,
    tags: Tags,
}

impl CloudRepository {
    fn put(&mut self, mut image: CloudImage) {
        if let Some(known) = self.images.remove(&image.digest) {
            let remaining = known.tags.into_iter().filter(|tag| !image.tags.contains(tag)).collect::<Vec<_>>();
            image.tags.extend(remaining);
        }
        for other in self.images.values_mut() {
            other.tags.retain(|tag| !image.tags.contains(tag));
        }
        self.images.insert(image.digest.clone(), image);
    }
}

impl CloudImage {
    /// The image `name`, a tag or a digest, of the repository with this name in `stock`; without tags, pushed at the
    /// epoch, and active.
    #[must_use]
    pub fn from_stock(stock: &Stock, repository: &str, name: &str) -> Option<Self> {
        let found = stock.manifest(repository, name)?;
        Some(Self::new(&found.media_type, found.body))
    }

    /// An image with any bytes as its manifest; without tags, pushed at the epoch, and active.
    #[must_use]
    pub fn new(media_type: &str, manifest: impl Into<Bytes>) -> Self {
        let manifest = manifest.into();
        Self {
            digest: Digest::sha256(&manifest),
            media_type: media_type.to_owned(),
            manifest,
            tags: Vec::new(),
            pushed_at: DateTime::UNIX_EPOCH,
            status: ImageStatus::Active,
            fields: Fields::new(),
        }
    }

    /// The bytes of the manifest.
    #[must_use]
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The same with another tag.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// The same with these tags as well.
    #[must_use]
    pub fn with_tags(mut self, tags: &[&str]) -> Self {
        self.tags.extend(tags.iter().map(|tag| (*tag).to_owned()));
        self
    }

    /// The same with a field of `ImageDetail` replaced; null leaves it out.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The same with another push date.
    #[must_use]
    pub fn pushed(self, pushed_at: DateTime<Utc>) -> Self {
        Self { pushed_at, ..self }
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The manifest, if it is JSON.
    fn document(&self) -> Value {
        serde_json::from_slice(&self.manifest).unwrap_or(Value::Null)
    }
}

impl Cloud {
    /// Adds an empty repository; pushing an image also adds its repository.
    pub fn repository(&self, account: &str, region: &str, name: &str) {
        let mut world = self.change();
        let _ = world.region_mut(account, region).repositories.entry(name.to_owned()).or_default();
    }

    /// Tags a repository, as a resource.
    pub fn tag_repository(&self, account: &str, region: &str, name: &str, key: &str, value: &str) {
        let mut world = self.change();
        let repository = world.region_mut(account, region).repositories.entry(name.to_owned()).or_default();
        repository.tags.insert(key.to_owned(), value.to_owned());
    }

    /// Pushes `image` into a repository. Its tags move to it; the image also keeps its earlier tags.
    pub fn push(&self, account: &str, region: &str, repository: &str, image: CloudImage) {
        let mut world = self.change();
        world.region_mut(account, region).repositories.entry(repository.to_owned()).or_default().put(image);
    }

    /// Puts everything that the repository of that name in `stock` has under these tags into a repository, pushed
    /// at `pushed_at`, with the images that an index is over. Whether all of it was there.
    #[must_use]
    pub fn push_tags(
        &self,
        (account, region, repository): (&str, &str, &str),
        stock: &Stock,
        tags: &[&str],
        pushed_at: DateTime<Utc>,
    ) -> bool {
        let mut world = self.change();
        let here = world.region_mut(account, region).repositories.entry(repository.to_owned()).or_default();
        let mut is_whole = true;
        for tag in tags {
            let Some(image) = CloudImage::from_stock(stock, repository, tag) else {
                is_whole = false;
                continue;
            };
            let document = image.document();
            let children = document["manifests"].as_array().into_iter().flatten();
            for child in children.filter_map(|child| child["digest"].as_str()) {
                match CloudImage::from_stock(stock, repository, child) {
                    Some(child) if here.images.contains_key(&child.digest) => {}
                    Some(child) => here.put(child.pushed(pushed_at)),
                    None => is_whole = false,
                }
            }
            here.put(image.tagged(tag).pushed(pushed_at));
        }
        is_whole
    }

    /// Removes an image. Whether it existed.
    #[must_use]
    pub fn remove_image(&self, account: &str, region: &str, repository: &str, digest: &Digest) -> bool {
        let mut world = self.change();
        let repository = world.region_mut(account, region).repositories.get_mut(repository);
        repository.is_some_and(|repository| repository.images.remove(digest).is_some())
    }

    /// Moves an image into the archive. Whether it was there.
    #[must_use]
    pub fn archive_image(&self, account: &str, region: &str, repository: &str, digest: &Digest) -> bool {
        let mut world = self.change();
        let repository = world.region_mut(account, region).repositories.get_mut(repository);
        let image = repository.and_then(|repository| repository.images.get_mut(digest));
        image.map(|image| image.status = ImageStatus::Archived).is_some()
    }

    /// Adds a pull-through cache rule.
    pub fn pull_through(&self, account: &str, region: &str, rule: CloudCacheRule) {
        self.change().region_mut(account, region).rules.push(rule);
    }

    /// Lets other accounts read the repositories of `account`, as repository policies do.
    pub fn share_repositories_of(&self, account: &str) {
        self.change().shared_registries.insert(account.to_owned());
    }
}
