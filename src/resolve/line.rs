//! The release line of a base, and its current release.
//!
//! Requests for a new line: the index, the newest dated tag (whose manifest is the platform's) and its configuration.
//! For a known line: one `HEAD`, if the tag has not moved.

use std::{fmt, sync::Arc};

use super::{
    BaseQuery, BaseResolver, ProblemKind, PublishDate, ReleaseHold, ReleaseTags, Resolution, ResolutionProblem,
    StepOutcome, hold::ReleaseNames, observed::ReleaseDigests, tags::TagSearch,
};
use crate::{
    image::{
        Digest, DigestContent, DigestKind, ImageFacts, LambdaArch, LambdaTag, Platform, Reference, Repository,
        is_plausible,
    },
    registry,
    store::{SharedContent, TagResolution},
};

/// A release line: a moving tag and all it has pointed at, such as `public.ecr.aws/lambda/java:21`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReleaseLine {
    /// The repository.
    pub repository: Repository,
    /// The moving tag.
    pub tag: String,
}

impl ReleaseLine {
    fn reference(&self) -> Reference {
        Reference::tagged(self.repository.clone(), &self.tag)
    }
}

impl fmt::Display for ReleaseLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// How the line of a base was determined, best source first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineSource {
    /// The configuration sets it for the image.
    Configured,
    /// The image records it with the digest.
    RecordedTag,
    /// The dated tag that carries the digest is of its family.
    DatedTag,
    /// The catalog observed its moving tag at the digest.
    Catalog,
    /// The configured default tag.
    DefaultTag,
}

impl LineSource {
    /// The spelling in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::RecordedTag => "recorded-tag",
            Self::DatedTag => "dated-tag",
            Self::Catalog => "catalog",
            Self::DefaultTag => "default-tag",
        }
    }
}

/// The current release of a line on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentImage {
    /// The digest that the moving tag points at.
    pub digest: Digest,
    /// The kind of that digest.
    pub kind: DigestKind,
    /// The manifest of the platform.
    pub platform_digest: Option<Digest>,
    /// The configuration of that manifest.
    pub config: Option<Digest>,
    /// The dated tag that carries it, without its architecture.
    pub release: Option<LambdaTag>,
    /// When it was published.
    pub published: Option<PublishDate>,
    /// Its layers.
    pub diff_ids: Option<Vec<Digest>>,
    /// The dated releases of its family.
    pub releases: Arc<ReleaseTags>,
    /// The hold on the release that the moving tag points at, if this is the newest release that is not held.
    pub hold: Option<Arc<ReleaseHold>>,
}

impl CurrentImage {
    /// Its digests.
    pub(super) fn digests(&self) -> ReleaseDigests<'_> {
        ReleaseDigests { digest: Some(&self.digest), platform_digest: self.platform_digest.as_ref() }
    }

    /// The reference that pins this release of `line`: its dated tag, if it has one, and its digest.
    #[must_use]
    pub fn pinned(&self, line: &ReleaseLine) -> String {
        let tag = self.release.as_ref().map(ToString::to_string);
        Reference { repository: line.repository.clone(), tag, digest: Some(self.digest.clone()) }.to_string()
    }

    /// The kind of `digest` in this release; `None` if it belongs to something else.
    #[must_use]
    pub fn kind_of(&self, digest: &Digest) -> Option<DigestKind> {
        let kinds = [
            (Some(&self.digest), self.kind),
            (self.platform_digest.as_ref(), DigestKind::Manifest),
            (self.config.as_ref(), DigestKind::Config),
        ];
        kinds.into_iter().find_map(|(own, kind)| (own == Some(digest)).then_some(kind))
    }
}

pub(super) type TagTargetResult = registry::Result<TagResolution>;
pub(super) type CurrentResult = Result<CurrentImage, ResolutionProblem>;

impl BaseResolver {
    /// Finds the line: the first source whose moving tag exists.
    pub(super) async fn find_line(&self, query: &BaseQuery, resolution: &mut Resolution) {
        let mut missing = None;
        for (line, source) in self.lines(query, resolution) {
            match self.current_of_base(&line, query, resolution).await {
                Ok(current) => {
                    let detail = format!("{line} ({}) points at {}", source.as_str(), current.digest);
                    resolution.step("line", StepOutcome::Found, detail);
                    resolution.line = Some((line, source));
                    resolution.current = Some(current);
                    return;
                }
                Err(problem) if matches!(problem.kind, ProblemKind::LineUnknown | ProblemKind::LineMissing) => {
                    resolution.step("line", StepOutcome::NotFound, format!("{line}: {}", problem.message));
                    missing = missing.or(Some(problem));
                }
                Err(problem) => {
                    resolution.step("line", StepOutcome::NotFound, format!("{line}: {}", problem.message));
                    resolution.line = Some((line, source));
                    resolution.add_problem(problem);
                    return;
                }
            }
        }
        if let Some(problem) = missing.filter(|problem| problem.kind == ProblemKind::LineMissing) {
            return resolution.add_problem(problem);
        }
        let message =
            format!("no moving tag is known for {}; set default_tag in [[identify.base]]", query.base.reference());
        resolution.problems.push(ResolutionProblem::new(ProblemKind::LineUnknown, message));
    }

