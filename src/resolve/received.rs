//! When private ECR received releases, and which releases of a line it received after a base.
//!
//! That an image was received proves that it was published by then. It never proves that it was not published before:
//! an image that is pushed again, copied or replicated counts as received then.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{BaseInUse, Current, Line, Newer, Resolver, observed::ReleaseDigests};
use crate::{
    image::{Repository, is_plausible},
    inventory::Held,
};

/// The least number of digits of a date or build number: fewer are a version, which may be of another line.
const BUILD_DIGITS: usize = 3;
/// The least length of the abbreviated commit that may follow it.
const COMMIT_DIGITS: usize = 7;

impl Resolver {
    /// When ECR received `release`, if it listed `repository`.
    pub(super) fn received_at(&self, repository: &Repository, release: ReleaseDigests<'_>) -> Option<DateTime<Utc>> {
        let stored = self.shelf(repository)?;
        let digests = [release.digest, release.platform_digest];
        let received = digests.into_iter().flatten().filter_map(|digest| stored.image(digest)?.pushed_at);
        received.filter(|at| is_plausible(*at, self.seen_at)).min()
    }

    /// The releases of `line` that ECR received after `base` had been published, up to its current one. Of those between
    /// them, only tagged ones count whose tag says that they are builds of this line: others may be of another one.
    pub(super) fn received_after(&self, line: &Line, base: &BaseInUse, current: &Current) -> Option<Newer> {
        let base_at = self.known_since(&line.repository, base.digests())?;
        let current_at = self.received_at(&line.repository, current.digests()).filter(|at| *at <= self.now)?;
        let is_between = |held: &&Held| held.pushed_at.is_some_and(|at| base_at < at && at < current_at);
        let is_build = |held: &&Held| held.tags.iter().any(|tag| is_build_of(&line.tag, tag));
        let is_current =
            |held: &&Held| [Some(&current.digest), current.platform_digest.as_ref()].contains(&Some(&held.digest));
        let is_free = |held: &&Held| self.hold_of_digests(&line.repository, [Some(&held.digest), None]).is_none();
        let stored = self.shelf(&line.repository)?;
        let between =
            stored.images().filter(is_between).filter(is_build).filter(|held| !is_current(held)).filter(is_free);
        let received: BTreeSet<_> = between.filter_map(|held| Some((held.pushed_at?, &held.digest))).collect();
        (base_at < current_at).then(|| Newer {
            since: Some(received.first().map_or(current_at, |(at, _)| *at)),
            count: Some(received.len() as u64 + 1),
            is_exact: false,
            is_estimated: false,
        })
    }

    /// When `release` is known to have been published at the latest: the catalog or ECR had seen it by then.
    fn known_since(&self, repository: &Repository, release: ReleaseDigests<'_>) -> Option<DateTime<Utc>> {
        let digests = [release.digest, release.platform_digest];
        let recorded = self.images.catalog().recall(repository, |memory| {
            let recorded = digests.into_iter().flatten().filter_map(|digest| memory.releases.get(digest));
            recorded.map(|release| release.first_seen).min()
        });
        self.received_at(repository, release).into_iter().chain(recorded).min()
    }
}

/// Whether `tag` is that of one build of the line `line`: it goes on with a date or a build number, and at the most with a
/// commit behind that, as in `21-20260901` and `21-421-0a1b2c3`.
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
    fn only_dates_and_build_numbers_behind_the_tag_of_a_line_say_that_a_build_is_of_it() {
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
            // Versions, which may be of a line of their own.
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
