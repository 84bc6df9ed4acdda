//! The images of an index, including nested indexes, and selection by platform.

use std::collections::BTreeSet;

use super::{ImageReader, SharedContent};
use crate::{
    image::{
        ChildManifest, Digest, DigestContent, DigestKind, ImageFacts, ImageIndex, ImageManifest, Platform, Repository,
        choose_child,
    },
    registry::{Error, Result},
};

/// Maximum depth of nested indexes. Two levels are in use: an index of builds, each an index of platforms.
const INDEX_DEPTH: usize = 4;

/// Maximum number of documents read to determine the entries of one index. Most entries state their platform.
const INDEX_READS: usize = 32;

impl ImageReader {
    /// The entry that a machine of `platform` runs of `digest` in `repository`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When an entry without a platform cannot be read, and no other entry fits.
    pub async fn entry_for(
        &self,
        repository: &Repository,
        digest: &Digest,
        content: &DigestContent,
        platform: &Platform,
    ) -> Result<Option<ChildManifest>> {
        let index = match content {
            DigestContent::Image(facts) => {
                let image =
                    ChildManifest::new(digest.clone(), Some(facts.platform.clone()).filter(|own| !own.is_unknown()));
                return Ok(choose_child(&[image], platform).cloned());
            }
            DigestContent::Index(index) => index,
        };
        let mut walk = IndexWalk::default();
        let result = self.walk(repository, index, Some(platform), &mut walk).await;
        match choose_child(&walk.images, platform) {
            Some(image) => Ok(Some(image.clone())),
            None => result.map(|()| None),
        }
    }

    /// The image of [`ImageReader::entry_for`].
    ///
    /// # Errors
    ///
    /// As [`ImageReader::entry_for`], and when the image cannot be read.
    pub async fn image_for(
        &self,
        repository: &Repository,
        digest: &Digest,
        content: &DigestContent,
        platform: &Platform,
    ) -> Result<Option<(ChildManifest, SharedContent)>> {
        let Some(entry) = self.entry_for(repository, digest, content, platform).await? else { return Ok(None) };
        let known = self.content(repository, &entry.digest).await?;
        Ok(matches!(&*known, DigestContent::Image(_)).then_some((entry, known)))
    }

    /// All images of `digest` in `repository`, each with its platform if known.
    ///
    /// # Errors
    ///
    /// When a nested index or an entry without a platform cannot be read.
    pub async fn images_of(
        &self,
        repository: &Repository,
        digest: &Digest,
        content: &DigestContent,
    ) -> Result<Vec<ChildManifest>> {
        match content {
            DigestContent::Image(facts) => Ok(vec![ChildManifest::new(digest.clone(), Some(facts.platform.clone()))]),
            DigestContent::Index(index) => {
                let mut walk = IndexWalk::default();
                self.walk(repository, index, None, &mut walk).await.map(|()| walk.images)
            }
        }
    }

    /// The image with the configuration `digest`: some builders record the `Id` of a base, as Docker calls it. It is cached
    /// under that digest, without data of the manifest.
    ///
    /// # Errors
    ///
    /// When the blob does not exist or is not an image configuration.
    pub async fn configuration(&self, repository: &Repository, digest: &Digest) -> Result<SharedContent> {
        let manifest = ImageManifest::new(digest.clone(), None);
        let config = self.registry().config(repository, &manifest).await?;
        let facts = ImageFacts::read(manifest, &config).map_err(|error| Error::Malformed {
            what: format!("the blob {repository}@{digest}"),
            why: error.to_string(),
        })?;
        Ok(self.catalog().insert_content(digest, DigestContent::Image(facts)))
    }

    /// Collects the images of `index` level by level, with `required` until one matches exactly.
    async fn walk(
        &self,
        repository: &Repository,
        index: &ImageIndex,
        required: Option<&Platform>,
        walk: &mut IndexWalk,
    ) -> Result<()> {
        let mut level = index.children.clone();
        let mut result = Ok(());
        for _ in 0..INDEX_DEPTH {
            let (mut unstated, mut nested) = (Vec::new(), Vec::new());
            for child in level {
                match (&child.platform, child.kind) {
                    (_, DigestKind::Index) => nested.push(child),
                    (Some(_), _) => walk.images.push(child),
                    (None, _) => unstated.push(child),
                }
            }
            for child in unstated {
                if walk.has(required) {
                    return Ok(());
                }
                match self.read_entry(repository, &child, walk).await {
                    Ok(Some(known)) => walk.images.extend(image(child, &known)),
                    Ok(None) => {}
                    Err(error) => result = result.and(Err(error)),
                }
            }
            level = Vec::new();
            for child in nested {
                let suits =
                    |required: &Platform| child.platform.as_ref().is_none_or(|own| own.has_architecture_of(required));
                if walk.has(required) {
                    return Ok(());
                }
                if !required.is_none_or(suits) {
                    continue;
                }
                match self.read_entry(repository, &child, walk).await {
                    Ok(Some(known)) => level.extend(within(&child, &known)),
                    Ok(None) => {}
                    Err(error) => result = result.and(Err(error)),
                }
            }
            if level.is_empty() {
                return result;
            }
        }
        result.and(Err(too_much(repository, "its indexes are nested too deeply")))
    }

    /// The content of `child`, unless it was read before.
    async fn read_entry(
        &self,
        repository: &Repository,
        child: &ChildManifest,
        walk: &mut IndexWalk,
    ) -> Result<Option<SharedContent>> {
        if !walk.read.insert(child.digest.clone()) {
            return Ok(None);
        }
        if walk.read.len() > INDEX_READS {
            return Err(too_much(repository, "too many of its entries have no platform"));
        }
        self.content(repository, &child.digest).await.map(Some)
    }
}

/// State of the walk.
#[derive(Default)]
struct IndexWalk {
    images: Vec<ChildManifest>,
    read: BTreeSet<Digest>,
}

impl IndexWalk {
    /// Whether there is an image for exactly the `required` platform.
    fn has(&self, required: Option<&Platform>) -> bool {
        required.is_some_and(|required| self.images.iter().any(|image| image.platform.as_ref() == Some(required)))
    }
}

/// The entry of an image with the platform of its configuration. The platform `unknown` is that of an attestation.
fn image(child: ChildManifest, known: &DigestContent) -> Option<ChildManifest> {
    match known {
        DigestContent::Image(facts) if facts.platform.is_unknown() => None,
        DigestContent::Image(facts) => Some(ChildManifest { platform: Some(facts.platform.clone()), ..child }),
        DigestContent::Index(_) => None,
    }
}

/// The entries of the index `outer`. They inherit what only `outer` states.
fn within(outer: &ChildManifest, known: &DigestContent) -> Vec<ChildManifest> {
    match known {
        DigestContent::Index(index) => index.children.iter().map(|child| child.within(outer)).collect(),
        DigestContent::Image(_) => Vec::new(),
    }
}

fn too_much(repository: &Repository, why: &str) -> Error {
    Error::Malformed { what: format!("an index of {repository}"), why: why.to_owned() }
}
