//! Images in base repositories, which are releases themselves.

use futures::{StreamExt, stream};

use super::{ComparedImage, LayerSearcher};
use crate::{
    image::{Digest, Reference, Repository},
    registry,
};

/// The number of releases checked at once.
const CHECKED_AT_ONCE: usize = 16;

impl LayerSearcher<'_> {
    /// Adds those of `images` that are in a base repository as releases of it.
    pub(super) async fn record_own_releases(&self, images: &[ComparedImage<'_>]) {
        // Collected first: a stream that maps borrowed items lazily is not `Send`.
        let records: Vec<_> = images.iter().map(|image| self.record_own_release(*image)).collect();
        stream::iter(records).buffer_unordered(CHECKED_AT_ONCE).collect::<Vec<()>>().await;
    }

    /// An image in a mirror is a release only if the base repository has it: anyone may push to a mirror, and a release
    /// in the catalog is evidence for other images. That is one `HEAD`, once ever.
    async fn record_own_release(&self, image: ComparedImage<'_>) {
        let Some(repository) = &image.identification.base_repository else { return };
        let manifest = &image.image.digest;
        let is_direct = image.is_listed && image.repository == Some(repository);
        if is_direct || self.is_known_release(repository, manifest) || self.has_manifest(repository, manifest).await {
            let tag = image.tag.filter(|_| is_direct).map(str::to_owned);
            self.record_image(repository, tag, None, manifest, &image.image.facts);
        }
    }

    fn is_known_release(&self, repository: &Repository, manifest: &Digest) -> bool {
        let catalog = self.resolver.images.catalog();
        catalog.read_repository(repository, |record| record.releases.contains_key(manifest))
    }

    async fn has_manifest(&self, repository: &Repository, manifest: &Digest) -> bool {
        let reference = Reference::pinned(repository.clone(), manifest.clone());
        match self.resolver.images.registry().head(&reference).await {
            Ok(found) => found.digest == *manifest,
            Err(error) => {
                if !matches!(error, registry::Error::NotFound { .. }) {
                    tracing::info!("whether {repository} has {manifest} is unknown: {error}");
                }
                false
            }
        }
    }
}
