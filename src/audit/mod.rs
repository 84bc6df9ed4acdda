//! The audit: runs the pipeline inventory → identify → resolve → judge once, with bounded concurrency. It makes no
//! decisions itself.

mod ahead;
mod bases;
mod identified;
mod provenance;
mod replacements;
mod traced;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, future, stream};

use self::{
    ahead::ResolvesAhead,
    bases::read_bases,
    identified::{combine_all, identify_all},
    provenance::Attestations,
    replacements::Search,
    traced::Dated,
};
pub use self::{
    replacements::Newer,
    traced::{Audit, Traced},
};
use crate::{
    identify::{self, Identification},
    inventory::{Deployment, Estate, Filter, Gap, Inventoried, Inventory, Owners},
    judge::Policy,
    report::Note,
    resolve::{self, ComparedImage, ImageAge, ImageDates, Key, Question, Resolution, Resolver, Searcher, questions},
    store::Images,
};

/// The number of inventories read at once.
const INVENTORIES: usize = 4;

/// The options of an audit.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The policy.
    pub policy: Policy,
    /// The settings of identification.
    pub identify: identify::Settings,
    /// The settings of resolution.
    pub resolve: resolve::Settings,
    /// How owners are determined for deployments whose inventory found none.
    pub owners: Owners,
    /// The filters of the command line.
    pub filter: Filter,
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
pub struct Sources {
    /// The inventories.
    pub inventories: Vec<Box<dyn Inventory>>,
    /// The AWS scope that they share, which also knows the pull-through caches.
    pub estate: Option<Arc<Estate>>,
}

/// The progress of an audit, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The inventory is being read.
    Inventory,
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
    sources: &Sources,
    images: &Arc<Images>,
    terms: &Terms,
    progress: &(dyn Fn(Progress) + Sync),
) -> Audit {
    progress(Progress::Inventory);
    let resolver = Resolver::new(Arc::clone(images), terms.resolve.clone(), terms.now, terms.seen_at);
    let searcher = Searcher::new(&resolver, terms.identify.search);
    let ahead = ResolvesAhead { resolver: &resolver, searcher: &searcher, terms };
    let Inventoried { deployments, gaps, shelves } = read_inventories(sources, images, &ahead).await;
    let gaps = Gap::merged(gaps);

    let (deployments, identify) = identify_all(meant(deployments, terms), &terms.identify, sources).await;
    let dates = ImageDates::new(deployments.iter().map(|(deployment, _)| deployment));
    // Boxed: the futures of the SDK are deeply nested.
    let bases = Box::pin(read_bases(&deployments, &identify, sources, images)).await;
    resolver.set_shelves(bases.shelves);
    let attestations = Attestations { images, shelves: &shelves, settings: &identify, terms };
    let deployments = compare_attested(deployments, &attestations, &searcher, &dates).await;
    let asked = questions(deployments.iter().map(|(deployment, said)| (deployment, &**said)), terms.seen_at);
    let resolutions = find_all(asked, &resolver, terms, progress).await;
    let deployments = date_all(deployments, &resolutions, &resolver, &dates, terms);
    let notes = bases.unread.iter().map(|(place, why)| Note::of_unread_base(place, why)).collect();
    let audit = Audit { deployments, resolutions, gaps, notes, ..Audit::default() };
    let search = Search {
        images,
        resolver: &resolver,
        searcher: &searcher,
        terms,
        identify: &identify,
        shelves: &shelves,
        dates: &dates,
    };
    let replacements = search.replacements(&audit).await;
    let search_request_count = searcher.request_count();
    Audit { replacements, met_holds: resolver.met_holds(), search_request_count, ..audit }
}

/// Reads all inventories while `ahead` resolves the bases of the images read so far.
async fn read_inventories(sources: &Sources, images: &Images, ahead: &ResolvesAhead<'_>) -> Inventoried {
    let read_images = images.listen();
    let parts: Vec<_> = sources.inventories.iter().map(|inventory| inventory.deployments()).collect();
    let reading = async {
        let mut parts = stream::iter(parts).buffer_unordered(INVENTORIES);
        let mut found = Inventoried::default();
        while let Some(part) = parts.next().await {
            found.deployments.extend(part.deployments);
            found.gaps.extend(part.gaps);
            found.shelves.extend(part.shelves);
        }
        images.stop_listening();
        found
    };
    future::join(reading, ahead.resolve(read_images)).await.0
}

