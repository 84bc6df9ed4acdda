//! Push dates of releases in private ECR, and the releases of a line that were pushed after a base.
//!
//! A push date proves that an image was published by then, not that it was unpublished before: a repeated push, a copy
//! or a replication counts as a push.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{BaseResolver, CurrentImage, LaterReleases, ReleaseLine, ResolvedBase, observed::ReleaseDigests};
use crate::{
    image::{Repository, is_plausible},
    inventory::StoredImage,
};

/// The fewest digits of a date or build number; fewer are a version, which may belong to another line.
const BUILD_DIGITS: usize = 3;
/// The shortest abbreviated commit that may follow it.
const COMMIT_DIGITS: usize = 7;

impl BaseResolver {
    /// When ECR received `release`, if `repository` was listed.
    pub(super) fn received_at(&self, repository: &Repository, release: ReleaseDigests<'_>) -> Option<DateTime<Utc>> {
        let stored = self.repository_images(repository)?;
        let digests = [release.digest, release.platform_digest];
        let received = digests.into_iter().flatten().filter_map(|digest| stored.image(digest)?.pushed_at);
        received.filter(|at| is_plausible(*at, self.seen_at)).min()
    }

    /// The releases of `line` that ECR received after `base` was published, up to the current one. Between them, only
    /// images whose tag marks them as builds of this line count.
    pub(super) fn received_after(
        &self,
        line: &ReleaseLine,
        base: &ResolvedBase,
        current: &CurrentImage,
    ) -> Option<LaterReleases> {
        let base_at = self.known_since(&line.repository, base.digests())?;
        let current_at = self.received_at(&line.repository, current.digests()).filter(|at| *at <= self.now)?;
        let is_between = |image: &&StoredImage| image.pushed_at.is_some_and(|at| base_at < at && at < current_at);
        let is_build = |image: &&StoredImage| image.tags.iter().any(|tag| is_build_of(&line.tag, tag));
        let is_current = |image: &&StoredImage| {
            [Some(&current.digest), current.platform_digest.as_ref()].contains(&Some(&image.digest))
        };
        let is_free =
            |image: &&StoredImage| self.hold_of_digests(&line.repository, [Some(&image.digest), None]).is_none();
        let stored = self.repository_images(&line.repository)?;
        let between =
            stored.images().filter(is_between).filter(is_build).filter(|image| !is_current(image)).filter(is_free);
        let received: BTreeSet<_> = between.filter_map(|image| Some((image.pushed_at?, &image.digest))).collect();
        (base_at < current_at).then(|| LaterReleases {
            since: Some(received.first().map_or(current_at, |(at, _)| *at)),
            count: Some(received.len() as u64 + 1),
            is_exact: false,
            is_estimated: false,
        })
    }

    /// The latest possible publish date of `release`: the catalog or ECR had it by then.
    fn known_since(&self, repository: &Repository, release: ReleaseDigests<'_>) -> Option<DateTime<Utc>> {
        let digests = [release.digest, release.platform_digest];
        let recorded = self.images.catalog().read_repository(repository, |record| {
            let recorded = digests.into_iter().flatten().filter_map(|digest| record.releases.get(digest));
            recorded.map(|release| release.first_seen).min()
        });
        self.received_at(repository, release).into_iter().chain(recorded).min()
    }
}

/// Whether `tag` is one build of the line `line`: the line's tag, a date or build number, and optionally a commit, as
/// in `21-20260901` and `21-421-0a1b2c3`.
fn is_build_of(line: &str, tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix(line).and_then(|rest| rest.strip_prefix(['-', '.', '_'])) else { return false };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_commit = |part: &str| part.len() >= COMMIT_DIGITS && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = rest.split(['-', '.', '_']);
    parts.next().is_some_and(|first| is_number(first) && first.len() >= BUILD_DIGITS)
        && parts.all(|part| is_number(part) || is_commit(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_date_or_build_number_after_the_tag_of_a_line_marks_its_builds() {
        for (line, tag, is_build) in [
            ("21", "21-20260901", true),
            ("21", "21-2026-09-01", true),
            ("21", "21.2026.09.01.13", true),
            ("21", "21-421", true),
            ("21", "21_421-0a1b2c3d", true),
            ("latest", "latest-421", true),
            ("21", "21", false),
            ("21", "211", false),
            ("21", "2120260901", false),
            // Versions, which may be lines of their own.
            ("3", "3.12", false),
            ("3", "3.12-20260901", false),
            ("21", "21-20260901-slim", false),
            ("21", "21-feature-421", false),
            ("21", "21-", false),
            ("21", "17-20260901", false),
        ] {
            assert_eq!(is_build_of(line, tag), is_build, "{line} {tag}");
        }
    }
}
