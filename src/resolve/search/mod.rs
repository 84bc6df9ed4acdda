//! Layer search: finds the releases that are a prefix of an image, among known releases first, then in registries
//! within a budget of requests.
//!
//! Every manifest that is read is added to the catalog as a release. So an unfinished search continues in the next run,
//! and images on one base are searched once. `identify` decides which of several prefixes is the base.

mod ahead;
mod candidates;
mod check;
mod follow;
mod groups;
mod known;
mod order;
mod own_release;
mod read;
mod rounds;
mod scope;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use self::{
    check::{RecordedRelease, check_line, untagged_of},
    rounds::{SearchOutcome, SearchRounds},
    scope::{SearchedImage, built_at, is_settled, named_lines},
    state::SearchState,
};
use super::BaseResolver;
use crate::{
    identify::{Identification, LayerEvidence, PrefixCheck, SearchCompletion, SearchLimits},
    image::{DOCKER_HUB, Digest, ImageFacts, LambdaArch, MatchedPrefix, PlatformRelease, Repository},
    inventory::{DeployedImage, Deployment, DeploymentKind, ImageSource},
    registry::RequestBudget,
    single_flight::SingleFlight,
    store::SharedContent,
};

/// The repositories of `public.ecr.aws/lambda`, which the registry cannot list.
const LAMBDA_REPOSITORIES: [&str; 7] = ["dotnet", "go", "java", "nodejs", "provided", "python", "ruby"];

/// An image whose layers are compared with releases.
#[derive(Clone, Copy, Debug)]
pub struct ComparedImage<'a> {
    /// The image.
    pub image: &'a DeployedImage,
    /// Its repository.
    pub repository: Option<&'a Repository>,
    /// The tag of its reference.
    pub tag: Option<&'a str>,
    /// The evidence that it records about its base.
    pub identification: &'a Identification,
    /// An instant by which it existed, if proven.
    pub existed_at: Option<DateTime<Utc>>,
    /// Whether its repository is known to have it. A digest that somebody wrote down may belong to another one.
    pub is_listed: bool,
}

impl<'a> ComparedImage<'a> {
    /// The image of `deployment`, which existed by `existed_at`; `None` if it cannot be read.
    #[must_use]
    pub fn new(
        deployment: &'a Deployment,
        identification: &'a Identification,
        existed_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let tag = match &deployment.reference {
            ImageSource::Reference(reference) => reference.tag.as_deref(),
            _ => None,
        };
        let image = deployment.image.as_ref().ok()?;
        let is_listed = tag.is_some() || deployment.kind != DeploymentKind::Image;
        Some(Self { image, repository: deployment.repository(), tag, identification, existed_at, is_listed })
    }
}

/// Compares images with the releases of base repositories, and searches unknown ones.
pub struct LayerSearcher<'a> {
    resolver: &'a BaseResolver,
    allowance: RequestBudget,
    /// Whether the search is disabled.
    is_off: bool,
    recorded: SingleFlight<RecordedRelease, Option<SharedContent>>,
    /// The recorded releases that were read before the inventory was complete.
    started_ahead: Mutex<HashSet<RecordedRelease>>,
    /// Releases that were read but are not in `state` yet.
    learned: Mutex<Vec<(Repository, Arc<PlatformRelease>)>>,
    state: futures::lock::Mutex<SearchState>,
}

impl<'a> LayerSearcher<'a> {
    /// A searcher with `limits` for all images together.
    #[must_use]
    pub fn new(resolver: &'a BaseResolver, limits: SearchLimits) -> Self {
        Self {
            resolver,
            allowance: RequestBudget::new(limits.request_count, limits.duration),
            is_off: limits.request_count == 0 || limits.duration.is_zero(),
            recorded: SingleFlight::default(),
            started_ahead: Mutex::default(),
            learned: Mutex::default(),
            state: futures::lock::Mutex::default(),
        }
    }

