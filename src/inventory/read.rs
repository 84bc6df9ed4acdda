//! From observed workloads to deployments: owners, image availability, and image contents.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::{StreamExt, stream};

use super::{
    AwsScope, Deployment, ImageAvailability, ImageError, ImageErrorCode, InventoryResult, RepositoryImages,
    ResourceTags, Selector,
    deployment_draft::DeploymentDraft,
    ecr::{EcrRepository, manifests},
    image_contents::{INDEX_DEPTH, ImageContents, ManifestContent},
};
use crate::{
    aws::AwsSession,
    image::{Digest, Repository},
};

/// A workload that runs an image, before the image is read.
#[derive(Clone)]
pub(super) struct ObservedWorkload {
    /// The deployment, as far as it is known.
    pub(super) draft: DeploymentDraft,
    /// The digest that runs, or the error that keeps it unknown.
    pub(super) digest: Result<Digest, ImageError>,
    /// Its resource tags.
    pub(super) tags: ResourceTags,
    /// The session that read it. It also reads the repository, unless that is in another audited account.
    pub(super) session: Arc<AwsSession>,
}

/// The ECR repositories of observed workloads.
type EcrRepositories = BTreeMap<Repository, Arc<EcrRepository>>;
/// Their images.
type ImagesByRepository = BTreeMap<Repository, Arc<RepositoryImages>>;

impl AwsScope {
    /// The deployments of those `workloads` that `selector` and the command line admit.
    pub(super) async fn read(&self, workloads: Vec<ObservedWorkload>, selector: &Selector) -> InventoryResult {
        let pulled = workloads.iter().filter_map(|workload| Some((workload.repository()?, &workload.session)));
        let repositories = self.repositories(pulled).await;
        let workloads = self.owned(workloads, &repositories, selector).await;
        let named: BTreeSet<_> = workloads.iter().filter_map(|workload| workload.repository().cloned()).collect();
        let images_by_repository = self.images_by_repository(&repositories, &named).await;
        let findings = self.images(&workloads, &repositories, &images_by_repository).await;
        let mut deployments: Vec<_> = workloads
            .into_iter()
            .flat_map(|workload| deployments(workload, &images_by_repository, &findings))
            .collect();
        deployments.sort_by(|one, other| one.id.cmp(&other.id));
        InventoryResult { deployments, errors: self.take_errors(), repository_images: images_by_repository }
    }

    /// Reads `images` as `session` into the catalog, before the list is complete.
    pub(super) async fn read_ahead(&self, images: BTreeSet<(Digest, Repository)>, session: &Arc<AwsSession>) {
        let repositories = self.repositories(images.iter().map(|(_, repository)| (repository, session))).await;
        let named = images.iter().map(|(_, repository)| repository.clone()).collect();
        let images_by_repository = self.images_by_repository(&repositories, &named).await;
        let is_there = |(digest, repository): &(Digest, Repository)| {
            let holding = images_by_repository
                .get(repository)
                .map_or(ImageAvailability::Unknown, |repository_images| repository_images.availability(digest));
            matches!(holding, ImageAvailability::Unknown | ImageAvailability::Held)
        };
        let required = images.into_iter().filter(is_there).collect();
        // An image that cannot be read is read again when it is needed, and reported then.
        self.fetch(required, &repositories, &mut ImageContents::default()).await;
    }

