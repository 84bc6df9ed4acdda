//! Reads candidates from their registry, each once ever.

use std::collections::{BTreeSet, HashMap};

use super::{Searcher, candidates::Candidate, order::Depth};
use crate::{
    image::{
        Arch, Child, Content, Digest, DigestKind, Document, ImageFacts, Manifest, Platform, PlatformRelease, Reference,
        Repository,
    },
    registry::{self, Fetched},
    store::{Known, Seen},
};

/// The manifests that were read in this run. Their configurations may be needed later.
pub(super) type Manifests = HashMap<Digest, Manifest>;

/// Why a candidate was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The request budget of this run is used up.
    UsedUp,
    /// The registry returned an error.
    Registry(registry::Error),
}

impl From<registry::Error> for ReadError {
    fn from(error: registry::Error) -> Self {
        Self::Registry(error)
    }
}

impl ReadError {
    /// Whether it affects this candidate only, so that others can still be read.
    pub(super) fn is_of_candidate(&self) -> bool {
        use registry::Error as E;
        matches!(
            self,
            Self::Registry(E::NotFound { .. } | E::Malformed { .. } | E::TooLarge { .. } | E::DigestMismatch { .. })
        )
    }
}

/// The digests that locate a candidate's image.
struct Location {
    /// The digest of its manifest.
    manifest: Digest,
    /// The digest of the index that its tag points at.
    index: Option<Digest>,
}

impl Searcher<'_> {
    /// Reads a candidate in `repository`: one request, and one more each for an index and for its configuration. `None`
    /// if it has no image for `arch`.
    pub(super) async fn read(
        &self,
        repository: &Repository,
        candidate: &Candidate,
        arch: Arch,
        depth: Depth,
        manifests: &mut Manifests,
    ) -> Result<Option<PlatformRelease>, ReadError> {
        let platform = Platform::new("linux", arch.oci(), None);
        let tag = candidate.tag.to_string();
        let Some(location) = self.locate(repository, &tag, &platform, manifests).await? else { return Ok(None) };
        let Location { manifest, index } = location;
        let read = match self.known_image(&manifest) {
            Some(facts) => PlatformRelease::new(manifest, &facts, self.resolver.seen_at),
            None => self.read_image(repository, manifest, platform, depth, manifests).await?,
        };
        let tags = BTreeSet::from([candidate.tag.release().to_string()]);
        Ok(read.map(|release| PlatformRelease { tags, index, ..release }))
    }

    /// The digests of the image for `platform` that `tag` points at. Dated tags never move.
    async fn locate(
        &self,
        repository: &Repository,
        tag: &str,
        platform: &Platform,
        manifests: &mut Manifests,
    ) -> Result<Option<Location>, ReadError> {
        let catalog = self.resolver.images.catalog();
        let carried = catalog.recall(repository, |memory| memory.carried.get(tag).map(|seen| seen.digest.clone()));
        let is_known = |digest: &Digest| manifests.contains_key(digest) || catalog.content(digest).is_some();
        let digest = match carried {
            Some(digest) if is_known(&digest) => digest,
            Some(digest) => self.fetch(&Reference::pinned(repository.clone(), digest), manifests).await?,
            None => {
                let digest = self.fetch(&Reference::tagged(repository.clone(), tag), manifests).await?;
                let kind = catalog.content(&digest).map(|content| content.kind());
                self.resolver.note_carried(repository, tag, Seen::new(digest.clone(), kind, self.resolver.seen_at));
                digest
            }
        };
        let content = catalog.content(&digest);
        match content.as_deref() {
            Some(content @ Content::Index(index)) => {
                let says_all = |child: &Child| child.platform.is_some() && child.kind == DigestKind::Manifest;
                let entry = self.resolver.images.entry_for(repository, &digest, content, platform);
                let entry = if index.children.iter().all(says_all) {
                    entry.await?
                } else {
                    self.allowance.send(entry).await.ok_or(ReadError::UsedUp)??
                };
                Ok(entry.map(|entry| Location { manifest: entry.digest, index: Some(digest.clone()) }))
            }
            _ => Ok(Some(Location { manifest: digest, index: None })),
        }
    }

    /// Reads the image `manifest` up to `depth`; also its configuration if the manifest lists no layers.
    async fn read_image(
        &self,
        repository: &Repository,
        digest: Digest,
        platform: Platform,
        depth: Depth,
        manifests: &mut Manifests,
    ) -> Result<Option<PlatformRelease>, ReadError> {
        if !manifests.contains_key(&digest) {
            self.fetch(&Reference::pinned(repository.clone(), digest.clone()), manifests).await?;
        }
        let Some(manifest) = manifests.get(&digest) else { return Ok(None) };
        let seen_at = self.resolver.seen_at;
        if depth == Depth::Manifest && !manifest.layers.is_empty() {
            return Ok(PlatformRelease::from_manifest(digest, manifest, platform, seen_at));
        }
        let document = Document::Manifest(manifest.clone());
        let read = self.resolver.images.complete(repository, &digest, document);
        let content = self.allowance.send(read).await.ok_or(ReadError::UsedUp)??;
        Ok(image_of(&content).and_then(|facts| PlatformRelease::new(digest, facts, seen_at)))
    }

    /// Fetches `reference` with one request, and returns its digest.
    async fn fetch(&self, reference: &Reference, manifests: &mut Manifests) -> Result<Digest, ReadError> {
        let answer = self.allowance.send(self.resolver.images.registry().manifest(reference)).await;
        let Fetched { digest, document } = answer.ok_or(ReadError::UsedUp)??;
        match document {
            Document::Manifest(manifest) => drop(manifests.insert(digest.clone(), manifest)),
            Document::Index(index) => {
                drop(self.resolver.images.catalog().remember(&digest, Content::Index(index)));
            }
        }
        Ok(digest)
    }

    /// The image `manifest` if the catalog has it.
    fn known_image(&self, manifest: &Digest) -> Option<ImageFacts> {
        self.resolver.images.catalog().content(manifest).as_ref().and_then(image_of).cloned()
    }
}

fn image_of(known: &Known) -> Option<&ImageFacts> {
    match &**known {
        Content::Image(facts) => Some(facts),
        Content::Index(_) => None,
    }
}
