//! The releases whose layers are known, as a search needs them.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};

use crate::{
    image::{Arch, Digest, ImageFacts, LambdaTag, MatchedPrefix, PlatformRelease, Releases, Repository},
    store::Catalog,
};

/// How far apart two releases of one publishing run may be. The lines of a repository are published within some hours of
/// each other, and a run that was interrupted goes on the next day.
const PUBLISHING_RUN: Duration = Duration::hours(24);

/// What has a dated tag: the release of a line on one architecture.
type DatedRelease = (Repository, Arch, LambdaTag);

/// Known releases of base repositories.
#[derive(Debug, Default)]
pub(super) struct KnownReleases {
    releases: Releases,
    by_tag: HashMap<DatedRelease, Digest>,
    /// When releases with a lowest layer were published, by their dated tags.
    published: HashMap<Digest, BTreeSet<DateTime<Utc>>>,
    /// The least number of layers of any release of a line.
    least_layers: HashMap<(Repository, Arch, String), usize>,
}

/// How much of a release is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownLayers {
    /// Whether its `diff_ids` are known, and not only its layer digests.
    pub(super) has_diff_ids: bool,
}

impl KnownReleases {
    /// Adds what `catalog` knows of the repositories that `is_base` accepts.
    pub(super) fn load(&mut self, catalog: &Catalog, is_base: impl Fn(&Repository) -> bool) {
        for repository in catalog.repositories().iter().filter(|repository| is_base(repository)) {
            let releases = catalog.recall(repository, |memory| memory.releases.values().cloned().collect::<Vec<_>>());
            for release in releases {
                self.add(repository, release);
            }
        }
        for (repository, release) in catalog.loaded_releases().iter().filter(|(repository, _)| is_base(repository)) {
            self.add(repository, release.clone());
        }
    }

    /// Adds a release of `repository`, or what is new about one that is known.
    pub(super) fn add(&mut self, repository: &Repository, release: PlatformRelease) {
        let arch = Arch::from_oci(release.platform.architecture());
        let dated = release.tags.iter().filter_map(|tag| LambdaTag::parse(tag)).map(|tag| tag.release());
        let dated: Vec<_> = dated.filter(|tag| tag.built_at.is_some()).collect();
        if let Some(first) = &release.first_layer {
            let hours = self.published.entry(first.clone()).or_default();
            hours.extend(dated.iter().filter_map(|tag| tag.built_at));
        }
        for (tag, arch) in dated.into_iter().filter_map(|tag| Some((tag, arch?))) {
            let line = (repository.clone(), arch, tag.family.clone());
            let least = self.least_layers.entry(line).or_insert(release.layer_count);
            *least = release.layer_count.min(*least);
            self.by_tag.insert((repository.clone(), arch, tag), release.manifest.clone());
        }
        self.releases.add(repository, release);
    }

    /// What is known of the layers of the release with the dated `tag` for `arch`.
    pub(super) fn layers(&self, repository: &Repository, tag: &LambdaTag, arch: Arch) -> Option<KnownLayers> {
        let manifest = self.by_tag.get(&(repository.clone(), arch, tag.release()))?;
        let known = self.releases.release(repository, manifest)?;
        Some(KnownLayers { has_diff_ids: known.release.diff_ids.is_some() })
    }

    /// The known releases that are a prefix of the image of `facts`, the longest first, those of equal content in the
    /// order of their names.
    pub(super) fn prefixes(&self, facts: &ImageFacts) -> Vec<MatchedPrefix> {
        let mut prefixes = self.releases.prefixes(&facts.diff_ids, &facts.layers);
        for prefix in &mut prefixes {
            prefix.releases.sort_by(|one, other| {
                let key = |known: &'_ crate::image::ReleaseOf| (known.repository.clone(), known.release.tags.clone());
                (key(one), &one.release.manifest).cmp(&(key(other), &other.release.manifest))
            });
        }
        prefixes
    }

    /// When releases were published whose lowest layer is that of the image of `facts`.
    pub(super) fn published_on_first_layer(&self, facts: &ImageFacts) -> BTreeSet<DateTime<Utc>> {
        facts.layers.first().and_then(|first| self.published.get(first)).cloned().unwrap_or_default()
    }

    /// Whether the layer digests of the image of `facts` say all: it has the lowest layer of a release as that was
    /// published, so nothing compressed its layers anew. Where its `diff_ids` are not known, nothing else can be compared.
    pub(super) fn is_compared_by_layers(&self, facts: &ImageFacts) -> bool {
        facts.diff_ids.is_empty() || facts.layers.first().is_some_and(|first| self.published.contains_key(first))
    }

    /// Whether all known releases of a line have more than `layer_count` layers, so that none is a prefix of an image with
    /// so many. `false` where none is known.
    pub(super) fn is_line_longer(&self, line: &(Repository, Arch, String), layer_count: usize) -> bool {
        self.least_layers.get(line).is_some_and(|least| *least > layer_count)
    }
}

/// Whether all releases of `published` may be of one publishing run.
pub(super) fn is_one_run(published: &BTreeSet<DateTime<Utc>>) -> bool {
    match (published.first(), published.last()) {
        (Some(first), Some(last)) => *last - *first <= PUBLISHING_RUN,
        _ => false,
    }
}

/// Whether a release of `built_at` may be of one publishing run with one of `published`.
pub(super) fn is_same_run(built_at: DateTime<Utc>, published: &BTreeSet<DateTime<Utc>>) -> bool {
    published.range(built_at - PUBLISHING_RUN..=built_at + PUBLISHING_RUN).next().is_some()
}
