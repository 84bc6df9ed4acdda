//! The pipeline: inventory → identify → resolve → judge → findings. Walks it once, in bounded steps, and
//! decides nothing itself.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use crate::{
    identify::{self, Base, Identification, identify},
    image::{Digest, Platform, Repository, is_plausible},
    inventory::{Deployment, Inventory},
    judge::{Case, Policy, judge},
    report::{ErrorEntry, Finding, Subjects},
    resolve::{self, Question, Resolution, Resolver},
    store::Images,
};

/// What an audit is told.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What is too old.
    pub policy: Policy,
    /// Which labels count.
    pub identify: identify::Settings,
    /// How releases are dated.
    pub resolve: resolve::Settings,
    /// Bases resolved at once.
    pub concurrency: usize,
    /// The instant that counts as now.
    pub now: DateTime<Utc>,
    /// The clock's own time.
    pub seen_at: DateTime<Utc>,
}

/// What an audit found.
#[derive(Clone, Debug, Default)]
pub struct Audited {
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// What could not be seen.
    pub errors: Vec<ErrorEntry>,
    /// Whether everything that was to be audited could be.
    pub is_complete: bool,
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

/// The same base on the same platform is one question, however many images stand on it.
type Key = (Base, Platform);

/// Audits what `inventories` find.
pub async fn audit(
    inventories: &[Box<dyn Inventory>],
    images: &Arc<Images>,
    terms: &Terms,
    progress: &(dyn Fn(Progress) + Sync),
) -> Audited {
    progress(Progress::Inventory);
    let parts: Vec<_> =
        stream::iter(inventories).map(|inventory| inventory.deployments()).buffer_unordered(4).collect().await;
    let (mut deployments, mut errors) = (Vec::new(), Vec::new());
    for part in parts {
        deployments.extend(part.deployments);
        errors.extend(part.gaps.into_iter().map(ErrorEntry::from));
    }
    deployments.sort_by(|one, other| one.id.cmp(&other.id));
    deployments.dedup_by(|one, other| one.id == other.id);

    let identifications = identify_all(&deployments, &terms.identify);
    let questions = questions(&deployments, &identifications, terms.seen_at);
    let resolutions = resolve_all(&questions, images, terms, progress).await;
    errors.extend(ErrorEntry::of_resolutions(
        questions.keys().map(|(base, _)| &base.repository).zip(resolutions.values()),
    ));

    let is_readable = deployments.iter().all(|deployment| deployment.image.is_ok());
    let mut findings: Vec<_> = deployments
        .iter()
        .zip(&identifications)
        .map(|(deployment, identification)| finding(deployment, identification, &resolutions, terms))
        .collect();
    findings.sort_by(Finding::worst_first);
    Audited { is_complete: errors.is_empty() && is_readable, findings, errors }
}

fn finding(
    deployment: &Deployment,
    identification: &Arc<Identification>,
    resolutions: &BTreeMap<Key, Resolution>,
    terms: &Terms,
) -> Finding {
    let resolution = key_of(deployment, identification).and_then(|key| resolutions.get(&key));
    let case = match (&deployment.image, resolution) {
        (Err(unreadable), _) => Case::Unreadable(unreadable),
        (Ok(image), Some(resolution)) => Case::Identified { image: &image.facts, identification, resolution },
        (Ok(_), None) => Case::Unidentified(identification),
    };
    let subjects = Subjects::of(deployment, identification, resolution);
    let judgement = judge(case, subjects.subject(), &terms.policy, terms.now);
    Finding::new(deployment, identification, resolution, judgement, terms.now)
}

/// Identifies each image once, however many deployments run it.
fn identify_all(deployments: &[Deployment], settings: &identify::Settings) -> Vec<Arc<Identification>> {
    let mut known: HashMap<(Digest, Option<Repository>), Arc<Identification>> = HashMap::new();
    let mut identify_one = |deployment: &Deployment| {
        let Ok(image) = &deployment.image else { return Arc::default() };
        let repository = deployment.repository();
        let key = (image.digest.clone(), repository.cloned());
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(identify(image, repository, settings))))
    };
    deployments.iter().map(&mut identify_one).collect()
}

fn key_of(deployment: &Deployment, identification: &Identification) -> Option<Key> {
    let image = deployment.image.as_ref().ok()?;
    let (_, base) = identification.best()?;
    Some((base.clone(), image.facts.platform.clone()))
}

/// The different bases in use, each with the earliest instant at which an image on it existed.
fn questions(
    deployments: &[Deployment],
    identifications: &[Arc<Identification>],
    seen_at: DateTime<Utc>,
) -> BTreeMap<Key, Question> {
    let mut questions: BTreeMap<Key, Question> = BTreeMap::new();
    for (deployment, identification) in deployments.iter().zip(identifications) {
        let Some(key) = key_of(deployment, identification) else { continue };
        let created_at = deployment.image.as_ref().ok().and_then(|image| image.facts.created_at);
        let existed = [created_at, deployment.pushed_at].into_iter().flatten().filter(|at| is_plausible(*at, seen_at));
        let question =
            questions.entry(key.clone()).or_insert_with(|| Question { base: key.0, platform: key.1, built_at: None });
        question.built_at = existed.chain(question.built_at).min();
    }
    questions
}

async fn resolve_all(
    questions: &BTreeMap<Key, Question>,
    images: &Arc<Images>,
    terms: &Terms,
    progress: &(dyn Fn(Progress) + Sync),
) -> BTreeMap<Key, Resolution> {
    let resolver = Resolver::new(Arc::clone(images), terms.resolve.clone(), terms.now, terms.seen_at);
    let total = questions.len();
    progress(Progress::Bases { done: 0, total });
    let mut under_way = stream::iter(questions)
        .map(|(key, question)| async { (key.clone(), resolver.resolve(question).await) })
        .buffer_unordered(terms.concurrency);
    let mut resolutions = BTreeMap::new();
    while let Some((key, resolution)) = under_way.next().await {
        resolutions.insert(key, resolution);
        progress(Progress::Bases { done: resolutions.len(), total });
    }
    drop(under_way);
    resolutions
}
