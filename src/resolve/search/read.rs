//! Reads candidates from their registry, each once ever.

use std::collections::{BTreeSet, HashMap};

use super::{LayerSearcher, candidates::CandidateRelease, order::ReadDepth};
use crate::{
    image::{
        ChildManifest, Digest, DigestContent, DigestKind, ImageFacts, ImageManifest, LambdaArch, ManifestDocument,
        Platform, PlatformRelease, Reference, Repository,
    },
    registry::{self, FetchedManifest},
    store::{SharedContent, TagObservation},
};

/// The manifests that were read in this run. Their configurations may be needed later.
pub(super) type ManifestCache = HashMap<Digest, ImageManifest>;

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
struct CandidateLocation {
    /// The digest of its manifest.
    manifest: Digest,
    /// The digest of the index that its tag points at.
    index: Option<Digest>,
}

impl LayerSearcher<'_> {
    /// Reads a candidate in `repository`: one request, and one more each for an index and for its configuration. `None`
    /// if it has no image for `arch`.
    pub(super) async fn read(
        &self,
        repository: &Repository,
        candidate: &CandidateRelease,
        arch: LambdaArch,
        depth: ReadDepth,
        manifests: &mut ManifestCache,
    ) -> Result<Option<PlatformRelease>, ReadError> {
        let platform = Platform::new("linux", arch.oci(), None);
        let tag = candidate.tag.to_string();
        let Some(location) = self.locate(repository, &tag, &platform, manifests).await? else { return Ok(None) };
        let CandidateLocation { manifest, index } = location;
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
        manifests: &mut ManifestCache,
    ) -> Result<Option<CandidateLocation>, ReadError> {
        let catalog = self.resolver.images.catalog();
        let carried =
            catalog.read_repository(repository, |record| record.carried.get(tag).map(|seen| seen.digest.clone()));
        let is_known = |digest: &Digest| manifests.contains_key(digest) || catalog.content(digest).is_some();
        let digest = match carried {
            Some(digest) if is_known(&digest) => digest,
            Some(digest) => self.fetch(&Reference::pinned(repository.clone(), digest), manifests).await?,
            None => {
                let digest = self.fetch(&Reference::tagged(repository.clone(), tag), manifests).await?;
                let kind = catalog.content(&digest).map(|content| content.kind());
                self.resolver.note_carried(
                    repository,
                    tag,
                    TagObservation::new(digest.clone(), kind, self.resolver.seen_at),
                );
                digest
            }
        };
        let content = catalog.content(&digest);
        match content.as_deref() {
            Some(content @ DigestContent::Index(index)) => {
                let says_all = |child: &ChildManifest| child.platform.is_some() && child.kind == DigestKind::Manifest;
                let entry = self.resolver.images.entry_for(repository, &digest, content, platform);
                let entry = if index.children.iter().all(says_all) {
                    entry.await?
                } else {
                    self.allowance.send(entry).await.ok_or(ReadError::UsedUp)??
                };
                Ok(entry.map(|entry| CandidateLocation { manifest: entry.digest, index: Some(digest.clone()) }))
            }
            _ => Ok(Some(CandidateLocation { manifest: digest, index: None })),
        }
    }

    /// Reads the image `manifest` up to `depth`; also its configuration if the manifest lists no layers.
    async fn read_image(
        &self,
        repository: &Repository,
        digest: Digest,
        platform: Platform,
        depth: ReadDepth,
        manifests: &mut ManifestCache,
    ) -> Result<Option<PlatformRelease>, ReadError> {
        if !manifests.contains_key(&digest) {
            self.fetch(&Reference::pinned(repository.clone(), digest.clone()), manifests).await?;
        }
        let Some(manifest) = manifests.get(&digest) else { return Ok(None) };
        let seen_at = self.resolver.seen_at;
        if depth == ReadDepth::Manifest && !manifest.layers.is_empty() {
            return Ok(PlatformRelease::from_manifest(digest, manifest, platform, seen_at));
        }
        let document = ManifestDocument::Manifest(manifest.clone());
        let read = self.resolver.images.complete(repository, &digest, document);
        let content = self.allowance.send(read).await.ok_or(ReadError::UsedUp)??;
        Ok(image_of(&content).and_then(|facts| PlatformRelease::new(digest, facts, seen_at)))
    }

    /// Fetches `reference` with one request, and returns its digest.
    async fn fetch(&self, reference: &Reference, manifests: &mut ManifestCache) -> Result<Digest, ReadError> {
        let result = self.allowance.send(self.resolver.images.registry().manifest(reference)).await;
        let FetchedManifest { digest, document } = result.ok_or(ReadError::UsedUp)??;
        match document {
            ManifestDocument::Manifest(manifest) => drop(manifests.insert(digest.clone(), manifest)),
            ManifestDocument::Index(index) => {
                drop(self.resolver.images.catalog().insert_content(&digest, DigestContent::Index(index)));
            }
        }
        Ok(digest)
    }

    /// The image `manifest` if the catalog has it.
    fn known_image(&self, manifest: &Digest) -> Option<ImageFacts> {
        self.resolver.images.catalog().content(manifest).as_ref().and_then(image_of).cloned()
    }
}

fn image_of(known: &SharedContent) -> Option<&ImageFacts> {
    match &**known {
        DigestContent::Image(facts) => Some(facts),
        DigestContent::Index(_) => None,
    }
}
