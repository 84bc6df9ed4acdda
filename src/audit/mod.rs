//! The pipeline: inventory → identify → resolve → judge → findings. Walks it once, in bounded steps, and
//! decides nothing itself.

mod replacements;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

pub use self::replacements::Newer;
use self::replacements::{Replacements, Search};
use crate::{
    identify::{self, Identification, Mirror, identify},
    image::{Digest, Repository},
    inventory::{DeployedImage, Deployment, Estate, Filter, Gap, Inventoried, Inventory, Owners, Unreadable},
    judge::{Case, Judgement, Policy, judge},
    report::{ErrorEntry, Finding, Subjects},
    resolve::{self, Key, Question, Resolution, Resolver, questions},
    store::Images,
};

/// Inventories read at once.
const INVENTORIES: usize = 4;

/// What an audit is told.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What is too old.
    pub policy: Policy,
    /// Which labels count.
    pub identify: identify::Settings,
    /// How releases are dated.
    pub resolve: resolve::Settings,
    /// How owners are found, where the inventory found none.
    pub owners: Owners,
    /// What is left of what the inventories find.
    pub filter: Filter,
    /// Bases resolved at once.
    pub concurrency: usize,
    /// The instant that counts as now.
    pub now: DateTime<Utc>,
    /// The clock's own time.
    pub seen_at: DateTime<Utc>,
}

/// What an audit looks at.
pub struct Sources {
    /// The inventories.
    pub inventories: Vec<Box<dyn Inventory>>,
    /// What they share of AWS, which knows its pull-through caches.
    pub estate: Option<Arc<Estate>>,
}

/// How far an audit is, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The inventory is being read.
    Inventory,
    /// So many of all bases are resolved.
    Bases {
        /// Resolved.
        done: usize,
        /// All.
        total: usize,
    },
}

/// What an audit found out, stage by stage.
#[derive(Debug, Default)]
pub struct Audit {
    deployments: Vec<(Deployment, Arc<Identification>)>,
    resolutions: BTreeMap<Key, Resolution>,
    replacements: Replacements,
    gaps: Vec<Gap>,
}

/// One deployment with everything known about its base.
#[derive(Clone, Copy, Debug)]
pub struct Traced<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// What its image says of its base.
    pub identification: &'a Identification,
    /// What is known about that base; `None` where it could not be identified.
    pub resolution: Option<&'a Resolution>,
    /// A newer image in its repository on a better base.
    pub replacement: Option<&'a Newer>,
}

/// Walks the first three stages: what `sources` show, on which base, and what that is now.
pub async fn audit(
    sources: &Sources,
    images: &Arc<Images>,
    terms: &Terms,
    progress: &(dyn Fn(Progress) + Sync),
) -> Audit {
    progress(Progress::Inventory);
    let mut parts =
        stream::iter(&sources.inventories).map(|inventory| inventory.deployments()).buffer_unordered(INVENTORIES);
    let mut found = Inventoried::default();
    while let Some(part) = parts.next().await {
        found.deployments.extend(part.deployments);
        found.gaps.extend(part.gaps);
        found.shelves.extend(part.shelves);
    }
    let Inventoried { deployments, mut gaps, shelves } = found;
    gaps.sort_by(|one, other| (&one.scope, one.code).cmp(&(&other.scope, other.code)));
    gaps.dedup_by(|one, other| (&one.scope, one.code) == (&other.scope, other.code));

    let (deployments, identify) = identify_all(meant(deployments, terms), &terms.identify, sources).await;
    let asked = questions(deployments.iter().map(|(deployment, said)| (deployment, &**said)), terms.seen_at);
    let resolver = Resolver::new(Arc::clone(images), terms.resolve.clone(), terms.now, terms.seen_at);
    let resolutions = resolve_all(asked, &resolver, terms, progress).await;
    let audit = Audit { deployments, resolutions, replacements: Replacements::default(), gaps };
    let replacements = Search { images, resolver: &resolver, terms, identify: &identify, shelves: &shelves }
        .replacements(&audit)
        .await;
    Audit { replacements, ..audit }
}

/// The deployments that the filter leaves, by name, each once and with its owner.
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