    /// The ECR repositories of `workloads`, each with the session of its own account if that is audited.
    async fn repositories<'a>(
        &self,
        named: impl Iterator<Item = (&'a Repository, &'a Arc<AwsSession>)> + Send,
    ) -> EcrRepositories {
        let mut repositories = EcrRepositories::new();
        for (repository, session) in named {
            if repositories.contains_key(repository) {
                continue;
            }
            let Some(mut found) = EcrRepository::parse(repository, session) else { continue };
            let opened = &self.aws.sessions().await.opened;
            if let Some(session) = opened.iter().find(|session| session.account() == Some(&found.account)) {
                found.client = session.ecr(&found.region);
            }
            self.allow(&found.account);
            repositories.insert(repository.clone(), Arc::new(found));
        }
        repositories
    }

    /// The selected workloads, with their owners.
    async fn owned(
        &self,
        workloads: Vec<ObservedWorkload>,
        repositories: &EcrRepositories,
        selector: &Selector,
    ) -> Vec<ObservedWorkload> {
        let requested: EcrRepositories = workloads
            .iter()
            .filter(|workload| self.owners.tagged(&workload.tags).is_none())
            .filter_map(|workload| repositories.get_key_value(workload.repository()?))
            .map(|(name, repository)| (name.clone(), Arc::clone(repository)))
            .collect();
        let tags: HashMap<_, _> = stream::iter(requested)
            .map(|(name, repository)| async move { (name, self.repository_tags(&repository, false).await) })
            .buffer_unordered(self.concurrency)
            .collect()
            .await;
        let own = |mut workload: ObservedWorkload| {
            let repository = workload.repository();
            let inherited = repository.and_then(|repository| tags.get(repository));
            let tagged = self.owners.tagged(&workload.tags);
            let tagged = tagged.or_else(|| self.owners.tagged(inherited?));
            let name = repository.map(|repository| &*repository.name);
            let owner = tagged.or_else(|| self.owners.ruled(&workload.draft.deployment.name, name)).map(str::to_owned);
            let is_selected = selector.admits(&workload.tags, owner.as_deref());
            workload.draft.deployment.owner = owner;
            (is_selected && self.filter.admits(&workload.draft.deployment)).then_some(workload)
        };
        workloads.into_iter().filter_map(own).collect()
    }

    async fn images_by_repository(
        &self,
        repositories: &EcrRepositories,
        named: &BTreeSet<Repository>,
    ) -> ImagesByRepository {
        let requested: Vec<_> =
            repositories.values().filter(|it| named.contains(&it.repository)).map(Arc::clone).collect();
        stream::iter(requested)
            .map(|repository| async move {
                Some((repository.repository.clone(), self.images_of_deployed(&repository).await?))
            })
            .buffer_unordered(self.concurrency)
            .filter_map(|repository_images| async { repository_images })
            .collect()
            .await
    }

    /// The contents of the digests: first those that run, then the platforms of indexes.
    async fn images(
        &self,
        workloads: &[ObservedWorkload],
        repositories: &EcrRepositories,
        images_by_repository: &ImagesByRepository,
    ) -> ImageContents {
        let mut findings = ImageContents::default();
        let mut required = BTreeSet::new();
        for workload in workloads {
            let (Ok(digest), Some(repository)) = (&workload.digest, workload.repository()) else { continue };
            match images_by_repository
                .get(repository)
                .map_or(ImageAvailability::Unknown, |repository_images| repository_images.availability(digest))
            {
                ImageAvailability::Unknown | ImageAvailability::Held => {
                    required.insert((digest.clone(), repository.clone()));
                }
                lost => self.read_lost(digest, repository, lost, &mut findings),
            }
        }
        self.fetch(required, repositories, &mut findings).await;
        for _ in 0..INDEX_DEPTH {
            let mut required = BTreeSet::new();
            for workload in workloads {
                let (Ok(digest), Some(repository)) = (&workload.digest, workload.repository()) else { continue };
                let unread = workload.draft.unread(digest, &findings);
                required.extend(unread.into_iter().map(|digest| (digest, repository.clone())));
            }
            if required.is_empty() {
                break;
            }
            self.fetch(required, repositories, &mut findings).await;
        }
        findings
    }

    /// Reads an image that can no longer be pulled from the catalog.
    fn read_lost(
        &self,
        digest: &Digest,
        repository: &Repository,
        lost: ImageAvailability,
        findings: &mut ImageContents,
    ) {
        let known = self.images.catalog().content(digest).map(ManifestContent::from);
        let found = known.ok_or_else(|| match lost {
            ImageAvailability::Archived => {
                ImageError::new(ImageErrorCode::ImageArchived, format!("{repository}@{digest} is archived"))
            }
            _ => ImageError::new(ImageErrorCode::ImageMissing, format!("{digest} was deleted from {repository}")),
        });
        findings.add(digest.clone(), Some(repository.clone()), found);
    }

    async fn fetch(
        &self,
        required: BTreeSet<(Digest, Repository)>,
        repositories: &EcrRepositories,
        findings: &mut ImageContents,
    ) {
        let mut in_ecr = manifests::WantedManifests::new();
        let mut elsewhere = Vec::new();
        for (digest, repository) in required {
            match repositories.get(&repository) {
                Some(holder) => in_ecr.entry(digest).or_default().push(Arc::clone(holder)),
                None => elsewhere.push((digest, repository)),
            }
        }
        manifests::read(&self.images, self.concurrency, &self.progress, in_ecr, findings).await;
        self.progress.update(|all| all.images.total += elsewhere.len());
        let mut contents = stream::iter(elsewhere)
            .map(|(digest, repository)| async move {
                let found = ManifestContent::read(&self.images, &repository, &digest).await;
                (digest, repository, found)
            })
            .buffer_unordered(self.concurrency);
        while let Some((digest, repository, found)) = contents.next().await {
            self.progress.update(|all| all.images.done += 1);
            findings.add(digest, Some(repository), found);
        }
    }
}

impl ObservedWorkload {
    fn repository(&self) -> Option<&Repository> {
        self.draft.deployment.repository()
    }
}

fn deployments(
    workload: ObservedWorkload,
    images_by_repository: &ImagesByRepository,
    findings: &ImageContents,
) -> Vec<Deployment> {
    let ObservedWorkload { mut draft, digest, .. } = workload;
    let repository_images = draft.deployment.repository().and_then(|repository| images_by_repository.get(repository));
    match digest {
        Err(why) => vec![draft.unreadable(why)],
        Ok(digest) => {
            draft.deployment.holding = repository_images
                .map_or(ImageAvailability::Unknown, |repository_images| repository_images.availability(&digest));
            draft.deployment.pushed_at =
                repository_images.and_then(|repository_images| repository_images.image(&digest)?.pushed_at);
            draft.deployments(&digest, findings)
        }
    }
}
