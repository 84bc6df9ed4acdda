//! The limits of a resolution: unread history, and pull-through caches.

use super::{BaseResolver, CurrentImage, ProblemKind, ReleaseLine, Resolution, ResolutionProblem};

impl BaseResolver {
    /// Adds the problems that make counts inexact or the current release possibly outdated.
    pub(super) async fn note_coverage(&self, line: &ReleaseLine, current: &CurrentImage, resolution: &mut Resolution) {
        if !is_dated_and_current(resolution, current)
            && let Some(problem) = self.unread_history(line).await
        {
            resolution.add_problem(problem);
        }
        if let Some(cache) = self.images.registry().cache_of(&line.repository) {
            let message = format!(
                "{} is read through {cache}: its current release is as of the last refresh of that cache, up to 24 hours \
                 ago in ECR, and only releases that were pulled through it are counted",
                line.repository
            );
            resolution.add_problem(ResolutionProblem::new(ProblemKind::ReadThroughCache, message));
        }
    }

    /// Why the history of `line` is incomplete, from requests of this run.
    async fn unread_history(&self, line: &ReleaseLine) -> Option<ResolutionProblem> {
        if !self.has_dated_tags(&line.repository) {
            return None;
        }
        let pointer = self.point(line).await.ok()?;
        self.list_tags(&line.repository, pointer.first_seen).await
    }
}

/// Whether the base is the current release and has a dated tag: then history makes no difference.
fn is_dated_and_current(resolution: &Resolution, current: &CurrentImage) -> bool {
    let base = &resolution.base;
    let is_same_manifest = base.platform_digest.is_some() && base.platform_digest == current.platform_digest;
    let is_current = base.digest.as_ref() == Some(&current.digest) || is_same_manifest;
    is_current && base.release.is_some()
}