    /// The lines that the base may belong to, best source first.
    pub(super) fn lines(&self, query: &BaseQuery, resolution: &Resolution) -> Vec<(ReleaseLine, LineSource)> {
        let base = &query.base;
        let has_dated_tags = self.has_dated_tags(&base.repository);
        let is_moving = |tag: &&str| match LambdaTag::parse(tag) {
            Some(tag) => tag.built_at.is_none(),
            // In repositories with dated tags, other tags (Dependabot wrote some) are not lines.
            None => !has_dated_tags,
        };
        let recorded = base.tag.as_deref().filter(is_moving);
        let is_shared = base.further_digests.iter().all(|digest| resolution.base.agreeing.contains(digest));
        let beside = base.further_tag.as_deref().filter(is_moving).filter(|_| is_shared);
        let family = resolution.base.release.as_ref().map(|release| release.family.as_str());
        let seen = resolution.base.digest.as_ref().and_then(|digest| self.line_seen_with(&base.repository, digest));
        let sources = [
            (base.configured_tag.as_deref(), LineSource::Configured),
            (recorded, LineSource::RecordedTag),
            (family, LineSource::DatedTag),
            (seen.as_deref(), LineSource::Catalog),
            (beside, LineSource::RecordedTag),
            (base.default_tag.as_deref(), LineSource::DefaultTag),
        ];
        let line = |tag: &str| ReleaseLine { repository: base.repository.clone(), tag: tag.to_owned() };
        sources.into_iter().filter_map(|(tag, source)| Some((line(tag?), source))).collect()
    }

    /// The moving tag that carries `digest`, or last carried it, according to the catalog.
    fn line_seen_with(&self, repository: &Repository, digest: &Digest) -> Option<String> {
        let seen_in = self.recall_both(repository, |record| {
            let seen = |tag: &String| {
                let history = record.moving.get(tag)?;
                history.iter().rposition(|seen| seen.digest == *digest).map(|at| (history.len() - at, tag.clone()))
            };
            record.moving.keys().filter_map(seen).min()
        });
        seen_in.into_iter().flatten().min().map(|(_, tag)| tag)
    }

    /// The current release of `line` on `platform`, resolved once a run.
    pub async fn current(&self, line: &ReleaseLine, platform: &Platform) -> Result<CurrentImage, ResolutionProblem> {
        let key = (line.clone(), platform.clone());
        self.currents.get(key, async || self.find_current(line, platform).await).await
    }

    async fn find_current(&self, line: &ReleaseLine, platform: &Platform) -> CurrentResult {
        let pointer = self.point(line).await.map_err(|error| line_problem(line, &error))?;
        let family = LambdaTag::parse(&line.tag).filter(|_| self.has_dated_tags(&line.repository));
        let current = self.date_current(line, platform, &pointer, family.as_ref()).await?;
        let earliest = current.published.and_then(PublishDate::earliest);
        let is_yet_to_come = earliest.is_some_and(|earliest| earliest > self.now);
        let hold = self.hold_of(&ReleaseNames {
            repository: &line.repository,
            release: current.release.as_ref(),
            arch: LambdaArch::from_oci(platform.architecture()),
            digests: [Some(&current.digest), current.platform_digest.as_ref()],
        });
        if !is_yet_to_come && hold.is_none() {
            return Ok(current);
        }
        self.step_back(line, platform, &current, hold.filter(|_| !is_yet_to_come)).await
    }

    /// The digest that `line` points at, for all platforms, read once a run.
    pub(super) async fn points_at(&self, line: &ReleaseLine) -> Result<(Digest, SharedContent), ResolutionProblem> {
        let pointer = self.point(line).await;
        pointer.map(|pointer| (pointer.digest, pointer.content)).map_err(|error| line_problem(line, &error))
    }

    pub(super) async fn point(&self, line: &ReleaseLine) -> TagTargetResult {
        let fetch = async || self.images.resolve_tag(&line.reference(), self.seen_at).await;
        self.pointers.get(line.clone(), fetch).await
    }

