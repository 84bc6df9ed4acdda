//! Digests of different kinds: whether they belong to one release, and which image a configuration digest belongs to.
//!
//! An image has an index digest, and a manifest digest and a configuration digest for each platform; builders record
//! any of them.

use super::{
    BaseQuery, BaseResolver, CurrentImage, ProblemKind, PublishDate, ReleaseLine, Resolution, ResolutionProblem,
    StepOutcome,
    base::base_problem,
    tags::{PROBES, TagSearch},
};
use crate::{
    identify::Base,
    image::{Digest, DigestContent, DigestKind, ImageFacts, LambdaTag, Platform, Repository},
    registry,
};

/// The most further digests that are compared. Real images record two.
const FURTHER_DIGESTS: usize = 4;

impl Resolution {
    /// Whether `recorded`, in the base's repository, belongs to a release other than the base in use.
    #[must_use]
    pub fn contradicts(&self, recorded: &Base) -> bool {
        let is_other = |digest: &Digest| self.base.contradicting.contains(digest);
        let dated = || recorded.tag.as_deref().and_then(LambdaTag::parse).filter(|tag| tag.built_at.is_some());
        match (&recorded.digest, &self.base.release) {
            (Some(digest), _) => is_other(digest) || recorded.further_digests.iter().any(is_other),
            (None, Some(release)) => dated().is_some_and(|tag| tag.release() != *release),
            (None, None) => false,
        }
    }
}

impl BaseResolver {
    /// The current release of `line` for the base of `query`: on the image's platform, or on the base's own platform
    /// if the image's platform cannot run it.
    pub(super) async fn current_of_base(
        &self,
        line: &ReleaseLine,
        query: &BaseQuery,
        resolution: &Resolution,
    ) -> Result<CurrentImage, ResolutionProblem> {
        let platform = &query.platform;
        let is_foreign = |own: &&Platform| !own.has_architecture_of(platform) && own.distance_from(platform).is_none();
        if let Some(own) = resolution.base.platform.as_ref().filter(is_foreign)
            && let Ok(current) = self.current(line, own).await
        {
            return Ok(current);
        }
        match &resolution.base.digest {
            Some(digest) => self.current_with(line, platform, digest).await.map(|(current, _)| current),
            None => self.current(line, platform).await,
        }
    }

    /// The current release of `line` on `platform`. If `digest` is the current index or one of its images, the platform
    /// of that: such a base is current whatever platform it states.
    pub(super) async fn current_with(
        &self,
        line: &ReleaseLine,
        platform: &Platform,
        digest: &Digest,
    ) -> Result<(CurrentImage, Platform), ResolutionProblem> {
        let result = self.current(line, platform).await;
        let is_known = match &result {
            Ok(current) => current.kind_of(digest).is_some(),
            Err(problem) => problem.kind != ProblemKind::PlatformMissing,
        };
        if !is_known
            && let Some(other) = self.platform_with(line, digest).await
            && let Ok(current) = self.current(line, &other).await
        {
            return Ok((current, other));
        }
        result.map(|current| (current, platform.clone()))
    }

    /// The platform of the image `digest` in the current index of `line`; any platform if `digest` is that index.
    async fn platform_with(&self, line: &ReleaseLine, digest: &Digest) -> Option<Platform> {
        let (pointed, content) = self.points_at(line).await.ok()?;
        let images = self.images.images_of(&line.repository, &pointed, &content).await.ok()?;
        let is_meant = |image: &&crate::image::ChildManifest| pointed == *digest || image.digest == *digest;
        images.iter().find(is_meant)?.platform.clone()
    }

    /// Determines which of the further recorded digests belong to another release.
    pub(super) async fn compare_digests(&self, query: &BaseQuery, resolution: &mut Resolution) {
        let further = query.base.further_digests.iter().take(FURTHER_DIGESTS);
        let further: Vec<_> = further.filter(|further| resolution.base.digest.as_ref() != Some(further)).collect();
        if further.is_empty() {
            return;
        }
        let own = self.own_names(query, resolution).await;
        for digest in further {
            let (outcome, detail) = match self.is_same_release(query, digest, &own).await {
                Some(true) => {
                    resolution.base.agreeing.push(digest.clone());
                    (StepOutcome::Found, format!("{digest} belongs to the same release"))
                }
                Some(false) => {
                    resolution.base.contradicting.push(digest.clone());
                    (StepOutcome::Contradiction, format!("{digest} belongs to another release"))
                }
                None => (StepOutcome::NotFound, format!("whether {digest} belongs to the same release is unknown")),
            };
            resolution.step("further digest", outcome, detail);
        }
    }

