//! Which releases are a prefix of an image? What is known is looked up, and what is missing is searched, within an
//! allowance of requests.
//!
//! Every manifest that is read is remembered as a release. So a search that ends early goes on in the next run where it
//! stood, and images on one base are searched once. Which of several prefixes is the base is decided by `identify`.

mod ahead;
mod candidates;
mod check;
mod follow;
mod groups;
mod known;
mod order;
mod read;
mod rounds;
mod scope;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use self::{
    check::{RecordedRelease, check_line},
    rounds::{Rounds, SearchOutcome, SearchState},
    scope::{SearchedImage, built_at, is_settled, named_lines},
};
use super::Resolver;
use crate::{
    identify::{Identification, LayerEvidence, PrefixCheck, Search, SearchLimits},
    image::{Arch, DOCKER_HUB, Digest, ImageFacts, MatchedPrefix, PlatformRelease, Repository},
    inventory::{DeployedImage, Deployment, ImageSource},
    once::Once,
    registry::RequestAllowance,
    store::Known,
};

/// The repositories below `public.ecr.aws/lambda`, which no registry lists.
const LAMBDA_REPOSITORIES: [&str; 7] = ["dotnet", "go", "java", "nodejs", "provided", "python", "ruby"];

/// An image whose layers are compared with releases.
#[derive(Clone, Copy, Debug)]
pub struct ComparedImage<'a> {
    /// The image.
    pub image: &'a DeployedImage,
    /// The repository that it is in.
    pub repository: Option<&'a Repository>,
    /// The tag that it was reached by.
    pub tag: Option<&'a str>,
    /// What it says of its base.
    pub identification: &'a Identification,
    /// By when it existed, where that is proved.
    pub existed_at: Option<DateTime<Utc>>,
}

impl<'a> ComparedImage<'a> {
    /// The image of `deployment`, which existed by `existed_at`; `None` where it cannot be read.
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
        Some(Self { image, repository: deployment.repository(), tag, identification, existed_at })
    }
}

/// Compares images with the releases of base repositories, and searches those that are not known yet.
pub struct Searcher<'a> {
    resolver: &'a Resolver,
    allowance: RequestAllowance,
    recorded: Once<RecordedRelease, Option<Known>>,
    /// The recorded releases that were asked for before the inventory was complete.
    started_ahead: Mutex<HashSet<RecordedRelease>>,
    /// Releases that were read and are not in the state yet.
    learned: Mutex<Vec<(Repository, PlatformRelease)>>,
    state: futures::lock::Mutex<SearchState>,
}

impl<'a> Searcher<'a> {
    /// Searches within `limits` for all images together.
    #[must_use]
    pub fn new(resolver: &'a Resolver, limits: SearchLimits) -> Self {
        Self {
            resolver,
            allowance: RequestAllowance::new(limits.request_count, limits.duration),
            recorded: Once::default(),
            started_ahead: Mutex::default(),
            learned: Mutex::default(),
            state: futures::lock::Mutex::default(),
        }
    }