    async fn date_current(
        &self,
        line: &ReleaseLine,
        platform: &Platform,
        pointer: &TagResolution,
        tag: Option<&LambdaTag>,
    ) -> CurrentResult {
        let repository = &line.repository;
        let failed = |error| line_problem(line, &error);
        let entry = self.images.entry_for(repository, &pointer.digest, &pointer.content, platform).await;
        let Some(entry) = entry.map_err(failed)? else { return Err(no_platform(line, platform)) };
        let platform_digest = entry.digest;
        let mut release = self.known_release(repository, &[&pointer.digest, &platform_digest]);
        if let Some(tag) = tag {
            // Without the list, dates are not exact; `note_coverage` reports that.
            drop(self.list_tags(repository, pointer.first_seen).await);
            if release.is_none() {
                release = self.try_newest(repository, &tag.family, platform, &platform_digest).await.map_err(failed)?;
            }
        }
        let facts = match &*self.images.content(repository, &platform_digest).await.map_err(failed)? {
            DigestContent::Image(facts) => facts.clone(),
            DigestContent::Index(_) => return Err(no_platform(line, platform)),
        };
        if let Some(tag) = tag
            && release.is_none()
        {
            release = self.search_current(repository, tag, pointer, &facts).await.map_err(failed)?;
        }
        let family = release.as_ref().or(tag).map(|tag| tag.family.clone());
        let until = pointer.first_seen;
        let releases =
            family.map_or_else(ReleaseTags::default, |family| self.releases(repository, &family, platform, until));
        let digests = ReleaseDigests { digest: Some(&pointer.digest), platform_digest: Some(&platform_digest) };
        Ok(CurrentImage {
            published: release
                .as_ref()
                .and_then(PublishDate::from_tag)
                .or_else(|| self.undated(line, platform, digests)),
            digest: pointer.digest.clone(),
            kind: pointer.content.kind(),
            platform_digest: Some(platform_digest),
            release,
            config: Some(facts.config),
            diff_ids: Some(facts.diff_ids),
            releases: Arc::new(releases),
            hold: None,
        })
    }

    /// The newest dated tag of this architecture usually carries the current release: one `GET` verifies that and
    /// returns the platform's manifest.
    async fn try_newest(
        &self,
        repository: &Repository,
        family: &str,
        platform: &Platform,
        platform_digest: &Digest,
    ) -> registry::Result<Option<LambdaTag>> {
        let Some(arch) = LambdaArch::from_oci(platform.architecture()) else { return Ok(None) };
        let is_of_line = |tag: &&LambdaTag| tag.family == family && tag.arch == Some(arch);
        let Some(newest) = self.dated_tags(repository).iter().rfind(is_of_line).cloned() else { return Ok(None) };
        let text = newest.to_string();
        let known = self.images.catalog().read_repository(repository, |record| record.carried.contains_key(&text));
        if known || self.images.catalog().content(platform_digest).is_some() {
            let seen = self.carried(repository, &text).await?;
            return Ok(seen.filter(|seen| seen.digest == *platform_digest).map(|_| newest.release()));
        }
        let Some(fetched) = self.fetch_dated(repository, &text).await? else { return Ok(None) };
        if fetched.digest != *platform_digest {
            return Ok(None);
        }
        self.images.complete(repository, &fetched.digest, fetched.document).await?;
        Ok(Some(newest.release()))
    }

    async fn search_current(
        &self,
        repository: &Repository,
        tag: &LambdaTag,
        pointer: &TagResolution,
        facts: &ImageFacts,
    ) -> registry::Result<Option<LambdaTag>> {
        let Some(around) = facts.created_at.filter(|at| is_plausible(*at, self.seen_at)) else { return Ok(None) };
        let arch = match &*pointer.content {
            DigestContent::Index(_) => None,
            DigestContent::Image(_) => LambdaArch::from_oci(facts.platform.architecture()),
        };
        // `latest` moves across families.
        let family = Some(tag.family.as_str()).filter(|family| *family != "latest");
        let search = TagSearch { repository, digest: &pointer.digest, family, arch, around };
        Ok(self.search(&search).await?.map(|(release, _)| release))
    }
}

/// The problem that a registry's `error` is for `line`. A missing tag was withdrawn or never published.
pub(super) fn line_problem(line: &ReleaseLine, error: &registry::Error) -> ResolutionProblem {
    ResolutionProblem::from_error(error, &line.to_string(), None, ProblemKind::LineMissing)
}

pub(super) fn no_platform(line: &ReleaseLine, platform: &Platform) -> ResolutionProblem {
    ResolutionProblem::new(ProblemKind::PlatformMissing, format!("{line} has no image for {platform}"))
}
