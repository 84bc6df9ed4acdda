//! Search for better images in the repositories of workloads: only if another image could help, newest first, and only
//! among images of the same series.

use std::{collections::BTreeMap, iter, sync::Arc};

use futures::{StreamExt, stream};

use super::{
    AuditOptions, AuditResult, AuditedDeployment,
    newer_image::{NewerImage, NewerImages},
};
use crate::{
    identify::{self, Identification, combine, identify},
    image::{Digest, DigestContent, ImageFacts, Reference, Repository},
    inventory::{DeployedImage, Deployment, ImageAvailability, ImageSource, RepositoryImages, StoredImage},
    judge::{RedeployRule, TagSeries, TagShape},
    report::SubjectNames,
    resolve::{BaseQueryKey, BaseResolver, ComparedImage, ImageDates, LayerSearcher, base_queries},
    store::ImageReader,
};

/// The most newer images that are judged for one deployment: there may be a thousand, and each costs requests. The
/// newest is nearly always sufficient.
const MOST: usize = 5;

/// The inputs of a replacement search.
pub(super) struct ReplacementSearch<'a> {
    pub(super) images: &'a ImageReader,
    pub(super) resolver: &'a BaseResolver,
    pub(super) searcher: &'a LayerSearcher<'a>,
    pub(super) options: &'a AuditOptions,
    pub(super) identify: &'a identify::IdentifySettings,
    pub(super) images_by_repository: &'a BTreeMap<Repository, Arc<RepositoryImages>>,
    pub(super) dates: &'a ImageDates,
}

/// The images of a repository that may replace the deployed one.
enum ReplacementCandidates<'a> {
    /// Images with a tag that a rule of the policy names.
    Named(&'a RedeployRule),
    /// Images with a tag that follows one of the deployed image.
    Following(TagSeries, Vec<TagShape>),
}

impl<'a> ReplacementCandidates<'a> {
    /// The candidates for `deployment` among `repository_images`, the images of its repository. For an image deployed by
    /// digest, the tags in its repository count.
    fn new(deployment: &Deployment, repository_images: &RepositoryImages, rule: Option<&'a RedeployRule>) -> Self {
        if let Some(rule) = rule {
            return Self::Named(rule);
        }
        let (named, digest) = match &deployment.reference {
            ImageSource::Reference(Reference { tag, digest, .. }) => (tag.as_deref(), digest.as_ref()),
            _ => (None, None),
        };
        let shown = || {
            digest
                .and_then(|digest| repository_images.image(digest))
                .into_iter()
                .flat_map(|stored_image| &stored_image.tags)
        };
        let tags: Vec<&str> = named.map_or_else(|| shown().map(String::as_str).collect(), |tag| vec![tag]);
        let series: TagSeries = repository_images.tags().collect();
        let shapes = tags.into_iter().filter_map(|tag| series.shape(tag)).collect();
        Self::Following(series, shapes)
    }

    /// The tag that makes `stored_image` a candidate.
    fn tag<'h>(&self, stored_image: &'h StoredImage) -> Option<&'h str> {
        let is_candidate = |tag: &&String| match self {
            Self::Named(rule) => rule.admits(tag),
            Self::Following(series, deployed) => {
                let shape = series.shape(tag);
                shape.is_some_and(|shape| deployed.iter().any(|deployed| deployed.is_followed_by(&shape)))
            }
        };
        stored_image.tags.iter().find(is_candidate).map(String::as_str)
    }
}

/// The key by which deployments share a replacement: repository, deployed image, deployed tag, and the position of the
/// rule.
type ReplacementKey = (Repository, Digest, Option<String>, Option<usize>);

