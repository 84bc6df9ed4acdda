//! The base in use: its digests, and the dated tag that carries it.

use super::{
    BaseQuery, BaseResolver, CurrentImage, LineSource, ProblemKind, PublishDate, Resolution, ResolutionProblem,
    ResolvedBase, StepOutcome, observed::ReleaseDigests, tags::TagSearch,
};
use crate::{
    image::{
        Digest, DigestContent, DigestKind, ImageFacts, LambdaArch, LambdaTag, Platform, Reference, Repository,
        is_plausible,
    },
    registry,
    store::TagObservation,
};

impl ResolvedBase {
    /// Its known digests.
    pub(super) fn digests(&self) -> ReleaseDigests<'_> {
        ReleaseDigests { digest: self.digest.as_ref(), platform_digest: self.platform_digest.as_ref() }
    }
}

impl BaseResolver {
    /// Finds the base's digest, kind and release, cheapest source first.
    pub(super) async fn find_base(&self, query: &BaseQuery, resolution: &mut Resolution) {
        let base = &query.base;
        resolution.base.digest.clone_from(&base.digest);
        let dated_tag = base.tag.as_deref().and_then(LambdaTag::parse).filter(|tag| tag.built_at.is_some());
        match (&base.digest, dated_tag) {
            (_, Some(tag)) => self.try_recorded_tag(query, &tag, resolution).await,
            (None, None) => {
                let tag = base.tag.as_deref().unwrap_or_default();
                let message = format!("only the moving tag {tag:?} is recorded, which has pointed at many digests");
                resolution.step("base digest", StepOutcome::NotFound, &message);
                resolution.problems.push(ResolutionProblem::new(ProblemKind::DigestUnrecorded, message));
            }
            (Some(_), None) => {}
        }
        if let Some(digest) = resolution.base.digest.clone()
            && resolution.base.release.is_none()
        {
            self.date_digest(query, &digest, resolution).await;
        }
    }

    /// A recorded dated tag: it identifies the release if no digest is recorded, else it is only a hint.
    async fn try_recorded_tag(&self, query: &BaseQuery, tag: &LambdaTag, resolution: &mut Resolution) {
        let repository = &query.base.repository;
        let text = tag.to_string();
        // With a recorded digest, only the digest that the tag points at is needed.
        let carried = match &query.base.digest {
            Some(_) => self.carried(repository, &text).await,
            None => self.carried_image(repository, &text).await,
        };
        match carried {
            Ok(Some(seen)) if query.base.digest.as_ref().is_none_or(|digest| *digest == seen.digest) => {
                resolution.step("recorded tag", StepOutcome::Found, format!("{text} points at {}", seen.digest));
                settle(resolution, tag.release(), seen);
            }
            Ok(Some(seen)) => {
                let message = format!("the recorded tag {text} points at {}, not at the recorded digest", seen.digest);
                resolution.step("recorded tag", StepOutcome::Contradiction, &message);
                resolution.problems.push(ResolutionProblem::new(ProblemKind::TagContradicted, message));
            }
            Ok(None) if query.base.digest.is_none() => {
                let error = self.absence(&Reference::tagged(repository.clone(), &text));
                resolution.add_problem(base_problem(&error, query));
                resolution.base.release = Some(tag.release());
                resolution.base.published = PublishDate::from_tag(tag);
            }
            Ok(None) => resolution.step("recorded tag", StepOutcome::NotFound, format!("there is no tag {text}")),
            Err(error) => {
                resolution.add_problem(base_problem(&error, query));
                if query.base.digest.is_none() {
                    resolution.base.release = Some(tag.release());
                    resolution.base.published = PublishDate::from_tag(tag);
                }
            }
        }
    }

    /// Finds the dated tag of a digest: a known one, a likely one, or one near its build time.
    async fn date_digest(&self, query: &BaseQuery, digest: &Digest, resolution: &mut Resolution) {
        let repository = &query.base.repository;
        if self.is_current(query, digest, resolution).await {
            return;
        }
        if let Some(release) = self.known_release(repository, &[digest]) {
            resolution.step("dated tag", StepOutcome::Found, format!("{release} is known to point at {digest}"));
            resolution.base.published = PublishDate::from_tag(&release);
            resolution.base.release = Some(release);
            return;
        }
        if self.has_dated_tags(repository) {
            match self.guess(query, digest).await {
                Ok(Some((release, seen))) => {
                    let detail = format!("{release}, the newest when the image was built, points at {digest}");
                    resolution.step("dated tag", StepOutcome::Found, detail);
                    return settle(resolution, release, seen);
                }
                Ok(None) => {}
                Err(error) => return resolution.add_problem(base_problem(&error, query)),
            }
        }
        match self.images.content(repository, digest).await {
            Ok(content) => {
                if let Err(error) = self.date_content(query, digest, &content, resolution).await {
                    resolution.add_problem(base_problem(&error, query));
                }
            }
            Err(error) => {
                resolution.step("base manifest", StepOutcome::NotFound, error.to_string());
                let is_found = matches!(error, registry::Error::NotFound { .. })
                    && self.find_configuration(query, digest, resolution).await;
                if !is_found {
                    resolution.add_problem(base_problem(&error, query));
                }
            }
        }
    }