impl Audit {
    /// Each deployment with what is known about it.
    pub fn traced(&self) -> impl Iterator<Item = Traced<'_>> {
        self.deployments.iter().map(|(deployment, identification)| Traced {
            deployment,
            identification,
            resolution: Key::of(deployment, identification).and_then(|key| self.resolutions.get(&key)),
            replacement: self.replacements.of(deployment),
        })
    }

    /// The findings, worst first: the fourth stage.
    #[must_use]
    pub fn findings(&self, terms: &Terms) -> Vec<Finding> {
        let mut findings: Vec<_> = self.traced().map(|traced| traced.judge(terms)).collect();
        findings.sort_by(Finding::worst_first);
        findings
    }

    /// What could not be seen: an account, a region, a registry.
    #[must_use]
    pub fn errors(&self) -> Vec<ErrorEntry> {
        let gaps = self.gaps.iter().cloned().map(ErrorEntry::from);
        gaps.chain(ErrorEntry::of_resolutions(self.resolutions.iter().map(|(key, answer)| (key.repository(), answer))))
            .collect()
    }

    /// Whether everything that was to be audited could be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.errors().is_empty() && self.deployments.iter().all(|(deployment, _)| deployment.image.is_ok())
    }
}

impl Traced<'_> {
    /// The finding of this deployment.
    #[must_use]
    pub fn judge(&self, terms: &Terms) -> Finding {
        let Self { deployment, identification, resolution, replacement } = *self;
        let mut judgement = self.judgement(terms);
        let mut fields = None;
        if let (Some(newer), Some(resolution)) = (replacement, resolution) {
            let other = newer.judged(deployment, terms);
            let replacement = newer.replacement(&other);
            if replacement.is_better(&judgement, resolution) {
                fields = Some(newer.fields(&other));
                judgement = judgement.with(&replacement);
            }
        }
        let judgement = judgement.at(deployment, resolution);
        Finding { replacement: fields, ..Finding::new(deployment, identification, resolution, judgement, terms.now) }
    }

    /// The judgement of its image, wherever it runs.
    fn judgement(&self, terms: &Terms) -> Judgement {
        judged(self.deployment, &self.deployment.image, self.identification, self.resolution, terms)
    }
}

/// The judgement of `image` in the place of `deployment`.
fn judged(
    deployment: &Deployment,
    image: &Result<DeployedImage, Unreadable>,
    identification: &Identification,
    resolution: Option<&Resolution>,
    terms: &Terms,
) -> Judgement {
    let case = match (image, resolution) {
        (Err(unreadable), _) => Case::Unreadable(unreadable),
        (Ok(image), Some(resolution)) => Case::Identified { image: &image.facts, identification, resolution },
        (Ok(_), None) => Case::Unidentified(identification),
    };
    let subjects = Subjects::of(deployment, identification, resolution);
    judge(case, subjects.subject(), &terms.policy, terms.now)
}

/// What each deployment's image says of its base, and the settings by which it was read: with the pull-through
/// caches of the registries that are named, if those can be asked.
async fn identify_all(
    deployments: Vec<Deployment>,
    settings: &identify::Settings,
    sources: &Sources,
) -> (Vec<(Deployment, Arc<Identification>)>, identify::Settings) {
    let mut settings = settings.clone();
    let said = identify_each(&deployments, &settings);
    let bases = said.iter().filter_map(|said| said.best());
    let hosts: BTreeSet<_> = bases.map(|(_, base)| base.repository.registry.to_string()).collect();
    let rules = match &sources.estate {
        Some(estate) => estate.pull_through_rules(hosts).await,
        None => Vec::new(),
    };
    let is_known = rules.is_empty();
    // What is configured comes after, and so wins where both name the same prefix.
    let rules = rules.into_iter().map(|rule| Mirror { prefix: rule.prefix, upstream: rule.upstream });
    settings.mirrors.splice(0..0, rules);
    let said = if is_known { said } else { identify_each(&deployments, &settings) };
    (deployments.into_iter().zip(said).collect(), settings)
}

/// Identifies each image once, however many deployments run it.
fn identify_each(deployments: &[Deployment], settings: &identify::Settings) -> Vec<Arc<Identification>> {
    let mut known: HashMap<(&Digest, Option<&Repository>), Arc<Identification>> = HashMap::new();
    let said = deployments.iter().map(|deployment| {
        let Ok(image) = &deployment.image else { return Arc::default() };
        let repository = deployment.repository();
        let said = || Arc::new(identify(image, repository, settings));
        Arc::clone(known.entry((&image.digest, repository)).or_insert_with(said))
    });
    said.collect()
}

async fn resolve_all(
    questions: BTreeMap<Key, Question>,
    resolver: &Resolver,
    terms: &Terms,
    progress: &(dyn Fn(Progress) + Sync),
) -> BTreeMap<Key, Resolution> {
    let total = questions.len();
    progress(Progress::Bases { done: 0, total });
    let mut under_way = stream::iter(questions)
        .map(|(key, question)| async move { (key, resolver.resolve(&question).await) })
        .buffer_unordered(terms.concurrency);
    let mut resolutions = BTreeMap::new();
    while let Some((key, resolution)) = under_way.next().await {
        resolutions.insert(key, resolution);
        progress(Progress::Bases { done: resolutions.len(), total });
    }
    resolutions
}