impl ReplacementSearch<'_> {
    /// The best newer image for each deployment that another image could improve.
    pub(super) async fn replacements(&self, audit: &AuditResult) -> NewerImages {
        let mut required = BTreeMap::new();
        let mut keys = Vec::new();
        for audited in audit.audited_deployments().filter(|audited| audited.deployment.is_running()) {
            let Some(key) = self.key(&audited) else { continue };
            if !required.contains_key(&key) && audited.judgement(self.options).wants_another_image() {
                required.insert(key.clone(), audited);
            }
            keys.push((audited.deployment.id.clone(), key));
        }
        let search = |(key, audited)| async move { Some((key, Arc::new(self.newer(audit, audited).await?))) };
        // Collected first: a stream that maps borrowed items lazily is not `Send`.
        let searches: Vec<_> = required.into_iter().map(search).collect();
        let found: Vec<_> = stream::iter(searches).buffer_unordered(self.options.concurrency).collect().await;
        let found: BTreeMap<ReplacementKey, Arc<NewerImage>> = found.into_iter().flatten().collect();
        let replaced = keys.into_iter().filter_map(|(id, key)| Some((id, Arc::clone(found.get(&key)?))));
        NewerImages(replaced.collect())
    }

    fn key(&self, audited: &AuditedDeployment<'_>) -> Option<ReplacementKey> {
        let image = audited.deployment.image.as_ref().ok()?;
        let tag = match &audited.deployment.reference {
            ImageSource::Reference(reference) => reference.tag.clone(),
            _ => None,
        };
        let rule = self.rule(audited).map(|(index, _)| index);
        Some((audited.deployment.repository()?.clone(), image.digest.clone(), tag, rule))
    }

    fn rule(&self, audited: &AuditedDeployment<'_>) -> Option<(usize, &RedeployRule)> {
        let policy = &self.options.policy;
        if policy.redeploy.is_empty() {
            return None;
        }
        let subjects = SubjectNames::new(audited.deployment, audited.identification.base(), audited.resolution());
        policy.redeploy_rule_for(subjects.subject())
    }

    /// The first newer image that needs no rebuild, else the best of those judged.
    async fn newer(&self, audit: &AuditResult, audited: AuditedDeployment<'_>) -> Option<NewerImage> {
        let deployment = audited.deployment;
        let image = deployment.image.as_ref().ok()?;
        // The push date of a deleted image is unknown.
        let since = deployment.pushed_at.or(image.facts.created_at)?;
        let stored = self.images_by_repository.get(deployment.repository()?)?;
        let candidates = ReplacementCandidates::new(deployment, stored, self.rule(&audited).map(|(_, rule)| rule));
        let tagged = |stored_image| Some((stored_image, candidates.tag(stored_image)?));
        let newer: Vec<_> = stored.pushed_after(since).into_iter().filter_map(tagged).take(MOST).collect();
        let mut best: Option<NewerImage> = None;
        for (stored_image, tag) in newer {
            let Some(newer) = self.find_image(audit, deployment, image, (stored_image, tag)).await else { continue };
            let judgement = newer.judged(deployment, self.options);
            let replacement = newer.replacement(&judgement);
            let current_best = best.as_ref().map(|best| (best.judged(deployment, self.options), best.resolution()));
            let is_better = match (&current_best, audited.resolution()) {
                (Some((judgement, resolution)), _) => replacement.is_better(judgement, resolution),
                (None, Some(resolution)) => replacement.is_better(&audited.judgement(self.options), resolution),
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

    /// The image of `stored_image` for the platform of `image`. `None` if it has none, cannot be read, or has no known
    /// base.
    async fn find_image(
        &self,
        audit: &AuditResult,
        deployment: &Deployment,
        image: &DeployedImage,
        (stored_image, tag): (&StoredImage, &str),
    ) -> Option<NewerImage> {
        let repository = deployment.repository()?;
        let platform = &image.facts.platform;
        let content = self.images.content(repository, &stored_image.digest).await.ok()?;
        let (entry, known) =
            self.images.image_for(repository, &stored_image.digest, &content, platform).await.ok()??;
        let DigestContent::Image(facts) = &*known else { return None };
        if entry.digest == image.digest {
            return None;
        }
        let attestations = entry.attestations.as_slice().into();
        let annotations = match &*content {
            DigestContent::Index(index) => Arc::new(index.annotations.clone()),
            DigestContent::Image(_) => Arc::default(),
        };
        // It would run in the same place.
        let facts = ImageFacts { platform: platform.clone(), ..facts.clone() };
        let reference = Reference { repository: repository.clone(), tag: Some(tag.to_owned()), digest: None };
        let deployment = Deployment {
            reference: ImageSource::Reference(reference),
            pushed_at: stored_image.pushed_at,
            holding: ImageAvailability::Held,
            workload: deployment.workload.as_deref().map(|workload| Arc::new(workload.with_another_image())),
            image: Ok(DeployedImage {
                digest: entry.digest,
                facts: Arc::new(facts),
                descriptor_annotations: Arc::new(entry.annotations),
                index_annotations: annotations,
                attestations,
            }),
            ..deployment.clone()
        };
        let identification = self.identified(&deployment).await?;
        let queries = base_queries(iter::once((&deployment, &identification)), self.options.seen_at);
        let age = self.dates.age(&deployment, self.options.seen_at);
        let mut resolutions = Vec::new();
        for key in BaseQueryKey::all(&deployment, &identification) {
            let found = match audit.resolutions.get(&key) {
                Some(known) => known,
                None => &self.resolver.find(queries.get(&key)?).await,
            };
            resolutions.push(self.resolver.date(&key, found, age));
        }
        let name = format!("{}:{tag}", repository.name);
        let newer = NewerImage { deployment, digest: stored_image.digest.clone(), name, identification, resolutions };
        (!newer.resolutions.is_empty()).then_some(newer)
    }

    /// Identifies the base of the image of `deployment`.
    async fn identified(&self, deployment: &Deployment) -> Option<Identification> {
        let (image, repository) = (deployment.image.as_ref().ok()?, deployment.repository());
        let identification = identify(image, repository, self.identify);
        let existed_at = self.dates.age(deployment, self.options.seen_at).existed_at;
        let compared = ComparedImage::new(deployment, &identification, existed_at)?;
        let layers = self.searcher.compare(&[compared]).await.pop()?;
        Some(combine(identification.records, layers, image, repository, self.identify))
    }
}
