//! Images in private ECR as deployments: each selected tag of each selected repository.
//!
//! A region or repository that cannot be listed is a [`Gap`]; an image that cannot be read is still a deployment.

mod bases;
mod large;
mod listing;
pub(in crate::inventory) mod manifests;
mod pushed;

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, future::BoxFuture, stream};

pub use self::bases::BaseRepositories;
pub(super) use self::listing::{EcrRepository, shelf};
pub use self::pushed::{NotMeant, Push, PushedInventory};
use self::{
    listing::{EcrImage, Listed},
    manifests::Wanted,
};
use super::{
    Deployment, DeploymentKind, EcrSettings, Estate, Gap, ImageSource, Inventoried, Inventory,
    findings::{Findings, INDEX_DEPTH},
    place::Place,
};
use crate::image::{Digest, Reference};

/// The images of private ECR: manifests are read through its API, configurations through the registry.
pub struct EcrInventory {
    settings: Vec<Arc<EcrSettings>>,
    estate: Arc<Estate>,
}

/// A selected repository with its owner.
struct Owned {
    settings: Arc<EcrSettings>,
    repository: Arc<EcrRepository>,
    owner: Option<String>,
}

/// A selected image in its repository.
struct Chosen {
    repository: Arc<EcrRepository>,
    owner: Option<String>,
    image: EcrImage,
}

impl EcrInventory {
    /// The images of `estate` that `settings` select.
    #[must_use]
    pub fn new(settings: Vec<EcrSettings>, estate: Arc<Estate>) -> Self {
        Self { settings: settings.into_iter().map(Arc::new).collect(), estate }
    }

    async fn look(&self) -> Inventoried {
        let mut gaps = Vec::new();
        let repositories = self.repositories(&mut gaps).await;
        let repositories = self.owned(repositories).await;
        let holdings = self.holdings(repositories, &mut gaps).await;
        let findings = self.read(&holdings).await;
        let mut deployments = deployments(&holdings, &findings);
        deployments.sort_by(|a, b| a.id.cmp(&b.id));
        deployments.dedup_by(|a, b| a.id == b.id);
        gaps.extend(self.estate.take_gaps());
        Inventoried { deployments, gaps, ..Inventoried::default() }
    }

    /// The selected repositories of all regions, each with the settings that selected it.
    async fn repositories(&self, gaps: &mut Vec<Gap>) -> Vec<(Arc<EcrSettings>, Arc<EcrRepository>)> {
        let mut targets = Vec::new();
        for settings in &self.settings {
            let spots = self.estate.spots(&settings.regions, gaps).await;
            targets.extend(spots.into_iter().map(|spot| (Arc::clone(settings), spot)));
        }
        let mut answers = stream::iter(targets)
            .map(|(settings, spot)| async move {
                let listed = listing::repositories(&spot, &settings).await;
                (settings, listed)
            })
            .buffer_unordered(self.estate.concurrency);
        let mut repositories = Vec::new();
        while let Some((settings, listed)) = answers.next().await {
            gaps.extend(listed.gaps);
            for repository in listed.items {
                self.estate.see(&repository.account);
                repositories.push((Arc::clone(&settings), repository));
            }
        }
        repositories
    }

    /// The selected repositories, with their owners.
    async fn owned(&self, repositories: Vec<(Arc<EcrSettings>, Arc<EcrRepository>)>) -> Vec<Owned> {
        let owned = stream::iter(repositories).map(|(settings, repository)| async move {
            let tags = self.estate.repository_tags(&repository, settings.choice.needs_tags()).await;
            let owners = &self.estate.owners;
            let owner = owners.tagged(&tags).or_else(|| owners.ruled(&repository.name, None)).map(str::to_owned);
            let is_meant = settings.choice.admits(&tags, owner.as_deref());
            is_meant.then_some(Owned { settings, repository, owner })
        });
        owned.buffer_unordered(self.estate.concurrency).filter_map(|owned| async { owned }).collect().await
    }

    async fn holdings(&self, repositories: Vec<Owned>, gaps: &mut Vec<Gap>) -> Vec<Chosen> {
        let mut answers = stream::iter(repositories)
            .map(|Owned { settings, repository, owner }| async move {
                let listed = listing::images(&repository, &settings).await;
                (repository, owner, listed)
            })
            .buffer_unordered(self.estate.concurrency);
        let mut holdings = Vec::new();
        while let Some((repository, owner, Listed { items, gaps: more })) = answers.next().await {
            gaps.extend(more);
            let holding = |image| Chosen { repository: Arc::clone(&repository), owner: owner.clone(), image };
            holdings.extend(items.into_iter().map(holding));
        }
        holdings
    }

    /// Reads all images, then the platforms of those that are indexes.
    async fn read(&self, holdings: &[Chosen]) -> Findings {
        let mut findings = Findings::default();
        let mut wanted = Wanted::new();
        for Chosen { repository, image, .. } in holdings {
            want(&mut wanted, &image.digest, repository);
        }
        manifests::read(&self.estate.images, self.estate.concurrency, wanted, &mut findings).await;
        for _ in 0..INDEX_DEPTH {
            let mut wanted = Wanted::new();
            for Chosen { repository, image, .. } in holdings {
                for listed in findings.images(&image.digest) {
                    if !findings.has_tried(&listed.child.digest, Some(&repository.repository)) {
                        want(&mut wanted, &listed.child.digest, repository);
                    }
                }
            }
            if wanted.is_empty() {
                break;
            }
            manifests::read(&self.estate.images, self.estate.concurrency, wanted, &mut findings).await;
        }
        findings
    }
}

impl Inventory for EcrInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}

/// Adds `repository` to those that have `digest`, once.
fn want(wanted: &mut Wanted, digest: &Digest, repository: &Arc<EcrRepository>) {
    let holders = wanted.entry(digest.clone()).or_default();
    if !holders.iter().any(|holder| holder.repository == repository.repository) {
        holders.push(Arc::clone(repository));
    }
}

/// One deployment for each tag and platform. The untagged platform images of an index are part of that index.
fn deployments(holdings: &[Chosen], findings: &Findings) -> Vec<Deployment> {
    let platforms: BTreeSet<_> = holdings
        .iter()
        .flat_map(|Chosen { repository, image, .. }| {
            let listed = findings.listed(&image.digest).into_iter();
            listed.map(|digest| (&repository.repository, digest)).collect::<Vec<_>>()
        })
        .collect();
    let mut deployments = Vec::new();
    for holding in holdings {
        let Chosen { repository, image, .. } = holding;
        for tag in &image.tags {
            deployments.extend(place(holding, Some(tag)).deployments(&image.digest, findings));
        }
        if image.tags.is_empty() && !platforms.contains(&(&repository.repository, image.digest.clone())) {
            deployments.extend(place(holding, None).deployments(&image.digest, findings));
        }
    }
    deployments
}

fn place(Chosen { repository, owner, image }: &Chosen, tag: Option<&String>) -> Place {
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
        holding: super::Holding::Held,
        ..Deployment::unread(DeploymentKind::Ecr, id, name, reference)
    };
    deployment.into()
}
