//! The crawl: reads the releases of base repositories through the `Registry` port.
//!
//! For each architecture, one `GET` returns the manifest with the layer digests. A second one for the configuration
//! returns the `diff_ids`, which are independent of compression, unless a release with the same layers was read before.
//! A `HEAD` of the plain tag returns the digest of the index, which labels record.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};

use super::{
    CrawlJournal, CrawlScope, JournalError, LineListing, ReleaseCatalog,
    listing::{KnownTags, ListedRelease},
};
use crate::{
    image::{
        Digest, DigestKind, ImageFacts, ImageManifest, LambdaArch, ManifestDocument, Platform, PlatformRelease,
        Reference, Repository, chain_id,
    },
    registry::{Error, MissingContent, Registry},
};

/// The number of releases read at once; after a kill these are read again.
const RELEASES_AT_ONCE: usize = 16;

/// Why a crawl ended early. What it read is in its journal.
#[derive(Debug, thiserror::Error)]
pub enum CrawlError {
    /// A registry does not respond.
    #[error("{repository} can no longer be read: {error}")]
    Registry {
        /// The repository that was being read.
        repository: Repository,
        /// The error.
        error: Error,
    },
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The progress of a crawl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlProgress {
    /// Tag lists are being read.
    Lists {
        /// Read.
        done: usize,
        /// All.
        total: usize,
    },
    /// Releases are being read.
    Releases {
        /// Requests done, including those of earlier processes.
        done: usize,
        /// Requests in total, at most.
        total: usize,
    },
}

/// The result of a crawl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrawlResult {
    /// The known and the new releases.
    pub catalog: ReleaseCatalog,
    /// The number of new releases, each platform counted.
    pub added: usize,
    /// What could not be read and is not in the catalog, with the errors.
    pub skipped: Vec<String>,
}

/// The diff_ids of releases by their layers.
type DiffIdCache = Mutex<HashMap<Digest, (Platform, usize, Digest)>>;

/// Reads the releases in `scope` that neither `known` nor `journal` has. `clock` gives the times at which tag lists
/// were read.
///
/// # Errors
///
/// If a registry does not respond, or the journal cannot be written. The journal has everything read by then.
pub async fn crawl(
    registry: &dyn Registry,
    scope: &CrawlScope,
    known: ReleaseCatalog,
    journal: &mut CrawlJournal,
    clock: &(dyn Fn() -> DateTime<Utc> + Sync),
    progress: &(dyn Fn(CrawlProgress) + Sync),
) -> Result<CrawlResult, CrawlError> {
    let mut skipped = Vec::new();
    let repositories: BTreeSet<_> = scope.repositories.iter().collect();
    for (done, repository) in repositories.iter().enumerate() {
        progress(CrawlProgress::Lists { done, total: repositories.len() });
        if journal.listing(repository).is_none() {
            match list(registry, scope, repository, clock).await? {
                Ok(listing) => journal.add_listing(listing)?,
                Err(why) => skipped.push(why),
            }
        }
    }
    read_all(registry, &repositories, &known, journal, progress, &mut skipped).await?;
    let before = known.release_count();
    // A catalog is always newer than the one that it is made from.
    let built_at = journal.began_at().max(known.built_at() + chrono::TimeDelta::seconds(i64::from(before > 0)));
    let mut catalog = known.with_built_at(built_at);
    for (repository, release) in journal.releases() {
        catalog.insert(repository, release.clone());
    }
    Ok(CrawlResult { added: catalog.release_count() - before, catalog, skipped })
}

/// The tag list of `repository`, or the error of reading it.
async fn list(
    registry: &dyn Registry,
    scope: &CrawlScope,
    repository: &Repository,
    clock: &(dyn Fn() -> DateTime<Utc> + Sync),
) -> Result<Result<LineListing, String>, CrawlError> {
    let list = match registry.tags(repository).await {
        Ok(list) => list,
        Err(error @ Error::NotFound { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Err(CrawlError::Registry { repository: repository.clone(), error }),
    };
    let mut tags = list.tags;
    tags.retain(|tag| scope.has_tag(repository, tag));
    tags.sort_unstable();
    tags.dedup();
    let is_complete = list.is_complete && registry.cache_of(repository).is_none();
    Ok(Ok(LineListing { repository: repository.clone(), listed_at: clock(), tags, is_complete }))
}

async fn read_all(
    registry: &dyn Registry,
    repositories: &BTreeSet<&Repository>,
    known: &ReleaseCatalog,
    journal: &mut CrawlJournal,
    progress: &(dyn Fn(CrawlProgress) + Sync),
    skipped: &mut Vec<String>,
) -> Result<(), CrawlError> {
    let known_tags = KnownTags::new(known);
    let mut pending: Vec<(Repository, DateTime<Utc>, ListedRelease)> = Vec::new();
    let (mut done, mut total) = (0, 0);
    for listing in repositories.iter().filter_map(|repository| journal.listing(repository)) {
        if !listing.is_complete {
            skipped.push(format!("the tag list of {} is not complete: releases may be missing", listing.repository));
        }
        for release in listing.releases(&known_tags) {
            total += release.request_count();
            if journal.has_read(&listing.repository, &release.tag.to_string()) {
                done += release.request_count();
            } else {
                pending.push((listing.repository.clone(), listing.listed_at, release));
            }
        }
    }
    let layers = DiffIdCache::default();
    let read_before = journal.releases().iter().map(|(_, release)| release);
    for release in known.iter().map(|(_, release)| release).chain(read_before) {
        learn(&layers, release);
    }
    progress(CrawlProgress::Releases { done, total });
    let layers = &layers;
    let mut under_way = stream::iter(pending)
        .map(|(repository, listed_at, release)| async move {
            let read = ReleaseReader { registry, repository: &repository, first_seen: listed_at, layers };
            let read = read.release(&release).await;
            (repository, release, read)
        })
        .buffer_unordered(RELEASES_AT_ONCE);
    while let Some((repository, release, read)) = under_way.next().await {
        let tag = release.tag.to_string();
        match read {
            Ok(releases) => journal.add_release(&repository, tag, releases)?,
            Err(error) if is_about_one(&error) => skipped.push(format!("{repository}:{tag}: {error}")),
            Err(error) => return Err(CrawlError::Registry { repository, error }),
        }
        done += release.request_count();
        progress(CrawlProgress::Releases { done, total });
    }
    Ok(())
}

/// Whether the error affects one document only, so that others may still be read.
fn is_about_one(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. } | Error::Malformed { .. } | Error::TooLarge { .. } | Error::DigestMismatch { .. }
    )
}