    /// How many requests the search has sent. Lists of tags, and the bases that images name, are not counted.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.allowance.sent_count()
    }

    /// What the layers of each of `images` say of its base.
    pub async fn compare(&self, images: &[ComparedImage<'_>]) -> Vec<Arc<LayerEvidence>> {
        let (distinct, positions) = distinct(images);
        for image in &distinct {
            self.record_deployed(image);
        }
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
        let outcomes = Rounds::new(self, &mut state, &searched).run(&repositories).await;
        let evidence: Vec<_> = checks
            .into_iter()
            .zip(&searched)
            .zip(outcomes)
            .map(|((checks, image), outcome)| Arc::new(self.evidence(&state, image, checks, outcome)))
            .collect();
        positions.into_iter().map(|position| Arc::clone(&evidence[position])).collect()
    }

    /// Whether the base of each of `images` is known without a search: a whole release of a line that no other line is
    /// built on.
    pub async fn with_known_base<'i>(&self, images: impl Iterator<Item = Option<&'i DeployedImage>>) -> Vec<bool> {
        let mut state = self.state.lock().await;
        self.learn(&mut state);
        let is_known = |image: &DeployedImage| self.has_final(&state.known.prefixes(&image.facts));
        images.map(|image| image.is_some_and(is_known)).collect()
    }

    /// Takes over what the catalog knows, and what was read besides.
    fn learn(&self, state: &mut SearchState) {
        if !std::mem::replace(&mut state.is_loaded, true) {
            state.repositories = self.repositories();
            state.known.load(self.resolver.images.catalog(), |repository| self.resolver.is_base(repository));
        }
        let learned = std::mem::take(&mut *self.learned.lock().unwrap_or_else(PoisonError::into_inner));
        for (repository, release) in learned {
            state.known.add(&repository, release);
        }
    }

    /// The base repositories that are searched where an image names none.
    fn repositories(&self) -> BTreeSet<Repository> {
        let published =
            LAMBDA_REPOSITORIES.iter().filter_map(|name| format!("public.ecr.aws/lambda/{name}").parse().ok());
        let remembered = self.resolver.images.catalog().repositories();
        let mut repositories: BTreeSet<_> = published.chain(remembered).collect();
        // Docker Hub has the same releases with the same tags.
        let is_searched = |repository: &Repository| {
            &*repository.registry != DOCKER_HUB
                && self.resolver.is_base(repository)
                && self.resolver.has_dated_tags(repository)
        };
        repositories.retain(is_searched);
        repositories
    }

    /// What there is to be searched for `image`. The base of the company base that it is built on, where `company_base` is
    /// known to be one, was published before that was built, which may have been long before the image was.
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
            arch: Arch::from_oci(facts.platform.architecture()),
            existed_at,
            built_at: company_base.map_or(own_built_at, |base| built_at(base, existed_at).min(own_built_at)),
            named,
            shows_lambda_base,
            is_settled,
            facts: Arc::clone(facts),
        }
    }

    /// When an image was searched first: it existed by then. Without that, each new tag would be one more candidate.
    fn searched_since(&self, digest: &Digest) -> DateTime<Utc> {
        let catalog = self.resolver.images.catalog();
        let name = format!("searches/{}", digest.hex());
        catalog.kept(&name).unwrap_or_else(|| {
            catalog.keep(&name, &self.resolver.seen_at);
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
                // Of a line whose releases cannot be listed, none is ever ruled out.
                check_line(line, &prefixes, &Search::Idle, false, false)
            };
            checks.insert(line.reading, check);
        }
        LayerEvidence { prefixes, checks, search: outcome.search, request_count: outcome.request_count }
    }

    /// Whether one of `prefixes` is of a line that no other line is built on.
    fn has_final(&self, prefixes: &[MatchedPrefix]) -> bool {
        let mut releases = prefixes.iter().flat_map(|prefix| &prefix.releases);
        releases.any(|it| !self.resolver.is_company_base(&it.repository) && !scope::is_provided(&it.repository))
    }

    /// Keeps an image of a base repository as one of its releases.
    fn record_deployed(&self, image: &ComparedImage<'_>) {
        if let Some(repository) = image.repository {
            let tag = image.tag.map(str::to_owned);
            self.record_image(repository, tag, None, &image.image.digest, &image.image.facts);
        }
    }

    /// Keeps the image `manifest` as a release of `repository`, if that is a base repository.
    fn record_image(
        &self,
        repository: &Repository,
        tag: Option<String>,
        index: Option<&Digest>,
        manifest: &Digest,
        facts: &ImageFacts,
    ) {
        if let Some(release) = self.resolver.base_release(repository, tag, index, manifest, facts) {
            self.record(repository, release.clone());
            self.learned.lock().unwrap_or_else(PoisonError::into_inner).push((repository.clone(), release));
        }
    }

    /// Remembers `release` for all runs.
    fn record(&self, repository: &Repository, release: PlatformRelease) {
        self.resolver.images.catalog().note_release(repository, release);
    }
}

/// Each image once, with the earliest instant by which it existed, and the position of each among them.
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
