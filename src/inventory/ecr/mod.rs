//! Which images does private ECR hold? Every chosen tag of every chosen repository, region by region.
//!
//! One region or repository that cannot be listed is a [`Gap`]; an image that cannot be read is a
//! deployment all the same.

mod listing;
mod manifests;

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, future::BoxFuture, stream};

use self::{
    listing::{EcrImage, EcrRepository, Listed},
    manifests::Wanted,
};
use super::{
    Deployment, DeploymentKind, EcrSettings, Gap, ImageSource, Inventoried, Inventory,
    place::{Findings, Place},
};
use crate::{
    aws::Aws,
    image::{Digest, Reference},
    store::Images,
};

/// Told each AWS account whose repositories are audited, before any of its registries is asked.
pub type AllowAccount = Arc<dyn Fn(&str) + Send + Sync>;

/// The images of private ECR, through its API; their configurations through the registry.
pub struct EcrInventory {
    settings: Vec<Arc<EcrSettings>>,
    aws: Arc<Aws>,
    images: Arc<Images>,
    allow_account: AllowAccount,
    concurrency: usize,
}

/// A chosen image in its repository.
struct Holding {
    repository: Arc<EcrRepository>,
    image: EcrImage,
}

impl EcrInventory {
    /// The images that `settings` choose, with `concurrency` requests under way at once.
    #[must_use]
    pub fn new(
        settings: Vec<EcrSettings>,
        aws: Arc<Aws>,
        images: Arc<Images>,
        allow_account: AllowAccount,
        concurrency: usize,
    ) -> Self {
        let settings = settings.into_iter().map(Arc::new).collect();
        Self { settings, aws, images, allow_account, concurrency: concurrency.max(1) }
    }

    async fn look(&self) -> Inventoried {
        if self.settings.is_empty() {
            return Inventoried::default();
        }
        if let Err(failure) = self.aws.require_credentials().await {
            let gap = Gap { scope: "ecr".to_owned(), code: failure.code, message: failure.message };
            return Inventoried { deployments: Vec::new(), gaps: vec![gap] };
        }
        let mut gaps = Vec::new();
        let repositories = self.repositories(&mut gaps).await;
        let holdings = self.holdings(repositories, &mut gaps).await;
        let findings = self.read(&holdings).await;
        let mut deployments = deployments(&holdings, &findings);
        deployments.sort_by(|a, b| a.id.cmp(&b.id));
        deployments.dedup_by(|a, b| a.id == b.id);
        gaps.sort_by(|a, b| a.scope.cmp(&b.scope));
        gaps.dedup();
        Inventoried { deployments, gaps }
    }

    /// The chosen repositories of all regions, each with the settings that chose it.
    async fn repositories(&self, gaps: &mut Vec<Gap>) -> Vec<(Arc<EcrSettings>, Arc<EcrRepository>)> {
        let mut targets = Vec::new();
        for settings in &self.settings {
            for region in settings.regions.iter().collect::<BTreeSet<_>>() {
                targets.push((Arc::clone(settings), region.clone()));
            }
        }
        let mut answers = stream::iter(targets)
            .map(|(settings, region)| async move {
                let client = self.aws.ecr(&region).await;
                let listed = listing::repositories(&client, &region, &settings).await;
                (settings, listed)
            })
            .buffer_unordered(self.concurrency);
        let mut repositories = Vec::new();
        let mut accounts = BTreeSet::new();
        while let Some((settings, listed)) = answers.next().await {
            gaps.extend(listed.gaps);
            for repository in listed.items {
                if accounts.insert(repository.account.clone()) {
                    (self.allow_account)(&repository.account);
                }
                repositories.push((Arc::clone(&settings), repository));
            }
        }
        repositories
    }

    async fn holdings(
        &self,
        repositories: Vec<(Arc<EcrSettings>, Arc<EcrRepository>)>,
        gaps: &mut Vec<Gap>,
    ) -> Vec<Holding> {
        let mut answers = stream::iter(repositories)
            .map(|(settings, repository)| async move {
                let listed = listing::images(&repository, &settings).await;
                (repository, listed)
            })
            .buffer_unordered(self.concurrency);
        let mut holdings = Vec::new();
        while let Some((repository, Listed { items, gaps: more })) = answers.next().await {
            gaps.extend(more);
            holdings.extend(items.into_iter().map(|image| Holding { repository: Arc::clone(&repository), image }));
        }
        holdings
    }

    /// Reads all images, then the platforms of those that are indexes.
    async fn read(&self, holdings: &[Holding]) -> Findings {
        let mut findings = Findings::default();
        let mut wanted = Wanted::new();
        for Holding { repository, image } in holdings {
            want(&mut wanted, &image.digest, repository);
        }
        manifests::read(&self.images, self.concurrency, wanted, &mut findings).await;
        let mut platforms = Wanted::new();
        for Holding { repository, image } in holdings {
            for child in findings.children(&image.digest).iter() {
                want(&mut platforms, &child.digest, repository);
            }
        }
        manifests::read(&self.images, self.concurrency, platforms, &mut findings).await;
        findings
    }
}

impl Inventory for EcrInventory {
    fn deployments(&self) -> BoxFuture<'_, Inventoried> {
        Box::pin(self.look())
    }
}

/// Notes that `repository` holds `digest`, once.
fn want(wanted: &mut Wanted, digest: &Digest, repository: &Arc<EcrRepository>) {
    let holders = wanted.entry(digest.clone()).or_default();
    if !holders.iter().any(|holder| holder.repository == repository.repository) {
        holders.push(Arc::clone(repository));
    }
}

/// One deployment for each tag and platform. The platforms of an index are in its repository without a tag:
/// they are not images of their own.
fn deployments(holdings: &[Holding], findings: &Findings) -> Vec<Deployment> {
    let platforms: BTreeSet<_> = holdings
        .iter()
        .flat_map(|Holding { repository, image }| {
            let children = findings.children(&image.digest);
            children.iter().map(|child| (&repository.repository, child.digest.clone())).collect::<Vec<_>>()
        })
        .collect();
    let mut deployments = Vec::new();
    for Holding { repository, image } in holdings {
        for tag in &image.tags {
            deployments.extend(place(repository, image, Some(tag)).deployments(&image.digest, findings));
        }
        if image.tags.is_empty() && !platforms.contains(&(&repository.repository, image.digest.clone())) {
            deployments.extend(place(repository, image, None).deployments(&image.digest, findings));
        }
    }
    deployments
}

fn place(repository: &EcrRepository, image: &EcrImage, tag: Option<&String>) -> Place {
    let name = match tag {
        Some(tag) => format!("{}:{tag}", repository.name),
        None => format!("{}@{}", repository.name, image.digest),
    };
    Place {
        id: format!("ecr:{}:{}:{name}", repository.region, repository.account),
        kind: DeploymentKind::Ecr,
        name,
        account: Some(repository.account.clone()),
        region: Some(repository.region.clone()),
        arn: repository.arn.clone(),
        reference: ImageSource::Reference(Reference {
            repository: repository.repository.clone(),
            tag: tag.cloned(),
            digest: tag.is_none().then(|| image.digest.clone()),
        }),
        pushed_at: image.pushed_at,
    }
}
