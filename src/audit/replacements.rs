//! Does the repository already hold a better image than the one that runs? Looked for only where another
//! image might help, newest first.

use std::{collections::BTreeMap, iter, sync::Arc};

use futures::{StreamExt, stream};

use super::{Audit, Terms, Traced, traced::judged};
use crate::{
    identify::{self, Identification, identify},
    image::{Content, Digest, ImageFacts, Reference, Repository},
    inventory::{DeployedImage, Deployment, Held, Holding, ImageSource, Shelf},
    judge::{Judgement, Replacement},
    report::ReplacementFields,
    resolve::{Key, Resolution, Resolver, questions},
    store::Images,
};

/// How many newer images of a repository are looked at for one that runs: a repository may hold a thousand,
/// of branches and of nightly builds, and each costs requests. The newest is nearly always enough.
const MOST: usize = 5;

/// What a search is told.
pub(super) struct Search<'a> {
    pub(super) images: &'a Images,
    pub(super) resolver: &'a Resolver,
    pub(super) terms: &'a Terms,
    pub(super) identify: &'a identify::Settings,
    pub(super) shelves: &'a BTreeMap<Repository, Arc<Shelf>>,
}

/// A newer image and its base.
#[derive(Debug)]
pub struct Newer {
    /// The deployment that it would be.
    deployment: Deployment,
    digest: Digest,
    name: String,
    identification: Identification,
    resolution: Resolution,
}

/// An image that runs, in the repository it is from.
type Slot = (Repository, Digest);

/// The best newer image found for each image that runs.
#[derive(Debug, Default)]
pub(super) struct Replacements(BTreeMap<Slot, Newer>);

impl Replacements {
    /// The newer image for `deployment`, if there is one.
    pub(super) fn of(&self, deployment: &Deployment) -> Option<&Newer> {
        if self.0.is_empty() || !deployment.is_running() {
            return None;
        }
        self.0.get(&slot(deployment)?)
    }
}

fn slot(deployment: &Deployment) -> Option<Slot> {
    let image = deployment.image.as_ref().ok()?;
    Some((deployment.repository()?.clone(), image.digest.clone()))
}

impl Newer {
    /// The judgement of it in the place of `deployment`.
    pub(super) fn judged(&self, deployment: &Deployment, terms: &Terms) -> Judgement {
        judged(deployment, &self.deployment.image, &self.identification, Some(&self.resolution), terms)
    }

    /// What there is to compare.
    pub(super) fn replacement<'a>(&'a self, judgement: &'a Judgement) -> Replacement<'a> {
        Replacement { name: &self.name, pushed_at: self.deployment.pushed_at, judgement, resolution: &self.resolution }
    }

    /// The fields of the report.
    pub(super) fn fields(&self, judgement: &Judgement) -> ReplacementFields {
        ReplacementFields {
            reference: self.deployment.reference.to_string(),
            digest: self.digest.clone(),
            pushed_at: self.deployment.pushed_at,
            base_release: self.resolution.base.release.as_ref().map(ToString::to_string),
            verdict: judgement.verdict,
        }
    }
}

impl Search<'_> {
    /// The best newer image for each that runs on a base that another one might better.
    pub(super) async fn replacements(&self, audit: &Audit) -> Replacements {
        let mut wanted = BTreeMap::new();
        for traced in audit.traced().filter(|traced| traced.deployment.is_running()) {
            let Some(slot) = slot(traced.deployment) else { continue };
            if !wanted.contains_key(&slot) && traced.judgement(self.terms).wants_another_image() {
                wanted.insert(slot, traced);
            }
        }
        let search = |(slot, traced)| async move { Some((slot, self.newer(audit, traced).await?)) };
        // Laid out first: a stream that maps borrowed items as it goes makes no `Send` future.
        let searches: Vec<_> = wanted.into_iter().map(search).collect();
        let found: Vec<_> = stream::iter(searches).buffer_unordered(self.terms.concurrency).collect().await;
        Replacements(found.into_iter().flatten().collect())
    }

    /// The first newer image on a base that is good enough, else the best of those looked at.
    async fn newer(&self, audit: &Audit, traced: Traced<'_>) -> Option<Newer> {
        let deployment = traced.deployment;
        let image = deployment.image.as_ref().ok()?;
        // Of an image that is gone, the repository no longer says when it was pushed.
        let since = deployment.pushed_at.or(image.facts.created_at)?;
        let held = self.shelves.get(deployment.repository()?)?;
        let mut best: Option<Newer> = None;
        for held in held.pushed_after(since).into_iter().take(MOST) {
            let Some(newer) = self.look(audit, deployment, image, held).await else { continue };
            let judgement = newer.judged(deployment, self.terms);
            let replacement = newer.replacement(&judgement);
            let rival = best.as_ref().map(|best| (best.judged(deployment, self.terms), &best.resolution));
            let is_better = match (&rival, traced.resolution) {
                (Some((judgement, resolution)), _) => replacement.is_better(judgement, resolution),
                (None, Some(resolution)) => replacement.is_better(&traced.judgement(self.terms), resolution),
                (None, None) => false,
            };
            let is_enough = replacement.is_enough();
            if is_better {
                best = Some(newer);
                if is_enough {
                    break;
                }
            }
        }
        best
    }

    /// What `held` is on the platform of `image`; nothing if it has none, cannot be read, or names no base.
    async fn look(&self, audit: &Audit, deployment: &Deployment, image: &DeployedImage, held: &Held) -> Option<Newer> {
        let repository = deployment.repository()?;
        let platform = &image.facts.platform;
        let content = self.images.content(repository, &held.digest).await.ok()?;
        let (entry, known) = self.images.image_for(repository, &held.digest, &content, platform).await.ok()??;
        let Content::Image(facts) = &*known else { return None };
        if entry.digest == image.digest {
            return None;
        }
        let annotations = match &*content {
            Content::Index(index) => Arc::new(index.annotations.clone()),
            Content::Image(_) => Arc::default(),
        };
        // It would run where the other does.
        let facts = ImageFacts { platform: platform.clone(), ..facts.clone() };
        let tag = held.tags.first()?;
        let reference = Reference { repository: repository.clone(), tag: Some(tag.clone()), digest: None };
        let deployment = Deployment {
            reference: ImageSource::Reference(reference),
            pushed_at: held.pushed_at,
            holding: Holding::Held,
            image: Ok(DeployedImage {
                digest: entry.digest,
                facts: Arc::new(facts),
                descriptor_annotations: Arc::new(entry.annotations),
                index_annotations: annotations,
            }),
            ..deployment.clone()
        };
        let identification = identify(deployment.image.as_ref().ok()?, Some(repository), self.identify);
        let key = Key::of(&deployment, &identification)?;
        let resolution = if let Some(known) = audit.resolutions.get(&key) {
            known.clone()
        } else {
            let asked = questions(iter::once((&deployment, &identification)), self.terms.seen_at);
            self.resolver.resolve(asked.get(&key)?).await
        };
        let name = format!("{}:{tag}", repository.name);
        Some(Newer { deployment, digest: held.digest.clone(), name, identification, resolution })
    }
}
