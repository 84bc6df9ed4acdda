//! Images named in the configuration or on the command line, in any registry.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use futures::{StreamExt, future::BoxFuture, stream};

use super::{
    Deployment, DeploymentKind, ImageError, ImageSource, Inventory, InventoryProgress, InventoryResult,
    deployment_draft::DeploymentDraft,
    image_contents::{INDEX_DEPTH, ImageContents, ManifestContent},
};
use crate::{
    image::{Digest, Reference, Repository},
    registry::EcrHost,
    store::{ImageReader, TagResolution},
};

/// Images by reference. A reference without a digest is resolved by its registry.
pub struct NamedInventory {
    references: BTreeSet<Reference>,
    images: Arc<ImageReader>,
    concurrency: usize,
    seen_at: DateTime<Utc>,
    progress: Arc<InventoryProgress>,
}

impl NamedInventory {
    /// The images `references`, read `concurrency` at once. The digests of their tags are stored as observed at
    /// `seen_at`, the time of the system clock.
    #[must_use]
    pub fn new(
        references: Vec<Reference>,
        images: Arc<ImageReader>,
        concurrency: usize,
        seen_at: DateTime<Utc>,
    ) -> Self {
        let references = references.into_iter().collect();
        Self { references, images, concurrency: concurrency.max(1), seen_at, progress: Arc::default() }
    }

    /// Counts the images in `progress`.
    #[must_use]
    pub fn with_progress(self, progress: Arc<InventoryProgress>) -> Self {
        Self { progress, ..self }
    }

    /// The references, each with its digest or the error of resolving it.
    async fn pointers(&self) -> Vec<(Reference, Result<Digest, ImageError>)> {
        self.progress.update(|all| all.images.total += self.references.len());
        stream::iter(self.references.clone())
            .map(|reference| async move {
                let digest = match &reference.digest {
                    Some(digest) => Ok(digest.clone()),
                    None => match self.images.resolve_tag(&reference, self.seen_at).await {
                        Ok(TagResolution { digest, content, .. }) => {
                            self.images.announce(&reference.repository, &digest, &content);
                            Ok(digest)
                        }
                        Err(error) => Err(ImageError::from_registry(&error)),
                    },
                };
                self.progress.update(|all| all.images.done += 1);
                (reference, digest)
            })
            .buffer_unordered(self.concurrency)
            .collect()
            .await
    }

    /// Reads the digests of `required`; one that is in several repositories is read once.
    async fn read(&self, required: BTreeSet<(Digest, Repository)>, findings: &mut ImageContents) {
        let mut contents = stream::iter(required)
            .map(|(digest, repository)| async move {
                let found = ManifestContent::read(&self.images, &repository, &digest).await;
                (digest, repository, found)
            })
            .buffer_unordered(self.concurrency);
        while let Some((digest, repository, found)) = contents.next().await {
            findings.add(digest, Some(repository), found);
        }
    }

    async fn collect(&self) -> InventoryResult {
        let pointers = self.pointers().await;
        let required: BTreeSet<_> = pointers
            .iter()
            .filter_map(|(reference, digest)| Some((digest.as_ref().ok()?.clone(), reference.repository.clone())))
            .collect();
        let mut findings = ImageContents::default();
        self.read(required.clone(), &mut findings).await;
        for _ in 0..INDEX_DEPTH {
            let unread = required.iter().flat_map(|(digest, repository)| {
                let images = findings.images(digest).into_iter().map(|image| image.child.digest);
                let is_unread = |digest: &Digest| !findings.has_tried(digest, Some(repository));
                images.filter(is_unread).map(|digest| (digest, repository.clone())).collect::<Vec<_>>()
            });
            let unread: BTreeSet<_> = unread.collect();
            if unread.is_empty() {
                break;
            }
            self.read(unread, &mut findings).await;
        }
        let mut deployments: Vec<_> =
            pointers.into_iter().flat_map(|(reference, digest)| deployments(reference, digest, &findings)).collect();
        deployments.sort_by(|a, b| a.id.cmp(&b.id));
        InventoryResult { deployments, ..InventoryResult::default() }
    }
}

fn deployments(reference: Reference, digest: Result<Digest, ImageError>, findings: &ImageContents) -> Vec<Deployment> {
    // The account and region of an ECR host are shown in their own columns.
    let host = EcrHost::parse(&reference.repository.registry);
    let full = reference.to_string();
    let name = match host {
        Some(_) => full.split_once('/').map_or(full.as_str(), |(_, name)| name).to_owned(),
        None => full.clone(),
    };
    let account = host.and_then(|host| host.account.parse().ok());
    let region = host.and_then(|host| host.region.parse().ok());
    let source = ImageSource::Reference(reference);
    let deployment = Deployment::unread(DeploymentKind::Image, format!("image:{full}"), name, source);
    let draft = DeploymentDraft::from(Deployment { account, region, ..deployment });
    match digest {
        Ok(digest) => draft.deployments(&digest, findings),
        Err(why) => vec![draft.unreadable(why)],
    }
}

impl Inventory for NamedInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        Box::pin(self.collect())
    }
}