/// The deployments that the filter admits, sorted by name, each once and with its owner.
fn meant(mut deployments: Vec<Deployment>, terms: &Terms) -> Vec<Deployment> {
    deployments.sort_by(|one, other| one.id.cmp(&other.id));
    deployments.dedup_by(|one, other| one.id == other.id);
    for deployment in deployments.iter_mut().filter(|deployment| deployment.owner.is_none()) {
        let repository = deployment.repository().map(|repository| &*repository.name);
        deployment.owner = terms.owners.ruled(&deployment.name, repository).map(str::to_owned);
    }
    deployments.retain(|deployment| terms.filter.admits(deployment));
    deployments
}

/// Compares the layers of each image with releases, and reads attestations where needed. They cost less than a search,
/// so they are read before it for images without a record and a known prefix, and after it for images whose records
/// turned out wrong.
async fn compare_attested(
    mut deployments: Vec<(Deployment, Arc<Identification>)>,
    attestations: &Attestations<'_>,
    searcher: &Searcher<'_>,
    dates: &ImageDates,
) -> Vec<(Deployment, Arc<Identification>)> {
    let (settings, terms) = (attestations.settings, attestations.terms);
    let unknown = without_base(&deployments);
    let known = searcher.with_known_base(unknown.iter().map(|at| deployments[*at].0.image.as_ref().ok())).await;
    let wanted =
        unknown.iter().zip(known).filter_map(|(position, is_known)| (!is_known).then_some(*position)).collect();
    attestations.read(&mut deployments, unknown, &wanted).await;
    let mut deployments = compare_all(deployments, searcher, dates, settings, terms).await;
    let unknown = without_base(&deployments);
    let wanted = unknown.iter().copied().collect();
    let attested = attestations.read(&mut deployments, unknown, &wanted).await;
    let again = attested.iter().map(|position| deployments[*position].clone()).collect();
    let again = compare_all(again, searcher, dates, settings, terms).await;
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
    searcher: &Searcher<'_>,
    dates: &ImageDates,
    settings: &identify::Settings,
    terms: &Terms,
) -> Vec<(Deployment, Arc<Identification>)> {
    let images = deployments.iter().map(|(deployment, identification)| {
        let existed_at = dates.age(deployment, terms.seen_at).existed_at;
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
    questions: BTreeMap<Key, Question>,
    resolver: &Resolver,
    terms: &Terms,
    progress: &(dyn Fn(Progress) + Sync),
) -> BTreeMap<Key, Resolution> {
    let total = questions.len();
    progress(Progress::Bases { done: 0, total });
    let mut under_way = stream::iter(questions)
        .map(|(key, question)| async move { (key, resolver.find(&question).await) })
        .buffer_unordered(terms.concurrency);
    let mut resolutions = BTreeMap::new();
    while let Some((key, resolution)) = under_way.next().await {
        resolutions.insert(key, resolution);
        progress(Progress::Bases { done: resolutions.len(), total });
    }
    resolutions
}

/// Dates the base of each deployment with the age of its image. Deployments for which that adds nothing share a
/// resolution.
fn date_all(
    deployments: Vec<(Deployment, Arc<Identification>)>,
    found: &BTreeMap<Key, Resolution>,
    resolver: &Resolver,
    dates: &ImageDates,
    terms: &Terms,
) -> Vec<Dated> {
    let mut known: HashMap<(Key, ImageAge), Arc<Resolution>> = HashMap::new();
    let mut resolve = |deployment: &Deployment, key: Key| {
        let found = found.get(&key)?;
        let has_tag = found.base.published.is_some();
        let age = if has_tag { ImageAge::default() } else { dates.age(deployment, terms.seen_at) };
        let asked = (key, age);
        if let Some(known) = known.get(&asked) {
            return Some(Arc::clone(known));
        }
        let resolution = Arc::new(resolver.date(&asked.0, found, age));
        known.insert(asked, Arc::clone(&resolution));
        Some(resolution)
    };
    let with_resolution = |(deployment, identification): (Deployment, Arc<Identification>)| {
        let keys = Key::all(&deployment, &identification);
        let resolutions = keys.map_while(|key| resolve(&deployment, key)).collect();
        Dated { deployment, identification, resolutions }
    };
    deployments.into_iter().map(with_resolution).collect()
}