    /// A base that is the current release of its line needs no search: the line is read anyway.
    async fn is_current(&self, query: &BaseQuery, digest: &Digest, resolution: &mut Resolution) -> bool {
        let Some((line, _)) = self
            .lines(query, resolution)
            .into_iter()
            .find(|(line, source)| *source != LineSource::DefaultTag || line.tag != "latest")
        else {
            return false;
        };
        let Ok((current, platform)) = self.current_with(&line, &query.platform, digest).await else { return false };
        let Some(kind) = current.kind_of(digest) else { return false };
        resolution.step("base digest", StepOutcome::Found, format!("{line} still points at {digest}"));
        resolution.base.kind = Some(kind);
        resolution.base.platform_digest = current.platform_digest;
        resolution.base.published = current.release.as_ref().and_then(PublishDate::from_tag);
        resolution.base.config = current.config;
        resolution.base.platform = Some(platform);
        resolution.base.release = current.release;
        resolution.base.diff_ids = current.diff_ids;
        true
    }

    /// Most images are built on the release that was the newest at that time, which takes one `HEAD` instead of three
    /// documents. Tried only while the base is unread, so that later runs do not repeat it.
    async fn guess(&self, query: &BaseQuery, digest: &Digest) -> registry::Result<Option<(LambdaTag, TagObservation)>> {
        let repository = &query.base.repository;
        let family = family_of(query);
        let (Some(built_at), Some(family)) = (query.built_at, family) else { return Ok(None) };
        if self.images.catalog().content(digest).is_some() {
            return Ok(None);
        }
        if self.list_tags(repository, built_at).await.is_some() {
            return Ok(None);
        }
        let is_plain = |tag: &&LambdaTag| tag.family == family && tag.arch.is_none() && tag.built_at <= Some(built_at);
        let Some(newest) = self.dated_tags(repository).iter().rfind(is_plain).cloned() else { return Ok(None) };
        let seen = self.carried(repository, &newest.to_string()).await?;
        Ok(seen.filter(|seen| seen.digest == *digest).map(|seen| (newest, seen)))
    }

    pub(super) async fn date_content(
        &self,
        query: &BaseQuery,
        digest: &Digest,
        content: &DigestContent,
        resolution: &mut Resolution,
    ) -> registry::Result<()> {
        let repository = &query.base.repository;
        let Some((platform_digest, facts)) = self.platform_image(repository, digest, content, &query.platform).await?
        else {
            resolution.base.kind = Some(content.kind());
            let message = format!("{repository}@{digest} has no image for {}", query.platform);
            resolution.problems.push(ResolutionProblem::new(ProblemKind::PlatformMissing, message));
            return Ok(());
        };
        resolution.base.diff_ids = Some(facts.diff_ids.clone());
        resolution.base.config = Some(facts.config.clone());
        resolution.base.platform = Some(facts.platform.clone()).filter(|own| !own.is_unknown());
        let is_config = facts.config == *digest;
        if is_config {
            // Known from an earlier run, which may not have read its image.
            if resolution.base.kind.replace(DigestKind::Config) != Some(DigestKind::Config) {
                self.recall_configuration(query, digest, resolution).await;
            }
            if resolution.base.published.is_some() {
                return Ok(());
            }
        } else {
            resolution.base.kind = Some(content.kind());
            resolution.base.platform_digest = Some(platform_digest);
        }
        // Near this date its dated tag is searched. Whether it dates the base is decided when all bases are known.
        let created_at = facts.created_at.filter(|at| is_plausible(*at, self.seen_at));
        if let Some(created_at) = created_at
            && self.has_dated_tags(repository)
        {
            let unread = self.list_tags(repository, created_at).await;
            if let Some(problem) = &unread {
                resolution.step("tag list", StepOutcome::NotFound, &problem.message);
            }
            let arch = match content {
                DigestContent::Index(_) => None,
                DigestContent::Image(_) => LambdaArch::from_oci(query.platform.architecture()),
            };
            let family = recorded_family(query);
            let search = TagSearch { repository, digest, family: family.as_deref(), arch, around: created_at };
            if is_config {
                if self.search_configuration(&search, query, resolution).await? {
                    return Ok(());
                }
            } else if let Some((release, seen)) = self.search(&search).await? {
                resolution.step("dated tag", StepOutcome::Found, format!("{release} points at {digest}"));
                settle(resolution, release, seen);
                return Ok(());
            }
            let detail = format!("no dated tag near {created_at} points at {digest}");
            resolution.step("dated tag", StepOutcome::NotFound, detail);
            // The tag list might have shown its release, and with it date and line.
            if let Some(problem) = unread {
                resolution.add_problem(problem);
            }
        }
        Ok(())
    }