fn learn(layers: &DiffIdCache, release: &PlatformRelease) {
    if let (Some(chain), Some(diff_ids)) = (&release.layers, &release.diff_ids) {
        let facts = (release.platform.clone(), release.layer_count, diff_ids.clone());
        layers.lock().unwrap_or_else(PoisonError::into_inner).insert(chain.clone(), facts);
    }
}

/// Reads the releases of one repository.
struct ReleaseReader<'a> {
    registry: &'a dyn Registry,
    repository: &'a Repository,
    first_seen: DateTime<Utc>,
    layers: &'a DiffIdCache,
}

impl ReleaseReader<'_> {
    /// The release on all its platforms.
    async fn release(&self, listed: &ListedRelease) -> Result<Vec<PlatformRelease>, Error> {
        let mut releases = Vec::new();
        for arch in &listed.architectures {
            let reference = self.tagged(listed.tag.on(*arch).to_string());
            let fetched = self.registry.manifest(&reference).await?;
            match fetched.document {
                ManifestDocument::Manifest(manifest) => releases.extend(self.image(fetched.digest, manifest).await?),
                ManifestDocument::Index(index) => {
                    let children = index.children.iter().map(|child| child.digest.clone()).collect();
                    releases.extend(self.children(children, &fetched.digest).await?);
                }
            }
        }
        if listed.has_plain_tag {
            self.plain(listed, &mut releases).await?;
        }
        for release in &mut releases {
            release.tags.insert(listed.tag.to_string());
        }
        Ok(releases)
    }

    /// Adds the plain tag: the digest of its index, or all images if there are no others.
    async fn plain(&self, listed: &ListedRelease, releases: &mut Vec<PlatformRelease>) -> Result<(), Error> {
        let reference = self.tagged(listed.tag.to_string());
        if !releases.is_empty() {
            let pointer = match self.registry.head(&reference).await {
                Ok(pointer) => pointer,
                // The images are known; only the digest of the index is missing.
                Err(Error::NotFound { missing: MissingContent::Tag(_), .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            if pointer.kind == Some(DigestKind::Index) {
                for release in releases {
                    release.index.get_or_insert_with(|| pointer.digest.clone());
                }
            }
            return Ok(());
        }
        let fetched = self.registry.manifest(&reference).await?;
        match fetched.document {
            ManifestDocument::Manifest(manifest) => releases.extend(self.image(fetched.digest, manifest).await?),
            ManifestDocument::Index(index) => {
                let is_lambda = |platform: &Platform| LambdaArch::from_oci(platform.architecture()).is_some();
                let children = index.children.iter();
                let children = children.filter(|child| child.platform.as_ref().is_none_or(is_lambda));
                let children = children.map(|child| child.digest.clone()).collect();
                releases.extend(self.children(children, &fetched.digest).await?);
            }
        }
        Ok(())
    }

    /// The images that an index lists.
    async fn children(&self, children: Vec<Digest>, index: &Digest) -> Result<Vec<PlatformRelease>, Error> {
        let mut releases = Vec::new();
        for child in children {
            let fetched = self.registry.manifest(&Reference::pinned(self.repository.clone(), child)).await?;
            // Nested indexes are not supported; no release has them.
            if let ManifestDocument::Manifest(manifest) = fetched.document {
                let release = self.image(fetched.digest, manifest).await?;
                releases.extend(release.map(|release| PlatformRelease { index: Some(index.clone()), ..release }));
            }
        }
        Ok(releases)
    }

    /// The release that a manifest describes; `None` if it has no layers.
    async fn image(&self, digest: Digest, manifest: ImageManifest) -> Result<Option<PlatformRelease>, Error> {
        let chain = chain_id(&manifest.layers);
        let known = chain
            .as_ref()
            .and_then(|chain| self.layers.lock().unwrap_or_else(PoisonError::into_inner).get(chain).cloned());
        if let Some((platform, layer_count, diff_ids)) = known {
            let release = PlatformRelease::from_manifest(digest, &manifest, platform, self.first_seen);
            return Ok(release.map(|release| PlatformRelease { layer_count, diff_ids: Some(diff_ids), ..release }));
        }
        let config = self.registry.config(self.repository, &manifest).await?;
        let facts = ImageFacts::read(manifest, &config).map_err(|error| Error::Malformed {
            what: format!("the configuration of {}@{digest}", self.repository),
            why: error.to_string(),
        })?;
        let release = PlatformRelease::new(digest, &facts, self.first_seen);
        if let Some(release) = &release {
            learn(self.layers, release);
        }
        Ok(release)
    }

    fn tagged(&self, tag: String) -> Reference {
        Reference::tagged(self.repository.clone(), tag)
    }
}
