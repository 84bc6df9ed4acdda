//! What a resolution does not cover: history that could not be read, and what a pull-through cache cannot know.

use super::{Current, Line, Problem, ProblemKind, Resolution, Resolver};

impl Resolver {
    /// Adds to `resolution` what keeps its numbers from being exact and the current release from being the newest.
    pub(super) async fn note_coverage(&self, line: &Line, current: &Current, resolution: &mut Resolution) {
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
            resolution.add_problem(Problem::new(ProblemKind::ReadThroughCache, message));
        }
    }

    /// Why the history of `line` up to what it points at now is not known; asks nothing that was asked in this run.
    async fn unread_history(&self, line: &Line) -> Option<Problem> {
        if !self.has_dated_tags(&line.repository) {
            return None;
        }
        let pointer = self.point(line).await.ok()?;
        self.list_tags(&line.repository, pointer.first_seen).await
    }
}

/// Whether the base is the current release and a dated tag carries it: then no history could change anything.
fn is_dated_and_current(resolution: &Resolution, current: &Current) -> bool {
    let base = &resolution.base;
    let is_same_manifest = base.platform_digest.is_some() && base.platform_digest == current.platform_digest;
    let is_current = base.digest.as_ref() == Some(&current.digest) || is_same_manifest;
    is_current && base.release.is_some()
}
