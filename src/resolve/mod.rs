//! Stage 3: resolution of a base: its release line, the line's current release, and their publish dates.
//!
//! Reads registries through the `Registry` port and caches in the catalog. It determines how far behind a base is; the
//! policy, which it does not know, decides whether that is too far.

mod age;
mod base;
mod base_query;
mod coverage;
mod dating;
mod digests;
mod earlier;
mod estimate;
mod hold;
mod later_releases;
mod line;
mod lookup;
mod observed;
mod problem;
mod publish_date;
mod received;
mod releases;
mod search;
mod settings;
mod step;
mod tags;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock},
};

use chrono::{DateTime, Utc};

pub use age::{ImageAge, ImageDates};
pub use base_query::{BaseQuery, BaseQueryKey, base_queries};
pub use hold::ReleaseHold;
pub use later_releases::LaterReleases;
pub use line::{CurrentImage, LineSource, ReleaseLine};
pub use lookup::{LineHistory, PastRelease};
pub use problem::{ProblemKind, ResolutionProblem};
pub use publish_date::{PublishDate, PublishDateSource};
pub use search::{ComparedImage, LayerSearcher};
pub use settings::ResolveSettings;
pub use step::{ExplanationStep, StepOutcome};
pub use tags::ReleaseTags;

use crate::{
    image::{Digest, DigestKind, LambdaTag, Platform, Reference, Repository},
    inventory::RepositoryImages,
    registry,
    single_flight::SingleFlight,
    store::{ImageReader, TagObservation},
};

/// The resolution of a base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The base in use.
    pub base: ResolvedBase,
    /// The line that it belongs to, with the source.
    pub line: Option<(ReleaseLine, LineSource)>,
    /// The current release of the line on this platform.
    pub current: Option<CurrentImage>,
    /// The releases that the line published after the base in use.
    pub later_releases: LaterReleases,
    /// Missing data and contradictions.
    pub problems: Vec<ResolutionProblem>,
    /// The steps, in order.
    pub steps: Vec<ExplanationStep>,
}

/// The base in use, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedBase {
    /// The recorded digest, or that of the recorded dated tag.
    pub digest: Option<Digest>,
    /// The kind of that digest.
    pub kind: Option<DigestKind>,
    /// The manifest of the platform; equal to `digest` if that is a manifest.
    pub platform_digest: Option<Digest>,
    /// The dated tag that carries it, without its architecture.
    pub release: Option<LambdaTag>,
    /// When it was published.
    pub published: Option<PublishDate>,
    /// The configuration of the platform's image, if it was read.
    pub config: Option<Digest>,
    /// The platform of that manifest, as the index states it, else its configuration.
    pub platform: Option<Platform>,
    /// Its layers, if its configuration was read.
    pub diff_ids: Option<Vec<Digest>>,
    /// The further recorded digests that belong to the same release.
    pub agreeing: Vec<Digest>,
    /// The further recorded digests that belong to another release.
    pub contradicting: Vec<Digest>,
    /// The hold that takes it out of its line.
    pub hold: Option<Arc<ReleaseHold>>,
}

impl Resolution {
    /// Adds a problem, unless it is already there.
    fn add_problem(&mut self, problem: ResolutionProblem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn step(&mut self, title: &'static str, outcome: StepOutcome, detail: impl Into<String>) {
        self.steps.push(ExplanationStep { title: title.into(), detail: detail.into(), outcome });
    }
}

/// Resolves bases. Each line and each tag list is read once a run.
pub struct BaseResolver {
    images: Arc<ImageReader>,
    settings: ResolveSettings,
    now: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    found: SingleFlight<BaseQueryKey, Resolution>,
    pointers: SingleFlight<ReleaseLine, line::TagTargetResult>,
    currents: SingleFlight<(ReleaseLine, Platform), line::CurrentResult>,
    tag_lists: SingleFlight<Repository, Option<ResolutionProblem>>,
    tags_asked: SingleFlight<Reference, registry::Result<Option<TagObservation>>>,
    dated: Mutex<HashMap<Repository, tags::DatedTags>>,
    line_dates: dating::LineDates,
    holds: hold::ActiveHolds,
    /// The images of base repositories in private ECR, as far as they could be listed.
    images_by_repository: OnceLock<BTreeMap<Repository, Arc<RepositoryImages>>>,
}

impl BaseResolver {
    /// A resolver as of `now` that stores observations with `seen_at`, the time of the system clock. The two differ
    /// with `--as-of`.
    #[must_use]
    pub fn new(
        images: Arc<ImageReader>,
        settings: ResolveSettings,
        now: DateTime<Utc>,
        seen_at: DateTime<Utc>,
    ) -> Self {
        Self {
            images,
            holds: hold::ActiveHolds::new(&settings.holds, now),
            settings,
            now,
            seen_at,
            found: SingleFlight::default(),
            pointers: SingleFlight::default(),
            currents: SingleFlight::default(),
            tag_lists: SingleFlight::default(),
            tags_asked: SingleFlight::default(),
            dated: Mutex::default(),
            line_dates: dating::LineDates::default(),
            images_by_repository: OnceLock::new(),
        }
    }

    /// Sets the images of base repositories in private ECR. Only the first call has an effect.
    pub fn set_repository_images(&self, images_by_repository: BTreeMap<Repository, Arc<RepositoryImages>>) {
        // A second list would be of the same run.
        let _ = self.images_by_repository.set(images_by_repository);
    }

    /// The images of `repository` in private ECR, if it was listed.
    fn repository_images(&self, repository: &Repository) -> Option<&Arc<RepositoryImages>> {
        self.images_by_repository.get()?.get(repository)
    }

    /// Resolves the base of `query` for an image of this `age`. Missing data is a [`ResolutionProblem`] of the resolution.
    pub async fn resolve(&self, query: &BaseQuery, age: ImageAge) -> Resolution {
        let found = self.find(query).await;
        self.date(&BaseQueryKey::from(query), &found, age)
    }

    /// The first half of [`resolve`](Self::resolve), shared by all images that record this base: its digest, its line,
    /// and the line's current release. Done once a run. [`date`](Self::date) is the second half.
    pub async fn find(&self, query: &BaseQuery) -> Resolution {
        self.found.get(BaseQueryKey::from(query), async || self.resolve_uncached(query).await).await
    }

    async fn resolve_uncached(&self, query: &BaseQuery) -> Resolution {
        let mut resolution = Resolution::default();
        self.find_base(query, &mut resolution).await;
        self.compare_digests(query, &mut resolution).await;
        self.find_line(query, &mut resolution).await;
        if let (Some((line, _)), Some(current)) = (resolution.line.clone(), resolution.current.clone()) {
            self.compare_platforms(query, &current, &mut resolution).await;
            self.note_coverage(&line, &current, &mut resolution).await;
        }
        self.find_hold(query, &mut resolution);
        self.note_found(&query.platform, &resolution);
        self.note_releases(query, &resolution);
        resolution
    }

    /// Whether `repository` holds bases.
    fn is_base(&self, repository: &Repository) -> bool {
        self.settings.bases.is_base(repository)
    }

    /// Whether `repository` holds company bases, which have a base themselves.
    fn is_company_base(&self, repository: &Repository) -> bool {
        self.settings.bases.is_company_base(repository)
    }

    /// Whether releases of `repository` have dated tags.
    fn has_dated_tags(&self, repository: &Repository) -> bool {
        self.settings.bases.has_dated_tags(repository)
    }
}
