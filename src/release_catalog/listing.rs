//! The releases that a crawl reads: those of the selected lines in tag lists.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};

use super::ReleaseCatalog;
use crate::{
    glob::Glob,
    image::{LambdaArch, LambdaTag, Repository},
};

/// The scope of a crawl.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrawlScope {
    /// The repositories.
    pub repositories: Vec<Repository>,
    /// Patterns of lines, as `REPOSITORY:LINE`; empty for all lines.
    pub lines: Vec<Glob>,
    /// The earliest date of a release's tag.
    pub since: Option<DateTime<Utc>>,
}

/// The tag list of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineListing {
    /// The repository.
    pub repository: Repository,
    /// When it was read, by which its tags were published.
    pub listed_at: DateTime<Utc>,
    /// Its dated tags in the scope.
    pub tags: Vec<String>,
    /// Whether it is complete and from the registry itself.
    pub is_complete: bool,
}

/// A release in a tag list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedRelease {
    /// Its tag, without an architecture.
    pub(super) tag: LambdaTag,
    /// The architectures with their own tag.
    pub(super) architectures: BTreeSet<LambdaArch>,
    /// Whether there is a tag without an architecture.
    pub(super) has_plain_tag: bool,
}

/// The number of requests for a manifest and its configuration.
const REQUESTS_PER_IMAGE: usize = 2;

impl ListedRelease {
    /// The number of requests to read it: manifest and configuration for each architecture, a `HEAD` for the digest of
    /// the index, and the index itself if it is the only tag.
    pub(super) fn request_count(&self) -> usize {
        let images = if self.architectures.is_empty() { 2 } else { self.architectures.len() };
        images * REQUESTS_PER_IMAGE + usize::from(self.has_plain_tag)
    }
}

impl CrawlScope {
    /// Whether the line of `family` in `repository` is in the scope.
    #[must_use]
    pub fn has_line(&self, repository: &Repository, family: &str) -> bool {
        let line = format!("{repository}:{family}");
        self.lines.is_empty() || self.lines.iter().any(|pattern| pattern.matches(&line))
    }

    /// Whether `tag` in `repository` names a release in the scope.
    #[must_use]
    pub fn has_tag(&self, repository: &Repository, tag: &str) -> bool {
        LambdaTag::parse(tag).is_some_and(|tag| {
            let is_late = |built_at| self.since.is_none_or(|since| built_at >= since);
            tag.built_at.is_some_and(is_late) && self.has_line(repository, &tag.family)
        })
    }

    /// The scope in one line. Crawls with the same text have the same scope.
    #[must_use]
    pub fn describe(&self) -> String {
        let repositories: BTreeSet<_> = self.repositories.iter().map(ToString::to_string).collect();
        let lines: BTreeSet<_> = self.lines.iter().map(Glob::as_str).collect();
        let join = |words: Vec<&str>| words.join(" ");
        let since = self.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
        format!(
            "repositories {}; lines {}; since {}",
            join(repositories.iter().map(String::as_str).collect()),
            if lines.is_empty() { "*".to_owned() } else { join(lines.into_iter().collect()) },
            since.as_deref().unwrap_or("ever")
        )
    }
}

impl LineListing {
    /// The listed releases that `known` lacks on at least one listed architecture.
    pub(super) fn releases(&self, known: &KnownTags) -> Vec<ListedRelease> {
        let mut releases: BTreeMap<LambdaTag, ListedRelease> = BTreeMap::new();
        for tag in self.tags.iter().filter_map(|tag| LambdaTag::parse(tag)) {
            let release = tag.release();
            let listed = releases.entry(release.clone()).or_insert_with(|| ListedRelease {
                tag: release,
                architectures: BTreeSet::new(),
                has_plain_tag: false,
            });
            match tag.arch {
                Some(arch) => drop(listed.architectures.insert(arch)),
                None => listed.has_plain_tag = true,
            }
        }
        let mut releases: Vec<_> = releases.into_values().collect();
        releases.retain(|release| !known.has(&self.repository, release));
        releases
    }
}

/// The architectures with known releases, by the tag without architecture.
#[derive(Debug, Default)]
pub(super) struct KnownTags(BTreeMap<(Repository, String), BTreeSet<LambdaArch>>);

impl KnownTags {
    /// The tags of `catalog`.
    pub(super) fn new(catalog: &ReleaseCatalog) -> Self {
        let mut known = Self::default();
        for (repository, release) in catalog.iter() {
            let arch = LambdaArch::from_oci(release.platform.architecture());
            for tag in &release.tags {
                known.0.entry((repository.clone(), tag.clone())).or_default().extend(arch);
            }
        }
        known
    }

    fn has(&self, repository: &Repository, release: &ListedRelease) -> bool {
        let known = self.0.get(&(repository.clone(), release.tag.to_string()));
        known.is_some_and(|known| release.architectures.is_subset(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_release_has_all_its_tags_and_its_number_of_requests() {
        let listing = LineListing {
            repository: "public.ecr.aws/lambda/java".parse().unwrap(),
            listed_at: DateTime::UNIX_EPOCH,
            tags: [
                "21.2026.07.16.13",
                "21.2026.07.16.13-arm64",
                "21.2026.07.16.13-x86_64",
                "8.al2.2024.01.01.10",
                "21",
            ]
            .map(str::to_owned)
            .to_vec(),
            is_complete: true,
        };
        let mut releases = listing.releases(&KnownTags::default());
        releases.retain(|release| release.tag.built_at.is_some());
        let found: Vec<_> = releases
            .iter()
            .map(|release| (release.tag.to_string(), release.architectures.len(), release.request_count()))
            .collect();
        assert_eq!(found, [("21.2026.07.16.13".to_owned(), 2, 5), ("8.al2.2024.01.01.10".to_owned(), 0, 5)]);
    }

    #[test]
    fn a_scope_selects_dated_tags_by_line_and_date() {
        let java: Repository = "public.ecr.aws/lambda/java".parse().unwrap();
        let scope = CrawlScope {
            repositories: vec![java.clone()],
            lines: vec!["*/java:21".parse().unwrap()],
            since: Some("2026-07-01T00:00:00Z".parse().unwrap()),
        };
        for (tag, is_wanted) in [
            ("21.2026.07.16.13", true),
            ("21.2026.07.01.00-arm64", true),
            ("21.2026.06.30.23", false),
            ("11.2026.07.16.13", false),
            ("21", false),
            ("latest", false),
            ("garbage", false),
        ] {
            assert_eq!(scope.has_tag(&java, tag), is_wanted, "{tag}");
        }
        let all = CrawlScope { lines: Vec::new(), since: None, ..scope.clone() };
        assert!(all.has_tag(&java, "8.2020.01.01.00") && all.describe() != scope.describe());
    }
}
