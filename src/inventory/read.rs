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
    /// The deployments of those `sightings` that `choice` and the command line admit.
    pub(super) async fn read(&self, sightings: Vec<ObservedWorkload>, choice: &Selector) -> InventoryResult {
        let seen = sightings.iter().filter_map(|sighting| Some((sighting.repository()?, &sighting.session)));
        let repositories = self.repositories(seen).await;
        let sightings = self.owned(sightings, &repositories, choice).await;
        let named: BTreeSet<_> = sightings.iter().filter_map(|sighting| sighting.repository().cloned()).collect();
        let shelves = self.shelves(&repositories, &named).await;
        let findings = self.images(&sightings, &repositories, &shelves).await;
        let mut deployments: Vec<_> =
            sightings.into_iter().flat_map(|sighting| deployments(sighting, &shelves, &findings)).collect();
        deployments.sort_by(|one, other| one.id.cmp(&other.id));
        InventoryResult { deployments, errors: self.take_errors(), repository_images: shelves }
    }

    /// Reads `images` as `session` into the catalog, before the list is complete.
    pub(super) async fn read_ahead(&self, images: BTreeSet<(Digest, Repository)>, session: &Arc<AwsSession>) {
        let repositories = self.repositories(images.iter().map(|(_, repository)| (repository, session))).await;
        let named = images.iter().map(|(_, repository)| repository.clone()).collect();
        let shelves = self.shelves(&repositories, &named).await;
        let is_there = |(digest, repository): &(Digest, Repository)| {
            let holding =
                shelves.get(repository).map_or(ImageAvailability::Unknown, |shelf| shelf.availability(digest));
            matches!(holding, ImageAvailability::Unknown | ImageAvailability::Held)
        };
        let wanted = images.into_iter().filter(is_there).collect();
        // An image that cannot be read is read again when it is needed, and reported then.
        self.fetch(wanted, &repositories, &mut ImageContents::default()).await;
    }

    /// The ECR repositories of `sightings`, each with the session of its own account if that is audited.
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
        sightings: Vec<ObservedWorkload>,
        repositories: &EcrRepositories,
        choice: &Selector,
    ) -> Vec<ObservedWorkload> {
        let asked: EcrRepositories = sightings
            .iter()
            .filter(|sighting| self.owners.tagged(&sighting.tags).is_none())
            .filter_map(|sighting| repositories.get_key_value(sighting.repository()?))
            .map(|(name, repository)| (name.clone(), Arc::clone(repository)))
            .collect();
        let tags: HashMap<_, _> = stream::iter(asked)
            .map(|(name, repository)| async move { (name, self.repository_tags(&repository, false).await) })
            .buffer_unordered(self.concurrency)
            .collect()
            .await;
        let own = |mut sighting: ObservedWorkload| {
            let repository = sighting.repository();
            let inherited = repository.and_then(|repository| tags.get(repository));
            let tagged = self.owners.tagged(&sighting.tags);
            let tagged = tagged.or_else(|| self.owners.tagged(inherited?));
            let name = repository.map(|repository| &*repository.name);
            let owner = tagged.or_else(|| self.owners.ruled(&sighting.draft.deployment.name, name)).map(str::to_owned);
            let is_meant = choice.admits(&sighting.tags, owner.as_deref());
            sighting.draft.deployment.owner = owner;
            (is_meant && self.filter.admits(&sighting.draft.deployment)).then_some(sighting)
        };
        sightings.into_iter().filter_map(own).collect()
    }

    async fn shelves(&self, repositories: &EcrRepositories, named: &BTreeSet<Repository>) -> ImagesByRepository {
        let asked: Vec<_> = repositories.values().filter(|it| named.contains(&it.repository)).map(Arc::clone).collect();
        stream::iter(asked)
            .map(|repository| async move {
                Some((repository.repository.clone(), self.images_of_deployed(&repository).await?))
            })
            .buffer_unordered(self.concurrency)
            .filter_map(|shelf| async { shelf })
            .collect()
            .await
    }

    /// The contents of the digests: first those that run, then the platforms of indexes.
    async fn images(
        &self,
        sightings: &[ObservedWorkload],
        repositories: &EcrRepositories,
        shelves: &ImagesByRepository,
    ) -> ImageContents {
        let mut findings = ImageContents::default();
        let mut wanted = BTreeSet::new();
        for sighting in sightings {
            let (Ok(digest), Some(repository)) = (&sighting.digest, sighting.repository()) else { continue };
            match shelves.get(repository).map_or(ImageAvailability::Unknown, |shelf| shelf.availability(digest)) {
                ImageAvailability::Unknown | ImageAvailability::Held => {
                    wanted.insert((digest.clone(), repository.clone()));
                }
                lost => self.read_lost(digest, repository, lost, &mut findings),
            }
        }
        self.fetch(wanted, repositories, &mut findings).await;
        for _ in 0..INDEX_DEPTH {
            let mut wanted = BTreeSet::new();
            for sighting in sightings {
                let (Ok(digest), Some(repository)) = (&sighting.digest, sighting.repository()) else { continue };
                let unread = sighting.draft.unread(digest, &findings);
                wanted.extend(unread.into_iter().map(|digest| (digest, repository.clone())));
            }
            if wanted.is_empty() {
                break;
            }
            self.fetch(wanted, repositories, &mut findings).await;
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
        wanted: BTreeSet<(Digest, Repository)>,
        repositories: &EcrRepositories,
        findings: &mut ImageContents,
    ) {
        let mut in_ecr = manifests::WantedManifests::new();
        let mut elsewhere = Vec::new();
        for (digest, repository) in wanted {
            match repositories.get(&repository) {
                Some(holder) => in_ecr.entry(digest).or_default().push(Arc::clone(holder)),
                None => elsewhere.push((digest, repository)),
            }
        }
        manifests::read(&self.images, self.concurrency, in_ecr, findings).await;
        let mut answers = stream::iter(elsewhere)
            .map(|(digest, repository)| async move {
                let found = ManifestContent::read(&self.images, &repository, &digest).await;
                (digest, repository, found)
            })
            .buffer_unordered(self.concurrency);
        while let Some((digest, repository, found)) = answers.next().await {
            findings.add(digest, Some(repository), found);
        }
    }
}

impl ObservedWorkload {
    fn repository(&self) -> Option<&Repository> {
        self.draft.deployment.repository()
    }
}

fn deployments(sighting: ObservedWorkload, shelves: &ImagesByRepository, findings: &ImageContents) -> Vec<Deployment> {
    let ObservedWorkload { draft: mut place, digest, .. } = sighting;
    let shelf = place.deployment.repository().and_then(|repository| shelves.get(repository));
    match digest {
        Err(why) => vec![place.unreadable(why)],
        Ok(digest) => {
            place.deployment.holding = shelf.map_or(ImageAvailability::Unknown, |shelf| shelf.availability(&digest));
            place.deployment.pushed_at = shelf.and_then(|shelf| shelf.image(&digest)?.pushed_at);
            place.deployments(&digest, findings)
        }
    }
}
