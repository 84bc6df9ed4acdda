//! The release catalog: a record of base releases that one machine crawls and signs, and that all others load.
//!
//! It may prove which base an image has, but never which release of a line is current.

mod crawl;
mod encoding;
mod journal;
mod listing;
mod refusal;
mod signature;
mod signed;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::Serialize;

pub use self::{
    crawl::{CrawlError, CrawlProgress, CrawlResult, crawl},
    encoding::{DecodeError, MOST_BYTES},
    journal::{CrawlJournal, JournalError},
    listing::{CrawlScope, LineListing},
    refusal::CatalogRefusal,
    signature::{InvalidKey, PublicKey, SigningKey},
    signed::{AcceptedCatalog, SignedCatalog, accept},
    source::{CatalogSource, SIGNATURE_SUFFIX},
};
use crate::image::{Digest, LambdaTag, PlatformRelease, Repository, is_tag};

/// The most layers of a release; a manifest with more is not read.
const MOST_LAYERS: usize = 1000;
/// The most tags of a release.
const MOST_TAGS: usize = 64;

/// Releases of base repositories, each by the digest of its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseCatalog {
    built_at: DateTime<Utc>,
    repositories: BTreeMap<Repository, BTreeMap<Digest, PlatformRelease>>,
}

/// The summary of one line in a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineSummary {
    /// The line: the repository and the tag without date and architecture. Of releases whose tags have no date, the tag.
    pub line: String,
    /// The number of releases, each platform counted.
    pub platform_releases: usize,
    /// The date of its first dated tag, if there is one.
    pub first_at: Option<DateTime<Utc>>,
    /// The date of its last dated tag, if there is one.
    pub last_at: Option<DateTime<Utc>>,
}

impl ReleaseCatalog {
    /// An empty catalog as of `built_at`, in whole seconds.
    #[must_use]
    pub fn new(built_at: DateTime<Utc>) -> Self {
        Self { built_at: built_at.trunc_subsecs(0), repositories: BTreeMap::new() }
    }

    /// When the crawl of this catalog began. Later releases are not in it.
    #[must_use]
    pub fn built_at(&self) -> DateTime<Utc> {
        self.built_at
    }

    /// The same releases, as of `built_at`.
    #[must_use]
    pub fn with_built_at(self, built_at: DateTime<Utc>) -> Self {
        Self { built_at: built_at.trunc_subsecs(0), ..self }
    }

    /// Adds a release, or new data of a known one. The order makes no difference. Releases without layers, with too
    /// many layers or with an unknown platform are ignored.
    pub fn insert(&mut self, repository: &Repository, mut release: PlatformRelease) {
        let has_layers = (1..=MOST_LAYERS).contains(&release.layer_count);
        let has_platform = !release.platform.is_unknown() && encoding::is_writable(repository, &release.platform);
        if !has_layers || !has_platform {
            return;
        }
        // `first_seen` is an upper bound of the publish date, so it is rounded up to a second.
        let seconds = release.first_seen.trunc_subsecs(0);
        let rest = if seconds < release.first_seen { TimeDelta::seconds(1) } else { TimeDelta::zero() };
        release.first_seen = seconds.checked_add_signed(rest).unwrap_or(seconds);
        release.tags.retain(|tag| is_tag(tag));
        let releases = self.repositories.entry(repository.clone()).or_default();
        let known = match releases.remove(&release.manifest) {
            Some(mut known) => {
                known.merge(release);
                known
            }
            None => release,
        };
        releases.insert(known.manifest.clone(), PlatformRelease { tags: first_tags(known.tags), ..known });
    }

    /// Adds the releases of `other`.
    pub fn merge(&mut self, other: Self) {
        for (repository, releases) in other.repositories {
            for release in releases.into_values() {
                self.insert(&repository, release);
            }
        }
    }

    /// All releases.
    pub fn iter(&self) -> impl Iterator<Item = (&Repository, &PlatformRelease)> {
        let releases = self.repositories.iter();
        releases.flat_map(|(repository, releases)| releases.values().map(move |release| (repository, release)))
    }

    /// The repositories with releases.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.keys()
    }

    /// The number of releases, each platform counted.
    #[must_use]
    pub fn release_count(&self) -> usize {
        self.repositories.values().map(BTreeMap::len).sum()
    }

    /// All releases, by value.
    #[must_use]
    pub fn into_releases(self) -> Vec<(Repository, Arc<PlatformRelease>)> {
        let releases = self.repositories.into_iter();
        let of = |(repository, releases): (Repository, BTreeMap<_, PlatformRelease>)| {
            releases.into_values().map(move |release| (repository.clone(), Arc::new(release)))
        };
        releases.flat_map(of).collect()
    }

    /// The summaries of its lines.
    #[must_use]
    pub fn lines(&self) -> Vec<LineSummary> {
        let mut lines: BTreeMap<(Repository, String), LineSummary> = BTreeMap::new();
        for (repository, release) in self.iter() {
            let names: BTreeSet<_> = release.tags.iter().map(|tag| line_of(tag)).collect();
            for (line, dates) in by_line(names) {
                let summary = lines.entry((repository.clone(), line.clone())).or_insert_with(|| LineSummary {
                    line: format!("{repository}:{line}"),
                    platform_releases: 0,
                    first_at: None,
                    last_at: None,
                });
                summary.platform_releases += 1;
                summary.first_at = summary.first_at.into_iter().chain(dates.iter().copied()).min();
                summary.last_at = summary.last_at.into_iter().chain(dates).max();
            }
        }
        lines.into_values().collect()
    }

    /// The bytes of its file: the same for the same releases.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Decodes the bytes of a file, which may be untrusted.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if they are not a catalog, have another format version, or are corrupt.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode(bytes)
    }
}

/// The line of a release, and the date in its `tag`, if any.
fn line_of(tag: &str) -> (String, Option<DateTime<Utc>>) {
    match LambdaTag::parse(tag) {
        Some(parsed) => (parsed.family, parsed.built_at),
        None => (tag.to_owned(), None),
    }
}

fn by_line(names: BTreeSet<(String, Option<DateTime<Utc>>)>) -> BTreeMap<String, Vec<DateTime<Utc>>> {
    let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (line, date) in names {
        lines.entry(line).or_default().extend(date);
    }
    lines
}

/// The first of `tags`, up to the limit, independent of the order in which they were added.
fn first_tags(tags: BTreeSet<String>) -> BTreeSet<String> {
    if tags.len() <= MOST_TAGS { tags } else { tags.into_iter().take(MOST_TAGS).collect() }
}

/// Writes `bytes` to `file` atomically.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_file(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    crate::store::replace_file(file, bytes)
}
