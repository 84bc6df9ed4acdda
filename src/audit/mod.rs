//! The audit: runs the pipeline inventory → identify → resolve → judge once, with bounded concurrency. It makes no
//! decisions itself.

mod audited_deployment;
mod bases;
mod eager;
mod identified;
mod judged_image;
mod newer_image;
mod provenance;
mod replacements;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, future, stream};
use tracing::{Instrument as _, info_span};

use self::{
    audited_deployment::ResolvedDeployment,
    bases::read_bases,
    eager::EagerResolver,
    identified::{combine_all, identify_all},
    provenance::AttestationReader,
    replacements::ReplacementSearch,
};
pub use self::{
    audited_deployment::{AuditResult, AuditedDeployment},
    newer_image::NewerImage,
};
use crate::{
    identify::{self, Identification},
    inventory::{
        AwsScope, CollectionError, Deployment, Inventory, InventoryCounts, InventoryFilter, InventoryProgress,
        InventoryResult, OwnerSettings,
    },
    judge::Policy,
    report::Note,
    resolve::{
        self, BaseQuery, BaseQueryKey, BaseResolver, ComparedImage, ImageAge, ImageDates, LayerSearcher, Resolution,
        base_queries,
    },
    store::ImageReader,
};

/// The number of inventories read at once.
const INVENTORIES: usize = 4;

/// The options of an audit.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// The policy.
    pub policy: Policy,
    /// The settings of identification.
    pub identify: identify::IdentifySettings,
    /// The settings of resolution.
    pub resolve: resolve::ResolveSettings,
    /// How owners are determined for deployments whose inventory found none.
    pub owners: OwnerSettings,
    /// The filters of the command line.
    pub filter: InventoryFilter,
    /// Whether the inventories cover only a part of the configuration.
    pub is_part: bool,
    /// The number of bases resolved at once.
    pub concurrency: usize,
    /// The instant that counts as now; set by `--as-of`.
    pub now: DateTime<Utc>,
    /// The time of the system clock.
    pub seen_at: DateTime<Utc>,
}

/// The inputs of an audit.
pub struct AuditSources {
    /// The inventories.
    pub inventories: Vec<Box<dyn Inventory>>,
    /// The AWS scope that they share, which also knows the pull-through caches.
    pub aws_scope: Option<Arc<AwsScope>>,
}

/// The progress of an audit, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditProgress {
    /// The inventory is being read.
    Inventory(InventoryCounts),
    /// Bases are being resolved.
    Bases {
        /// Resolved.
        done: usize,
        /// All.
        total: usize,
    },
}

