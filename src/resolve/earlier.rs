//! Earlier releases of a line, for an instant in the past and for a held current release.

use std::sync::Arc;

use super::{
    BaseResolver, CurrentImage, ProblemKind, PublishDate, ReleaseHold, ReleaseLine, ResolutionProblem,
    line::{CurrentResult, line_problem, no_platform},
    observed::{ReleaseDigests, TagInterval},
};
use crate::{
    image::{Digest, LambdaArch, LambdaTag, Platform},
    registry,
};

/// The most consecutive releases that are read to check holds by digest.
const MOST_HELD: usize = 16;

impl BaseResolver {
    /// The newest dated release of the line that is not held, else the newest observed one. Without a `hold` on the
    /// current release: the newest before an instant in the past.
    pub(super) async fn step_back(
        &self,
        line: &ReleaseLine,
        platform: &Platform,
        current: &CurrentImage,
        hold: Option<Arc<ReleaseHold>>,
    ) -> CurrentResult {
        let repository = &line.repository;
        let failed = |error| line_problem(line, &error);
        let (then, digest) = if current.releases.tags.is_empty() {
            (None, self.seen_before(line, platform, hold.is_some()))
        } else {
            self.tagged_before(line, platform, current, hold.is_some()).await.map_err(failed)?.unzip()
        };
        let digest = digest.ok_or_else(|| match &hold {
            Some(hold) => line_held(line, hold),
            None => ResolutionProblem::new(
                ProblemKind::LineUnknown,
                format!("the release that {line} pointed at then is unknown"),
            ),
        })?;
        let content = self.images.content(repository, &digest).await.map_err(failed)?;
        let image = self.platform_image(repository, &digest, &content, platform).await.map_err(failed)?;
        let (platform_digest, facts) = image.ok_or_else(|| no_platform(line, platform))?;
        let digests = ReleaseDigests { digest: Some(&digest), platform_digest: Some(&platform_digest) };
        Ok(CurrentImage {
            published: then.as_ref().and_then(PublishDate::from_tag).or_else(|| self.undated(line, platform, digests)),
            digest,
            kind: content.kind(),
            platform_digest: Some(platform_digest),
            release: then,
            config: Some(facts.config),
            diff_ids: Some(facts.diff_ids),
            releases: Arc::clone(&current.releases),
            hold,
        })
    }

    /// The newest dated release of `line` with its digest; if the current release `is_held`, the newest whose digest is
    /// not held either.
    async fn tagged_before(
        &self,
        line: &ReleaseLine,
        platform: &Platform,
        current: &CurrentImage,
        is_held: bool,
    ) -> registry::Result<Option<(LambdaTag, Digest)>> {
        let repository = &line.repository;
        let arch = LambdaArch::from_oci(platform.architecture());
        let is_other = |tag: &&LambdaTag| !is_held || current.release.as_ref() != Some(*tag);
        for tag in current.releases.tags.iter().rev().filter(is_other).take(MOST_HELD) {
            let Some(seen) = self.carried_image(repository, &tag.to_string()).await? else {
                // For an instant in the past the release is unknown then; for a hold an older release still works.
                if is_held {
                    continue;
                }
                return Ok(None);
            };
            if self.hold_of_tag(repository, tag, arch).is_none() {
                return Ok(Some((tag.clone(), seen.digest)));
            }
        }
        Ok(None)
    }

    /// The newest observed release of `line`, which has no dated tags; if the current one `is_held`, the newest before
    /// it that is not.
    fn seen_before(&self, line: &ReleaseLine, platform: &Platform, is_held: bool) -> Option<Digest> {
        let observations = self.observations(&(line.clone(), platform.clone()));
        let is_free = |interval: &&TagInterval| {
            interval.first_seen <= self.now && self.hold_of_interval(&line.repository, interval).is_none()
        };
        let interval = if is_held { observations.intervals().iter().rfind(is_free) } else { observations.on(self.now) };
        interval.map(|interval| interval.digest.clone())
    }
}

/// The problem that all known releases of `line` are held.
fn line_held(line: &ReleaseLine, hold: &ReleaseHold) -> ResolutionProblem {
    let ReleaseHold { reason, until, .. } = hold;
    let message =
        format!("{line} points at a release that is held until {until} ({reason}), and no other release is known");
    ResolutionProblem::new(ProblemKind::LineHeld, message)
}