    /// The digests and layers of the base in use.
    async fn own_names(&self, query: &BaseQuery, resolution: &Resolution) -> ReleaseIdentity {
        let (base, repository) = (&resolution.base, &query.base.repository);
        let readable =
            base.digest.as_ref().filter(|_| base.kind != Some(DigestKind::Config)).or(base.platform_digest.as_ref());
        let read = match readable {
            Some(digest) => self.read_names(repository, digest, &query.platform).await.ok(),
            None => None,
        };
        let mut names = read.unwrap_or_default();
        names.digests.extend([&base.digest, &base.platform_digest, &base.config].into_iter().flatten().cloned());
        if let Some(diff_ids) = &base.diff_ids {
            names.diff_ids.clone_from(diff_ids);
        }
        names
    }

    /// Whether `digest` belongs to the release of `own`; `None` if unknown.
    async fn is_same_release(&self, query: &BaseQuery, digest: &Digest, own: &ReleaseIdentity) -> Option<bool> {
        if own.digests.contains(digest) {
            return Some(true);
        }
        let repository = &query.base.repository;
        if own.digests.is_empty() {
            return None;
        }
        let other = match self.read_names(repository, digest, &query.platform).await {
            Ok(names) => names,
            Err(registry::Error::NotFound { .. }) => {
                let known = self.images.configuration(repository, digest).await.ok()?;
                ReleaseIdentity::from_image(digest, &known)
            }
            Err(_) => return None,
        };
        if other.digests.iter().any(|digest| own.digests.contains(digest)) {
            return Some(true);
        }
        let release = |digests: &[Digest]| self.known_release(repository, &digests.iter().collect::<Vec<_>>());
        if release(&other.digests).is_some_and(|other| release(&own.digests) == Some(other)) {
            return Some(true);
        }
        // A rebuild without change has other digests but counts as the same base.
        let is_known = !own.diff_ids.is_empty() && !other.diff_ids.is_empty();
        is_known.then(|| own.diff_ids == other.diff_ids)
    }

    /// The digests that belong to `digest`: its images, and configuration and layers of the one for `platform`.
    async fn read_names(
        &self,
        repository: &Repository,
        digest: &Digest,
        platform: &Platform,
    ) -> registry::Result<ReleaseIdentity> {
        let content = self.images.content(repository, digest).await?;
        let images = self.images.images_of(repository, digest, &content).await?;
        let mut names = match self.platform_image(repository, digest, &content, platform).await? {
            Some((manifest, facts)) => ReleaseIdentity::from_image(&manifest, &DigestContent::Image(facts)),
            None => ReleaseIdentity::default(),
        };
        names.digests.push(digest.clone());
        names.digests.extend(images.into_iter().map(|image| image.digest));
        Ok(names)
    }

    /// Finds a base whose `digest` is not a manifest: the image with that configuration, else the configuration.
    /// Returns whether it was found.
    pub(super) async fn find_configuration(
        &self,
        query: &BaseQuery,
        digest: &Digest,
        resolution: &mut Resolution,
    ) -> bool {
        self.recall_configuration(query, digest, resolution).await;
        if resolution.base.published.is_some() {
            return true;
        }
        let Ok(content) = self.images.configuration(&query.base.repository, digest).await else {
            return resolution.base.config.is_some();
        };
        resolution.step("base configuration", StepOutcome::Found, format!("{digest} is the configuration of an image"));
        if let Err(error) = self.date_content(query, digest, &content, resolution).await {
            resolution.add_problem(base_problem(&error, query));
        }
        true
    }

