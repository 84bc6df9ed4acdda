//! Images in private ECR as deployments: each selected tag of each selected repository.
//!
//! A region or repository that cannot be listed is a [`CollectionError`]; an image that cannot be read is
//! still a deployment.

mod bases;
mod listing;
pub(in crate::inventory) mod manifests;
mod pushed;
mod response_size_limit;
mod shared;

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, future::BoxFuture, stream};

pub use self::bases::BaseRepositories;
pub(super) use self::listing::EcrRepository;
pub use self::pushed::{IgnoredPush, ImagePush, PushedInventory};
use self::{
    listing::{EcrImage, PartialListing},
    manifests::WantedManifests,
};
use super::{
    AwsScope, CollectionError, Deployment, DeploymentKind, EcrSettings, ImageSource, Inventory, InventoryResult,
    deployment_draft::DeploymentDraft,
    image_contents::{INDEX_DEPTH, ImageContents},
};
use crate::image::{Digest, Reference};

/// The images of private ECR: manifests are read through its API, configurations through the registry.
pub struct EcrInventory {
    settings: Vec<Arc<EcrSettings>>,
    aws_scope: Arc<AwsScope>,
}

/// A selected repository with its owner.
struct OwnedRepository {
    settings: Arc<EcrSettings>,
    repository: Arc<EcrRepository>,
    owner: Option<String>,
}

/// A selected image in its repository.
struct SelectedImage {
    repository: Arc<EcrRepository>,
    owner: Option<String>,
    image: EcrImage,
}

impl EcrInventory {
    /// The images of `aws_scope` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<EcrSettings>, aws_scope: Arc<AwsScope>) -> Self {
        Self { settings: settings.into_iter().map(Arc::new).collect(), aws_scope }
    }

    async fn collect(&self) -> InventoryResult {
        let mut errors = Vec::new();
        let repositories = self.repositories(&mut errors).await;
        let repositories = self.owned(repositories).await;
        let holdings = self.holdings(repositories, &mut errors).await;
        let findings = self.read(&holdings).await;
        let mut deployments = deployments(&holdings, &findings);
        deployments.sort_by(|a, b| a.id.cmp(&b.id));
        deployments.dedup_by(|a, b| a.id == b.id);
        errors.extend(self.aws_scope.take_errors());
        InventoryResult { deployments, errors, ..InventoryResult::default() }
    }

    /// The selected repositories of all regions, each with the settings that selected it.
    async fn repositories(&self, errors: &mut Vec<CollectionError>) -> Vec<(Arc<EcrSettings>, Arc<EcrRepository>)> {
        let mut targets = Vec::new();
        for settings in &self.settings {
            let account_regions = self.aws_scope.account_regions(&settings.regions, errors).await;
            targets.extend(account_regions.into_iter().map(|account_region| (Arc::clone(settings), account_region)));
        }
        let mut responses = stream::iter(targets)
            .map(|(settings, account_region)| async move {
                let listed = listing::repositories(&account_region, &settings).await;
                (settings, listed)
            })
            .buffer_unordered(self.aws_scope.concurrency);
        let mut repositories = Vec::new();
        while let Some((settings, listed)) = responses.next().await {
            errors.extend(listed.errors);
            self.aws_scope.progress.update(|all| all.repositories += listed.items.len());
            for repository in listed.items {
                self.aws_scope.allow(&repository.account);
                repositories.push((Arc::clone(&settings), repository));
            }
        }
        repositories
    }

    /// The selected repositories, with their owners.
    async fn owned(&self, repositories: Vec<(Arc<EcrSettings>, Arc<EcrRepository>)>) -> Vec<OwnedRepository> {
        let owned = stream::iter(repositories).map(|(settings, repository)| async move {
            let tags = self.aws_scope.repository_tags(&repository, settings.selector.needs_tags()).await;
            let owners = &self.aws_scope.owners;
            let owner = owners.tagged(&tags).or_else(|| owners.ruled(&repository.name, None)).map(str::to_owned);
            let is_selected = settings.selector.admits(&tags, owner.as_deref());
            is_selected.then_some(OwnedRepository { settings, repository, owner })
        });
        owned.buffer_unordered(self.aws_scope.concurrency).filter_map(|owned| async { owned }).collect().await
    }

    async fn holdings(
        &self,
        repositories: Vec<OwnedRepository>,
        errors: &mut Vec<CollectionError>,
    ) -> Vec<SelectedImage> {
        let mut responses = stream::iter(repositories)
            .map(|OwnedRepository { settings, repository, owner }| async move {
                let listed = listing::images(&repository, &settings).await;
                (repository, owner, listed)
            })
            .buffer_unordered(self.aws_scope.concurrency);
        let mut holdings = Vec::new();
        while let Some((repository, owner, PartialListing { items, errors: more })) = responses.next().await {
            errors.extend(more);
            let holding = |image| SelectedImage { repository: Arc::clone(&repository), owner: owner.clone(), image };
            holdings.extend(items.into_iter().map(holding));
        }
        holdings
    }

    /// Reads all images, then the platforms of those that are indexes.
    async fn read(&self, holdings: &[SelectedImage]) -> ImageContents {
        let mut findings = ImageContents::default();
        let mut wanted = WantedManifests::new();
        for SelectedImage { repository, image, .. } in holdings {
            want(&mut wanted, &image.digest, repository);
        }
        self.read_wanted(wanted, &mut findings).await;
        for _ in 0..INDEX_DEPTH {
            let mut wanted = WantedManifests::new();
            for SelectedImage { repository, image, .. } in holdings {
                for listed in findings.images(&image.digest) {
                    if !findings.has_tried(&listed.child.digest, Some(&repository.repository)) {
                        want(&mut wanted, &listed.child.digest, repository);
                    }
                }
            }
            if wanted.is_empty() {
                break;
            }
            self.read_wanted(wanted, &mut findings).await;
        }
        findings
    }

    async fn read_wanted(&self, wanted: WantedManifests, findings: &mut ImageContents) {
        let AwsScope { images, concurrency, progress, .. } = &*self.aws_scope;
        manifests::read(images, *concurrency, progress, wanted, findings).await;
    }
}

