//! The known releases, indexed for layer searches.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Duration, Utc};

use crate::{
    image::{Digest, ImageFacts, LambdaArch, LambdaTag, MatchedPrefix, PlatformRelease, ReleaseIndex, Repository},
    store::Catalog,
};

/// The longest time between two releases of one publishing run. The lines of a repository are published within hours;
/// an interrupted run continues the next day.
pub(super) const PUBLISHING_RUN: Duration = Duration::hours(24);

/// The key of a dated tag: the release of a line on one architecture.
type DatedRelease = (Repository, LambdaArch, LambdaTag);

/// Known releases of base repositories.
#[derive(Debug, Default)]
pub(super) struct KnownReleases {
    releases: ReleaseIndex,
    by_tag: HashMap<DatedRelease, Digest>,
    /// The publish dates of releases by their lowest layer, from dated tags.
    published: HashMap<Digest, BTreeSet<DateTime<Utc>>>,
    /// The lowest number of layers of a release of a line.
    least_layers: HashMap<(Repository, LambdaArch, String), usize>,
}

/// How much of a release is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownLayers {
    /// Whether its `diff_ids` are known, not only its layer digests.
    pub(super) has_diff_ids: bool,
}

impl KnownReleases {
    /// Adds the releases of `catalog` in repositories that `is_base` accepts.
    pub(super) fn load(&mut self, catalog: &Catalog, is_base: impl Fn(&Repository) -> bool) {
        for repository in catalog.repositories().iter().filter(|repository| is_base(repository)) {
            let releases =
                catalog.read_repository(repository, |record| record.releases.values().cloned().collect::<Vec<_>>());
            for release in releases {
                self.add(repository, release);
            }
        }
        for (repository, release) in catalog.external_releases().iter().filter(|(repository, _)| is_base(repository)) {
            self.add(repository, Arc::clone(release));
        }
    }

    /// Adds a release of `repository`, or new data of a known one.
    pub(super) fn add(&mut self, repository: &Repository, release: Arc<PlatformRelease>) {
        let arch = LambdaArch::from_oci(release.platform.architecture());
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

    /// How much of the release with the dated `tag` for `arch` is known.
    pub(super) fn layers(&self, repository: &Repository, tag: &LambdaTag, arch: LambdaArch) -> Option<KnownLayers> {
        let manifest = self.by_tag.get(&(repository.clone(), arch, tag.release()))?;
        let known = self.releases.release(repository, manifest)?;
        Some(KnownLayers { has_diff_ids: known.release.diff_ids.is_some() })
    }

    /// The known releases that are a prefix of the image of `facts`, the longest first; equal ones in the order of
    /// their names.
    pub(super) fn prefixes(&self, facts: &ImageFacts) -> Vec<MatchedPrefix> {
        let mut prefixes = self.releases.prefixes(&facts.diff_ids, &facts.layers);
        for prefix in &mut prefixes {
            prefix.releases.sort_by(|one, other| {
                let key =
                    |known: &'_ crate::image::RepositoryRelease| (known.repository.clone(), known.release.tags.clone());
                (key(one), &one.release.manifest).cmp(&(key(other), &other.release.manifest))
            });
        }
        prefixes
    }

    /// The publish dates of releases whose lowest layer is that of the image of `facts`.
    pub(super) fn published_on_first_layer(&self, facts: &ImageFacts) -> BTreeSet<DateTime<Utc>> {
        facts.layers.first().and_then(|first| self.published.get(first)).cloned().unwrap_or_default()
    }

    /// Whether comparing layer digests suffices for the image of `facts`: its lowest layer is one of a release, so its
    /// layers were not recompressed. Without its `diff_ids`, nothing else can be compared.
    pub(super) fn is_compared_by_layers(&self, facts: &ImageFacts) -> bool {
        facts.diff_ids.is_empty() || facts.layers.first().is_some_and(|first| self.published.contains_key(first))
    }

    /// Whether all known releases of a line have more than `layer_count` layers, so none can be a prefix. `false` if
    /// none is known.
    pub(super) fn is_line_longer(&self, line: &(Repository, LambdaArch, String), layer_count: usize) -> bool {
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