/// Runs the first three stages: inventory, identification and resolution.
pub async fn audit(
    sources: &AuditSources,
    images: &Arc<ImageReader>,
    options: &AuditOptions,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> AuditResult {
    progress(AuditProgress::Inventory(InventoryCounts::default()));
    let resolver = BaseResolver::new(Arc::clone(images), options.resolve.clone(), options.now, options.seen_at);
    let searcher = LayerSearcher::new(&resolver, options.identify.search);
    let ahead = EagerResolver { resolver: &resolver, searcher: &searcher, options };
    let InventoryResult { deployments, errors, repository_images: images_by_repository } =
        read_inventories(sources, images, &ahead, progress).instrument(info_span!("inventory")).await;
    let errors = CollectionError::merged(errors);

    let (deployments, identify) =
        identify_all(select_deployments(deployments, options), &options.identify, sources).await;
    let dates = ImageDates::new(deployments.iter().map(|(deployment, _)| deployment));
    // Boxed: the futures of the SDK are deeply nested.
    let bases = Box::pin(read_bases(&deployments, &identify, sources, images)).await;
    resolver.set_repository_images(bases.images);
    let attestations =
        AttestationReader { images, images_by_repository: &images_by_repository, settings: &identify, options };
    let comparing = compare_attested(deployments, &attestations, &searcher, &dates);
    let deployments = comparing.instrument(info_span!("identify")).await;
    let queries = base_queries(
        deployments.iter().map(|(deployment, identification)| (deployment, &**identification)),
        options.seen_at,
    );
    let resolutions = find_all(queries, &resolver, options, progress).instrument(info_span!("resolve")).await;
    let deployments = date_all(deployments, &resolutions, &resolver, &dates, options);
    let notes = bases.unread.iter().map(|(repository, why)| Note::unread_base(repository, why)).collect();
    let audit = AuditResult { deployments, resolutions, collection_errors: errors, notes, ..AuditResult::default() };
    let search = ReplacementSearch {
        images,
        resolver: &resolver,
        searcher: &searcher,
        options,
        identify: &identify,
        images_by_repository: &images_by_repository,
        dates: &dates,
    };
    let replacements = search.replacements(&audit).instrument(info_span!("replacements")).await;
    let search_request_count = searcher.request_count();
    AuditResult { replacements, matched_holds: resolver.matched_holds(), search_request_count, ..audit }
}

/// Reads all inventories while `ahead` resolves the bases of the images read so far.
async fn read_inventories(
    sources: &AuditSources,
    images: &ImageReader,
    ahead: &EagerResolver<'_>,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> InventoryResult {
    let read_images = images.listen();
    let inventory_progress = sources.aws_scope.as_ref().map(|aws_scope| &**aws_scope.progress());
    let counts = inventory_progress.map(InventoryProgress::listen);
    let parts: Vec<_> = sources.inventories.iter().map(|inventory| inventory.deployments()).collect();
    let reading = async {
        let mut parts = stream::iter(parts).buffer_unordered(INVENTORIES);
        let mut found = InventoryResult::default();
        while let Some(part) = parts.next().await {
            found.deployments.extend(part.deployments);
            found.errors.extend(part.errors);
            found.repository_images.extend(part.repository_images);
        }
        images.stop_listening();
        if let Some(inventory_progress) = inventory_progress {
            inventory_progress.stop_listening();
        }
        found
    };
    let showing = async {
        let mut counts = stream::iter(counts).flatten();
        while let Some(counts) = counts.next().await {
            progress(AuditProgress::Inventory(counts));
        }
    };
    future::join3(reading, ahead.resolve(read_images), showing).await.0
}

/// The deployments that the filter admits, sorted by name, each once and with its owner.
fn select_deployments(mut deployments: Vec<Deployment>, options: &AuditOptions) -> Vec<Deployment> {
    deployments.sort_by(|one, other| one.id.cmp(&other.id));
    deployments.dedup_by(|one, other| one.id == other.id);
    for deployment in deployments.iter_mut().filter(|deployment| deployment.owner.is_none()) {
        let repository = deployment.repository().map(|repository| &*repository.name);
        deployment.owner = options.owners.ruled(&deployment.name, repository).map(str::to_owned);
    }
    deployments.retain(|deployment| options.filter.admits(deployment));
    deployments
}

/// Compares the layers of each image with releases, and reads attestations where needed. They cost less than a search,
/// so they are read before it for images without a record and a known prefix, and after it for images whose records
/// turned out wrong.
async fn compare_attested(
    mut deployments: Vec<(Deployment, Arc<Identification>)>,
    attestations: &AttestationReader<'_>,
    searcher: &LayerSearcher<'_>,
    dates: &ImageDates,
) -> Vec<(Deployment, Arc<Identification>)> {
    let (settings, options) = (attestations.settings, attestations.options);
    let unknown = without_base(&deployments);
    let known = searcher.with_known_base(unknown.iter().map(|at| deployments[*at].0.image.as_ref().ok())).await;
    let required =
        unknown.iter().zip(known).filter_map(|(position, is_known)| (!is_known).then_some(*position)).collect();
    attestations.read(&mut deployments, unknown, &required).await;
    let mut deployments = compare_all(deployments, searcher, dates, settings, options).await;
    let unknown = without_base(&deployments);
    let required = unknown.iter().copied().collect();
    let attested = attestations.read(&mut deployments, unknown, &required).await;
    let again = attested.iter().map(|position| deployments[*position].clone()).collect();
    let again = compare_all(again, searcher, dates, settings, options).await;
    for (position, compared) in attested.into_iter().zip(again) {
        deployments[position] = compared;
    }
    deployments
}

/// The positions of the deployments without a known base.
fn without_base(deployments: &[(Deployment, Arc<Identification>)]) -> Vec<usize> {
    let unknown = deployments.iter().enumerate().filter(|(_, (_, identification))| identification.chain.is_empty());
    unknown.map(|(position, _)| position).collect()
}

/// Compares the layers of each image with the releases of base repositories, and combines all evidence.
async fn compare_all(
    deployments: Vec<(Deployment, Arc<Identification>)>,
    searcher: &LayerSearcher<'_>,
    dates: &ImageDates,
    settings: &identify::IdentifySettings,
    options: &AuditOptions,
) -> Vec<(Deployment, Arc<Identification>)> {
    let images = deployments.iter().map(|(deployment, identification)| {
        let existed_at = dates.age(deployment, options.seen_at).existed_at;
        ComparedImage::new(deployment, identification, existed_at)
    });
    let images: Vec<_> = images.collect();
    let readable: Vec<_> = images.iter().flatten().copied().collect();
    let mut evidence = searcher.compare(&readable).await.into_iter();
    // Images that could not be read have none.
    let evidence: Vec<_> = images.iter().map(|image| image.and_then(|_| evidence.next()).unwrap_or_default()).collect();
    combine_all(deployments, evidence, settings)
}

async fn find_all(
    queries: BTreeMap<BaseQueryKey, BaseQuery>,
    resolver: &BaseResolver,
    options: &AuditOptions,
    progress: &(dyn Fn(AuditProgress) + Sync),
) -> BTreeMap<BaseQueryKey, Resolution> {
    let total = queries.len();
    progress(AuditProgress::Bases { done: 0, total });
    let mut under_way = stream::iter(queries)
        .map(|(key, query)| {
            let span = info_span!("resolve base", base = %query.base.reference());
            async move { (key, resolver.find(&query).await) }.instrument(span)
        })
        .buffer_unordered(options.concurrency);
    let mut resolutions = BTreeMap::new();
    while let Some((key, resolution)) = under_way.next().await {
        resolutions.insert(key, resolution);
        progress(AuditProgress::Bases { done: resolutions.len(), total });
    }
    resolutions
}

/// Dates the base of each deployment with the age of its image. Deployments for which that adds nothing share a
/// resolution.
fn date_all(
    deployments: Vec<(Deployment, Arc<Identification>)>,
    found: &BTreeMap<BaseQueryKey, Resolution>,
    resolver: &BaseResolver,
    dates: &ImageDates,
    options: &AuditOptions,
) -> Vec<ResolvedDeployment> {
    let mut known: HashMap<(BaseQueryKey, ImageAge), Arc<Resolution>> = HashMap::new();
    let mut resolve = |deployment: &Deployment, key: BaseQueryKey| {
        let found = found.get(&key)?;
        let has_tag = found.base.published.is_some();
        let age = if has_tag { ImageAge::default() } else { dates.age(deployment, options.seen_at) };
        let queries = (key, age);
        if let Some(known) = known.get(&queries) {
            return Some(Arc::clone(known));
        }
        let resolution = Arc::new(resolver.date(&queries.0, found, age));
        known.insert(queries, Arc::clone(&resolution));
        Some(resolution)
    };
    let with_resolution = |(deployment, identification): (Deployment, Arc<Identification>)| {
        let keys = BaseQueryKey::all(&deployment, &identification);
        let resolutions = keys.map_while(|key| resolve(&deployment, key)).collect();
        ResolvedDeployment { deployment, identification, resolutions }
    };
    deployments.into_iter().map(with_resolution).collect()
}