impl Inventory for EcrInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        Box::pin(self.collect())
    }
}

/// Adds `repository` to those that have `digest`, once.
fn want(wanted: &mut WantedManifests, digest: &Digest, repository: &Arc<EcrRepository>) {
    let holders = wanted.entry(digest.clone()).or_default();
    if !holders.iter().any(|holder| holder.repository == repository.repository) {
        holders.push(Arc::clone(repository));
    }
}

/// One deployment for each tag and platform. The untagged platform images of an index are part of that index.
fn deployments(holdings: &[SelectedImage], findings: &ImageContents) -> Vec<Deployment> {
    let platforms: BTreeSet<_> = holdings
        .iter()
        .flat_map(|SelectedImage { repository, image, .. }| {
            let listed = findings.listed(&image.digest).into_iter();
            listed.map(|digest| (&repository.repository, digest)).collect::<Vec<_>>()
        })
        .collect();
    let mut deployments = Vec::new();
    for holding in holdings {
        let SelectedImage { repository, image, .. } = holding;
        for tag in &image.tags {
            deployments.extend(draft(holding, Some(tag)).deployments(&image.digest, findings));
        }
        if image.tags.is_empty() && !platforms.contains(&(&repository.repository, image.digest.clone())) {
            deployments.extend(draft(holding, None).deployments(&image.digest, findings));
        }
    }
    deployments
}

fn draft(SelectedImage { repository, owner, image }: &SelectedImage, tag: Option<&String>) -> DeploymentDraft {
    let name = match tag {
        Some(tag) => format!("{}:{tag}", repository.name),
        None => format!("{}@{}", repository.name, image.digest),
    };
    let reference = ImageSource::Reference(Reference {
        repository: repository.repository.clone(),
        tag: tag.cloned(),
        digest: tag.is_none().then(|| image.digest.clone()),
    });
    let id = format!("ecr:{}:{}:{name}", repository.region, repository.account);
    let deployment = Deployment {
        account: Some(repository.account.clone()),
        region: Some(repository.region.clone()),
        arn: repository.arn.clone(),
        owner: owner.clone(),
        pushed_at: image.pushed_at,
        holding: super::ImageAvailability::Held,
        ..Deployment::unread(DeploymentKind::Ecr, id, name, reference)
    };
    deployment.into()
}