    /// Resolves a base with the configuration `digest` if an image with it is known.
    pub(super) async fn recall_configuration(&self, query: &BaseQuery, digest: &Digest, resolution: &mut Resolution) {
        let repository = &query.base.repository;
        let Some((named, manifest, facts)) = self.known_configuration(query, digest).await else { return };
        let detail = format!("{digest} is the configuration of {manifest}");
        resolution.step("base configuration", StepOutcome::Found, detail);
        settle(&facts, self.known_release(repository, &[&named, &manifest]), resolution);
        resolution.base.platform_digest = Some(manifest);
    }

    /// The dated tag of the platform image whose configuration `search` is for.
    pub(super) async fn search_configuration(
        &self,
        search: &TagSearch<'_>,
        query: &BaseQuery,
        resolution: &mut Resolution,
    ) -> registry::Result<bool> {
        let arch = crate::image::LambdaArch::from_oci(query.platform.architecture());
        for tag in self.candidates(&TagSearch { arch, ..*search }).into_iter().take(PROBES) {
            let Some(seen) = self.carried_image(search.repository, &tag.to_string()).await? else { continue };
            let content = self.images.content(search.repository, &seen.digest).await?;
            let image = self.platform_image(search.repository, &seen.digest, &content, &query.platform).await?;
            if let Some((manifest, facts)) = image.filter(|(_, facts)| facts.config == *search.digest) {
                resolution.step(
                    "dated tag",
                    StepOutcome::Found,
                    format!("{tag} points at the image of {}", search.digest),
                );
                settle(&facts, Some(tag.release()), resolution);
                resolution.base.platform_digest = Some(manifest);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The image with the configuration `digest`, among the images of the repository in the catalog and the further
    /// recorded digests: the recorded digest, the manifest digest, and the image.
    async fn known_configuration(&self, query: &BaseQuery, digest: &Digest) -> Option<(Digest, Digest, ImageFacts)> {
        let repository = &query.base.repository;
        let catalog = self.images.catalog();
        let remembered: Vec<_> = catalog.read_repository(repository, |record| {
            let carried = record.carried.values();
            carried.chain(record.moving.values().flatten()).map(|seen| seen.digest.clone()).collect()
        });
        for named in remembered {
            let manifests = match catalog.content(&named).as_deref() {
                Some(DigestContent::Image(_)) => vec![named.clone()],
                Some(DigestContent::Index(index)) => index.children.iter().map(|child| child.digest.clone()).collect(),
                None => Vec::new(),
            };
            for manifest in manifests {
                if let Some(DigestContent::Image(facts)) = catalog.content(&manifest).as_deref()
                    && facts.config == *digest
                {
                    return Some((named, manifest, facts.clone()));
                }
            }
        }
        for further in query.base.further_digests.iter().take(FURTHER_DIGESTS) {
            let Ok(content) = self.images.content(repository, further).await else { continue };
            let image = self.platform_image(repository, further, &content, &query.platform).await;
            if let Ok(Some((manifest, facts))) = image
                && facts.config == *digest
            {
                return Some((further.clone(), manifest, facts));
            }
        }
        None
    }
}

/// Sets the base to the image of `facts`, whose configuration was recorded.
fn settle(facts: &ImageFacts, release: Option<LambdaTag>, resolution: &mut Resolution) {
    let base = &mut resolution.base;
    base.kind = Some(DigestKind::Config);
    base.config = Some(facts.config.clone());
    base.diff_ids = Some(facts.diff_ids.clone());
    if let Some(release) = release {
        base.published = PublishDate::from_tag(&release);
        base.release = Some(release);
    }
}

/// The digests of one release, and the layers of its image.
#[derive(Default)]
struct ReleaseIdentity {
    digests: Vec<Digest>,
    diff_ids: Vec<Digest>,
}

impl ReleaseIdentity {
    /// Those of the image `digest`.
    fn from_image(digest: &Digest, known: &DigestContent) -> Self {
        match known {
            DigestContent::Image(facts) => {
                Self { digests: vec![digest.clone(), facts.config.clone()], diff_ids: facts.diff_ids.clone() }
            }
            DigestContent::Index(_) => Self::default(),
        }
    }
}