    /// The number of requests of the search. Tag lists and recorded bases are not counted.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.allowance.sent_count()
    }

    /// The layer evidence of each of `images`.
    pub async fn compare(&self, images: &[ComparedImage<'_>]) -> Vec<Arc<LayerEvidence>> {
        let (distinct, positions) = distinct(images);
        self.record_own_releases(&distinct).await;
        self.follow(&distinct).await;
        let checks = self.check_recorded(&distinct).await;
        let mut searched = Vec::new();
        for (image, checks) in distinct.iter().zip(&checks) {
            let company_base = self.confirmed_company_base(*image, checks).await;
            searched.push(self.searched(image, checks, company_base.as_ref()));
        }
        let repositories: Vec<_> = distinct.iter().map(|image| image.repository).collect();
        let mut state = self.state.lock().await;
        self.learn(&mut state);
        let outcomes = SearchRounds::new(self, &mut state, &searched).run(&repositories).await;
        let evidence: Vec<_> = checks
            .into_iter()
            .zip(&searched)
            .zip(outcomes)
            .map(|((checks, image), outcome)| Arc::new(self.evidence(&state, image, checks, outcome)))
            .collect();
        positions.into_iter().map(|position| Arc::clone(&evidence[position])).collect()
    }

    /// Whether the base of each of `images` is known without a search: a release of a line that no other line is built
    /// on.
    pub async fn with_known_base<'i>(&self, images: impl Iterator<Item = Option<&'i DeployedImage>>) -> Vec<bool> {
        let mut state = self.state.lock().await;
        self.learn(&mut state);
        let is_known = |image: &DeployedImage| self.has_final(&state.known.prefixes(&image.facts));
        images.map(|image| image.is_some_and(is_known)).collect()
    }

    /// Adds the releases of the catalog, and those read since, to the state.
    fn learn(&self, state: &mut SearchState) {
        if !std::mem::replace(&mut state.is_loaded, true) {
            state.repositories = self.repositories();
            let company_bases = state.repositories.iter().filter(|it| self.resolver.is_company_base(it));
            state.company_bases = company_bases.cloned().collect();
            state.known.load(self.resolver.images.catalog(), |repository| self.resolver.is_base(repository));
        }
        let learned = std::mem::take(&mut *self.learned.lock().unwrap_or_else(PoisonError::into_inner));
        for (repository, release) in learned {
            state.known.add(&repository, release);
        }
    }

    /// The base repositories that are searched for images that name none.
    fn repositories(&self) -> BTreeSet<Repository> {
        let published =
            LAMBDA_REPOSITORIES.iter().filter_map(|name| format!("public.ecr.aws/lambda/{name}").parse().ok());
        let resolver = self.resolver;
        let remembered = resolver.images.catalog().repositories();
        // For patterns, only the repositories that were encountered are known.
        let rules = resolver.settings.bases.as_slice().iter();
        let configured = rules.filter_map(|rule| rule.repository.as_str().parse().ok());
        let mut repositories: BTreeSet<Repository> = published.chain(remembered).chain(configured).collect();
        let is_searched = |repository: &Repository| {
            // Docker Hub has the same AWS releases with the same tags.
            let is_copy = &*repository.registry == DOCKER_HUB && !resolver.is_company_base(repository);
            !is_copy && resolver.is_base(repository) && resolver.has_dated_tags(repository)
        };
        repositories.retain(is_searched);
        repositories
    }

    /// The search for `image`. If it is built on `company_base`, the search is for the base of that, which was
    /// published before the company base was built.
    fn searched(
        &self,
        image: &ComparedImage<'_>,
        checks: &BTreeMap<usize, PrefixCheck>,
        company_base: Option<&ImageFacts>,
    ) -> SearchedImage {
        let facts = &image.image.facts;
        let named = named_lines(image.identification, |repository| self.resolver.is_base(repository));
        let shows_lambda_base = facts.fingerprint.is_lambda_base();
        let is_settled =
            is_settled(image.identification, checks, |repository| self.resolver.is_company_base(repository));
        let is_searched = !is_settled && (shows_lambda_base || !named.is_empty());
        let existed_at = image.existed_at.or_else(|| is_searched.then(|| self.searched_since(&image.image.digest)));
        let existed_at = existed_at.unwrap_or(self.resolver.seen_at).min(self.resolver.seen_at);
        let own_built_at = built_at(facts, existed_at);
        SearchedImage {
            arch: LambdaArch::from_oci(facts.platform.architecture()),
            existed_at,
            built_at: company_base.map_or(own_built_at, |base| built_at(base, existed_at).min(own_built_at)),
            named,
            shows_lambda_base,
            is_settled,
            facts: Arc::clone(facts),
        }
    }

    /// When an image was first searched, by which it existed. Otherwise each new tag would be one more candidate.
    fn searched_since(&self, digest: &Digest) -> DateTime<Utc> {
        let catalog = self.resolver.images.catalog();
        let name = format!("searches/{}", digest.hex());
        catalog.get_note(&name).unwrap_or_else(|| {
            catalog.put_note(&name, &self.resolver.seen_at);
            self.resolver.seen_at
        })
    }

    fn evidence(
        &self,
        state: &SearchState,
        image: &SearchedImage,
        mut checks: BTreeMap<usize, PrefixCheck>,
        outcome: SearchOutcome,
    ) -> LayerEvidence {
        let prefixes = state.known.prefixes(&image.facts);
        let is_other_line = self.has_final(&prefixes);
        for line in &image.named {
            let is_longer = image.arch.is_some_and(|arch| {
                let line = (line.repository.clone(), arch, line.tag.clone());
                state.known.is_line_longer(&line, image.layer_count())
            });
            let check = if self.resolver.has_dated_tags(&line.repository) {
                check_line(line, &prefixes, &outcome.search, is_other_line, is_longer)
            } else {
                // A line whose releases cannot be listed is never ruled out.
                let check = check_line(line, &prefixes, &SearchCompletion::Idle, false, false);
                untagged_of(line, &prefixes).filter(|_| check == PrefixCheck::Unread).unwrap_or(check)
            };
            checks.insert(line.reading, check);
        }
        LayerEvidence { prefixes, checks, search: outcome.search, request_count: outcome.request_count }
    }

    /// Whether one of `prefixes` belongs to a line that no other line is built on.
    fn has_final(&self, prefixes: &[MatchedPrefix]) -> bool {
        let mut releases = prefixes.iter().flat_map(|prefix| &prefix.releases);
        releases.any(|it| !self.resolver.is_company_base(&it.repository) && !scope::is_provided(&it.repository))
    }

    /// Adds the image `manifest` as a release of `repository`, if that holds bases.
    fn record_image(
        &self,
        repository: &Repository,
        tag: Option<String>,
        index: Option<&Digest>,
        manifest: &Digest,
        facts: &ImageFacts,
    ) {
        if let Some(release) = self.resolver.base_release(repository, tag, index, manifest, facts) {
            let release = Arc::new(release);
            self.record(repository, Arc::clone(&release));
            self.learned.lock().unwrap_or_else(PoisonError::into_inner).push((repository.clone(), release));
        }
    }

    /// Adds `release` to the catalog.
    fn record(&self, repository: &Repository, release: Arc<PlatformRelease>) {
        self.resolver.images.catalog().add_release(repository, release);
    }
}

/// The distinct images, each with the earliest instant by which it existed, and the position of each image among them.
fn distinct<'a>(images: &[ComparedImage<'a>]) -> (Vec<ComparedImage<'a>>, Vec<usize>) {
    let mut known: HashMap<(&Digest, Option<&Repository>), usize> = HashMap::new();
    let mut distinct: Vec<ComparedImage<'a>> = Vec::new();
    let mut positions = Vec::new();
    for image in images {
        let position = *known.entry((&image.image.digest, image.repository)).or_insert_with(|| {
            distinct.push(*image);
            distinct.len() - 1
        });
        let existed_at = &mut distinct[position].existed_at;
        *existed_at = existed_at.iter().copied().chain(image.existed_at).min();
        positions.push(position);
    }
    (distinct, positions)
}