    /// Reads the platform manifest of a base that differs from the current release: an index that changed while this
    /// platform's manifest did not is not a newer base.
    pub(super) async fn compare_platforms(
        &self,
        query: &BaseQuery,
        current: &CurrentImage,
        resolution: &mut Resolution,
    ) {
        if resolution.base.platform_digest.is_none() {
            self.find_platform(query, current, resolution).await;
        }
        let known = resolution.base.platform_digest.as_ref().and_then(|digest| self.images.catalog().content(digest));
        if let Some(DigestContent::Image(facts)) = known.as_deref() {
            let own = Some(facts.platform.clone()).filter(|own| !own.is_unknown());
            resolution.base.platform = resolution.base.platform.take().or(own);
            resolution.base.config = Some(facts.config.clone());
            resolution.base.diff_ids = Some(facts.diff_ids.clone());
        }
    }

    async fn find_platform(&self, query: &BaseQuery, current: &CurrentImage, resolution: &mut Resolution) {
        let Some(digest) = resolution.base.digest.clone() else { return };
        if digest == current.digest || Some(&digest) == current.config.as_ref() {
            resolution.base.platform_digest.clone_from(&current.platform_digest);
            resolution.base.kind = resolution.base.kind.or(current.kind_of(&digest));
            return;
        }
        if resolution.base.kind == Some(DigestKind::Config) {
            return;
        }
        if current.platform_digest.as_ref() == Some(&digest) || resolution.base.kind == Some(DigestKind::Manifest) {
            resolution.base.kind = Some(DigestKind::Manifest);
            resolution.base.platform_digest = Some(digest);
            return;
        }
        if resolution.problems.iter().any(ResolutionProblem::keeps_from_reading) {
            return;
        }
        let repository = &query.base.repository;
        let entry: registry::Result<_> = async {
            let content = self.images.content(repository, &digest).await?;
            resolution.base.kind = Some(content.kind());
            self.images.entry_for(repository, &digest, &content, &query.platform).await
        }
        .await;
        match entry {
            Ok(Some(entry)) => {
                resolution.base.platform_digest = Some(entry.digest);
                resolution.base.platform = entry.platform;
            }
            Ok(None) => {}
            Err(error) => {
                resolution.step("base manifest", StepOutcome::NotFound, error.to_string());
                resolution.add_problem(base_problem(&error, query));
            }
        }
    }

    /// The image for `platform` of the index or manifest `digest`, with its digest. A manifest counts whatever platform
    /// it states.
    pub(super) async fn platform_image(
        &self,
        repository: &Repository,
        digest: &Digest,
        content: &DigestContent,
        platform: &Platform,
    ) -> registry::Result<Option<(Digest, ImageFacts)>> {
        if let DigestContent::Image(facts) = content {
            return Ok(Some((digest.clone(), facts.clone())));
        }
        let image = self.images.image_for(repository, digest, content, platform).await?;
        Ok(image.and_then(|(entry, known)| match &*known {
            DigestContent::Image(facts) => {
                // A container runtime selects by the platform that the index states.
                let platform = entry.platform.map(|stated| stated.refined_by(&facts.platform));
                let platform = platform.unwrap_or_else(|| facts.platform.clone());
                Some((entry.digest, ImageFacts { platform, ..facts.clone() }))
            }
            DigestContent::Index(_) => None,
        }))
    }
}

/// The problem that a registry's `error` is for the base of `query`.
pub(super) fn base_problem(error: &registry::Error, query: &BaseQuery) -> ResolutionProblem {
    let base = &query.base;
    ResolutionProblem::from_error(error, &base.reference().to_string(), base.digest.as_ref(), ProblemKind::BaseMissing)
}

fn settle(resolution: &mut Resolution, release: LambdaTag, seen: TagObservation) {
    resolution.base.published = PublishDate::from_tag(&release);
    resolution.base.release = Some(release);
    resolution.base.kind = resolution.base.kind.or(seen.kind);
    resolution.base.digest = Some(seen.digest);
}

/// The family of the recorded tag or a configured one. `latest` moves across families.
fn recorded_family(query: &BaseQuery) -> Option<String> {
    let base = &query.base;
    let tag = base.configured_tag.as_deref().or(base.tag.as_deref())?;
    LambdaTag::parse(tag).map(|tag| tag.family).filter(|family| family != "latest")
}

/// The same, or that of the default tag: sufficient for a guess that is verified.
fn family_of(query: &BaseQuery) -> Option<String> {
    let assumed = || {
        let tag = LambdaTag::parse(query.base.default_tag.as_deref()?)?;
        (tag.family != "latest").then_some(tag.family)
    };
    recorded_family(query).or_else(assumed)
}
