//! Stage 3: what is that base now? Its line, the line's current release, when each was published.
//!
//! Asks registries through the `Registry` port and remembers in the catalog. Knows no policy: how far
//! behind is said here, whether that is too far is not.

mod age;
mod base;
mod coverage;
mod dating;
mod digests;
mod earlier;
mod estimate;
mod hold;
mod line;
mod lookup;
mod newer;
mod observed;
mod problem;
mod published;
mod question;
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
pub use hold::Hold;
pub use line::{Current, Line, LineSource};
pub use lookup::{History, PastRelease};
pub use newer::Newer;
pub use problem::{Problem, ProblemKind};
pub use published::{Published, PublishedSource};
pub use question::{Key, Question, questions};
pub use search::{ComparedImage, Searcher};
pub use settings::Settings;
pub use step::{ExplanationStep, StepOutcome};
pub use tags::Releases;

use crate::{
    image::{Digest, DigestKind, LambdaTag, Platform, Reference, Repository},
    inventory::Shelf,
    once::Once,
    registry,
    store::{Images, Seen},
};

/// What is known about a base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The base in use.
    pub base: BaseInUse,
    /// The line it belongs to.
    pub line: Option<(Line, LineSource)>,
    /// What the line's moving tag points at now, on this platform.
    pub current: Option<Current>,
    /// What the line has published after the base in use.
    pub newer: Newer,
    /// What could not be found out, and what contradicts what.
    pub problems: Vec<Problem>,
    /// What was done, in order.
    pub steps: Vec<ExplanationStep>,
}

/// The base in use, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseInUse {
    /// The recorded digest, or that of the recorded dated tag.
    pub digest: Option<Digest>,
    /// What that digest names.
    pub kind: Option<DigestKind>,
    /// The manifest of the platform; equal to `digest` where that is a manifest.
    pub platform_digest: Option<Digest>,
    /// The dated tag that carries it, without its architecture.
    pub release: Option<LambdaTag>,
    /// When it was published.
    pub published: Option<Published>,
    /// The configuration of the platform's image, where it was read.
    pub config: Option<Digest>,
    /// What the platform's manifest is for, by the index that lists it, else by its configuration.
    pub platform: Option<Platform>,
    /// Its layers, where its configuration was read.
    pub diff_ids: Option<Vec<Digest>>,
    /// The digests recorded beside its own that were found to name the same release.
    pub agreeing: Vec<Digest>,
    /// Those that were found to name another one.
    pub contradicting: Vec<Digest>,
    /// The hold that takes it out of its line.
    pub hold: Option<Arc<Hold>>,
}

impl Resolution {
    /// Adds a problem, each once.
    fn add_problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn step(&mut self, title: &'static str, outcome: StepOutcome, detail: impl Into<String>) {
        self.steps.push(ExplanationStep { title: title.into(), detail: detail.into(), outcome });
    }
}

/// Resolves bases; each line and each tag list is asked for once a run.
pub struct Resolver {
    images: Arc<Images>,
    settings: Settings,
    now: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    found: Once<Key, Resolution>,
    pointers: Once<Line, line::PointerAnswer>,
    currents: Once<(Line, Platform), line::CurrentAnswer>,
    tag_lists: Once<Repository, Option<Problem>>,
    tags_asked: Once<Reference, registry::Result<Option<Seen>>>,
    dated: Mutex<HashMap<Repository, tags::Dated>>,
    line_dates: dating::LineDates,
    holds: hold::Holds,
    /// What base repositories in private ECR hold, as far as they were listed.
    shelves: OnceLock<BTreeMap<Repository, Arc<Shelf>>>,
}

impl Resolver {
    /// A resolver that judges time by `now` and dates what it remembers by `seen_at`, the clock's own
    /// time: the two differ when an old verdict is reproduced or a future one rehearsed.
    #[must_use]
    pub fn new(images: Arc<Images>, settings: Settings, now: DateTime<Utc>, seen_at: DateTime<Utc>) -> Self {
        Self {
            images,
            holds: hold::Holds::new(&settings.holds, now),
            settings,
            now,
            seen_at,
            found: Once::default(),
            pointers: Once::default(),
            currents: Once::default(),
            tag_lists: Once::default(),
            tags_asked: Once::default(),
            dated: Mutex::default(),
            line_dates: dating::LineDates::default(),
            shelves: OnceLock::new(),
        }
    }

    /// Takes what private ECR listed of base repositories, and when it received that; the first time only.
    pub fn set_shelves(&self, shelves: BTreeMap<Repository, Arc<Shelf>>) {
        // A second list would be of the same run.
        let _ = self.shelves.set(shelves);
    }

    /// What private ECR holds of `repository`, if it was listed.
    fn shelf(&self, repository: &Repository) -> Option<&Arc<Shelf>> {
        self.shelves.get()?.get(repository)
    }

    /// What is known about the base in question, for an image of this `age`. What cannot be found out is a
    /// [`Problem`] in the answer.
    pub async fn resolve(&self, question: &Question, age: ImageAge) -> Resolution {
        let found = self.find(question).await;
        self.date(&Key::from(question), &found, age)
    }

    /// The first half of [`resolve`](Self::resolve), the same for all images that record this base: its digest, its
    /// line, and the line's current release; worked out once a run. [`date`](Self::date) is the other half.
    pub async fn find(&self, question: &Question) -> Resolution {
        self.found.get(Key::from(question), async || self.find_anew(question).await).await
    }

    async fn find_anew(&self, question: &Question) -> Resolution {
        let mut resolution = Resolution::default();
        self.find_base(question, &mut resolution).await;
        self.compare_digests(question, &mut resolution).await;
        self.find_line(question, &mut resolution).await;
        if let (Some((line, _)), Some(current)) = (resolution.line.clone(), resolution.current.clone()) {
            self.compare_platforms(question, &current, &mut resolution).await;
            self.note_coverage(&line, &current, &mut resolution).await;
        }
        self.find_hold(question, &mut resolution);
        self.note_found(&question.platform, &resolution);
        self.note_releases(question, &resolution);
        resolution
    }

    /// Whether images of `repository` may be the base of others.
    fn is_base(&self, repository: &Repository) -> bool {
        self.settings.bases.is_base(repository)
    }

    /// Whether images of `repository` have a base themselves.
    fn is_company_base(&self, repository: &Repository) -> bool {
        self.settings.bases.is_company_base(repository)
    }

    /// Whether releases of `repository` carry dated tags.
    fn has_dated_tags(&self, repository: &Repository) -> bool {
        self.settings.bases.has_dated_tags(repository)
    }
}
