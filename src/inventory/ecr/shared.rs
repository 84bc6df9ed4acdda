//! Images and resource tags of repositories, read once a run for all inventories.

use std::sync::Arc;

use chrono::TimeDelta;

use super::listing::{EcrRepository, repository_images};
use crate::{
    image::ErrorCode,
    inventory::{AwsScope, CollectionError, RepositoryImages, ResourceTags},
    store::ResourceTagsRecord,
};

/// How long cached resource tags of a repository are used.
const TAGS_LAST: TimeDelta = TimeDelta::days(1);

impl AwsScope {
    /// The images of a workload's `repository`: empty if it was deleted; `None`, with a recorded error, if it cannot be
    /// listed.
    pub(in crate::inventory) async fn images_of_deployed(
        &self,
        repository: &EcrRepository,
    ) -> Option<Arc<RepositoryImages>> {
        match self.repository_images(repository).await {
            Ok(listed) => Some(listed),
            Err(error) if error.code == ErrorCode::NotFound => Some(Arc::default()),
            Err(error) => {
                self.record_error(error);
                None
            }
        }
    }

    /// The images of `repository`, listed once a run.
    pub(in crate::inventory) async fn repository_images(
        &self,
        repository: &EcrRepository,
    ) -> Result<Arc<RepositoryImages>, CollectionError> {
        self.repository_images
            .get(repository.repository.clone(), async || repository_images(repository).await.map(Arc::new))
            .await
    }

    /// The resource tags of `repository`, if owners are determined by tags or `is_needed` is set. Cached for a day.
    pub(in crate::inventory) async fn repository_tags(
        &self,
        repository: &EcrRepository,
        is_needed: bool,
    ) -> Arc<ResourceTags> {
        if self.owners.tags.is_empty() && !is_needed {
            return Arc::default();
        }
        let read_tags = async || {
            let name = &repository.repository;
            let known = self.images.catalog().read_repository(name, |record| record.resource_tags.clone());
            if let Some(known) = known.filter(|known| self.seen_at - known.read_at < TAGS_LAST) {
                return Arc::new(known.tags);
            }
            match repository.resource_tags().await {
                Ok(tags) => {
                    let record = ResourceTagsRecord { read_at: self.seen_at, tags: tags.clone() };
                    self.images.catalog().update_repository(name, |known| known.resource_tags = Some(record));
                    Arc::new(tags)
                }
                Err(failure) => {
                    // Only the owner is unknown then, but owners and tags may select what to read.
                    self.record_error(CollectionError::new(repository.scope(), repository.extent(None), failure));
                    Arc::default()
                }
            }
        };
        self.tags.get(repository.repository.clone(), read_tags).await
    }
}
