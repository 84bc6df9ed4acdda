//! Lookup of a base by reference: its digest, its platforms, and the history of its line.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{BaseResolver, ProblemKind, ReleaseHold, ReleaseLine, ResolutionProblem};
use crate::{
    image::{Digest, DigestContent, ErrorCode, LambdaArch, LambdaTag, Platform, Reference, Repository},
    registry,
    store::SharedContent,
};

/// One release of a line, from its dated tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRelease {
    /// Its dated tag, without architecture.
    pub tag: LambdaTag,
    /// When it was built, to the hour.
    pub built_at: DateTime<Utc>,
    /// The architectures with their own tag.
    pub architectures: BTreeSet<LambdaArch>,
    /// The digest of the plain tag, if it was ever read.
    pub digest: Option<Digest>,
    /// The hold that takes it out of the line.
    pub hold: Option<Arc<ReleaseHold>>,
}

/// The history of a line, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineHistory {
    /// The releases until now.
    pub releases: Vec<PastRelease>,
    /// Whether the tag list is complete.
    pub is_complete: bool,
}

impl BaseResolver {
    /// The line that `reference` names; `None` with a digest or a dated tag.
    #[must_use]
    pub fn line_of(&self, reference: &Reference) -> Option<ReleaseLine> {
        let tag = reference.tag.as_ref().filter(|_| reference.digest.is_none())?;
        let is_dated = self.has_dated_tags(&reference.repository)
            && LambdaTag::parse(tag).is_some_and(|tag| tag.built_at.is_some());
        (!is_dated).then(|| ReleaseLine { repository: reference.repository.clone(), tag: tag.clone() })
    }

    /// The digest that `reference` points at now; for a line, the newest release that is not held.
    ///
    /// # Errors
    ///
    /// A [`ResolutionProblem`] if it does not exist or cannot be read.
    pub async fn look_up(&self, reference: &Reference) -> Result<(Digest, SharedContent), ResolutionProblem> {
        let missing = || base_problem(&self.absence(reference), reference);
        if let Some(line) = self.line_of(reference) {
            let (digest, content) = self.points_at(&line).await?;
            return self.instead_of_held(&line, digest, content).await;
        }
        let digest = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.clone(),
            (None, Some(tag)) => {
                let seen = self.carried_image(&reference.repository, tag).await;
                seen.map_err(|error| base_problem(&error, reference))?.ok_or_else(missing)?.digest
            }
            (None, None) => return Err(missing()),
        };
        match self.images.content(&reference.repository, &digest).await {
            Ok(content) => Ok((digest, content)),
            Err(error) => Err(base_problem(&error, reference)),
        }
    }

    /// The release to use instead of the one that `line` points at, if that is held on its first platform.
    async fn instead_of_held(
        &self,
        line: &ReleaseLine,
        digest: Digest,
        content: SharedContent,
    ) -> Result<(Digest, SharedContent), ResolutionProblem> {
        let platforms = self.platforms(&line.repository, &digest, &content).await?;
        let Some((platform, _)) = platforms.first() else { return Ok((digest, content)) };
        let current = self.current(line, platform).await?;
        if current.hold.is_none() {
            return Ok((digest, content));
        }
        let pinned = Reference::pinned(line.repository.clone(), current.digest.clone());
        let content = self.images.content(&line.repository, &current.digest).await;
        let content = content.map_err(|error| base_problem(&error, &pinned))?;
        Ok((current.digest, content))
    }

    /// The platforms of the reference, each with its manifest digest.
    ///
    /// # Errors
    ///
    /// A [`ResolutionProblem`] if an index entry states no platform and cannot be read.
    pub async fn platforms(
        &self,
        repository: &Repository,
        digest: &Digest,
        content: &DigestContent,
    ) -> Result<Vec<(Platform, Digest)>, ResolutionProblem> {
        let images = self.images.images_of(repository, digest, content).await;
        let index = || Reference::pinned(repository.clone(), digest.clone());
        let images = images.map_err(|error| base_problem(&error, &index()))?;
        Ok(images.into_iter().filter_map(|image| Some((image.platform?, image.digest))).collect())
    }

    /// The releases of `family` in `repository` until now, from its tag list.
    ///
    /// # Errors
    ///
    /// A [`ResolutionProblem`] if the list cannot be read.
    pub async fn history(&self, repository: &Repository, family: &str) -> Result<LineHistory, ResolutionProblem> {
        let problem = self.list_tags(repository, self.seen_at).await;
        if let Some(problem) = problem.filter(|problem| problem.failure != Some(ErrorCode::Incomplete)) {
            return Err(problem);
        }
        let mut releases: BTreeMap<_, BTreeSet<LambdaArch>> = BTreeMap::new();
        for tag in self.dated_tags(repository).iter().filter(|tag| tag.family == family) {
            let Some(built_at) = tag.built_at.filter(|built_at| *built_at <= self.now) else { continue };
            releases.entry(built_at).or_default().extend(tag.arch);
        }
        let release = |(built_at, architectures)| {
            let tag = LambdaTag { family: family.to_owned(), built_at: Some(built_at), arch: None };
            let digest = self.images.catalog().read_repository(repository, |record| {
                record.carried.get(&tag.to_string()).map(|seen| seen.digest.clone())
            });
            let hold = self.hold_of_tag(repository, &tag, None);
            PastRelease { tag, built_at, architectures, digest, hold }
        };
        Ok(LineHistory {
            releases: releases.into_iter().rev().map(release).collect(),
            is_complete: self.is_list_complete(repository, self.seen_at),
        })
    }
}

fn base_problem(error: &registry::Error, reference: &Reference) -> ResolutionProblem {
    ResolutionProblem::from_error(error, &reference.to_string(), reference.digest.as_ref(), ProblemKind::BaseMissing)
}
