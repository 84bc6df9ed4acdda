//! An index of base releases by their layers, to find those that are a prefix of an image.
//!
//! `identify` decides which of them is the base.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Digest, ImageFacts, ImageManifest, Platform, Repository, chain_id, chain_ids};

/// The image of one release on one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformRelease {
    /// Its known tags, without the architecture suffix of dated Lambda tags.
    pub tags: BTreeSet<String>,
    /// The platform.
    pub platform: Platform,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of an index that lists it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// Its number of layers.
    pub layer_count: usize,
    /// The chain id of all its `diff_ids`; `None` if only its manifest was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff_ids: Option<Digest>,
    /// The chain id of its layer digests; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Digest>,
    /// The layer digest of its lowest layer, if known. In a base it is the operating system, which the releases of one
    /// publishing run share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_layer: Option<Digest>,
    /// When it was first observed.
    pub first_seen: DateTime<Utc>,
}

impl PlatformRelease {
    /// The release of the image of `facts`; `None` without layers.
    #[must_use]
    pub fn new(manifest: Digest, facts: &ImageFacts, first_seen: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            tags: BTreeSet::new(),
            platform: facts.platform.clone(),
            manifest,
            index: None,
            layer_count: facts.diff_ids.len().max(facts.layers.len()),
            diff_ids: chain_id(&facts.diff_ids),
            layers: chain_id(&facts.layers),
            first_layer: facts.layers.first().cloned(),
            first_seen,
        })
        .filter(|release| release.layer_count > 0)
    }

    /// The release of `manifest`, without its configuration; `None` without layers.
    #[must_use]
    pub fn from_manifest(
        digest: Digest,
        manifest: &ImageManifest,
        platform: Platform,
        first_seen: DateTime<Utc>,
    ) -> Option<Self> {
        Some(Self {
            tags: BTreeSet::new(),
            platform,
            manifest: digest,
            index: None,
            layer_count: manifest.layers.len(),
            diff_ids: None,
            layers: Some(chain_id(&manifest.layers)?),
            first_layer: manifest.layers.first().cloned(),
            first_seen,
        })
    }

    /// Merges the data of `other` about the same manifest; commutative.
    pub fn merge(&mut self, other: Self) {
        let first = |one: Option<Digest>, other| one.into_iter().chain(other).min();
        self.tags.extend(other.tags);
        self.layer_count = self.layer_count.max(other.layer_count);
        if (other.platform.is_unknown(), &other.platform) < (self.platform.is_unknown(), &self.platform) {
            self.platform = other.platform;
        }
        self.index = first(self.index.take(), other.index);
        self.diff_ids = first(self.diff_ids.take(), other.diff_ids);
        self.layers = first(self.layers.take(), other.layers);
        self.first_layer = first(self.first_layer.take(), other.first_layer);
        self.first_seen = self.first_seen.min(other.first_seen);
    }

    /// The same for shared releases: if one of them has all data, both share it.
    pub fn merge_shared(known: &mut Arc<Self>, other: &Arc<Self>) {
        if known == other {
            return;
        }
        let mut merged = Self::clone(known);
        merged.merge(Self::clone(other));
        if merged == **other {
            *known = Arc::clone(other);
        } else if merged != **known {
            *known = Arc::new(merged);
        }
    }
}

/// A release in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRelease {
    /// The repository that published it.
    pub repository: Repository,
    /// The release.
    pub release: Arc<PlatformRelease>,
}

/// Known releases of equal content whose layers are all a prefix of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedPrefix {
    /// Their number of layers.
    pub layer_count: usize,
    /// The releases, in the order in which they were added.
    pub releases: Vec<Arc<RepositoryRelease>>,
}

/// The index of releases by their layers.
#[derive(Debug, Default)]
pub struct ReleaseIndex {
    all: Vec<Arc<RepositoryRelease>>,
    by_manifest: HashMap<Digest, ReleasePositions>,
    by_diff_ids: HashMap<Digest, ReleasePositions>,
    by_layers: HashMap<Digest, ReleasePositions>,
}

/// Positions in [`ReleaseIndex::all`], in the order of insertion. Nearly all digests belong to one release.
#[derive(Debug)]
enum ReleasePositions {
    One(u32),
    Several(Vec<u32>),
}

impl ReleasePositions {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(position) => std::slice::from_ref(position),
            Self::Several(positions) => positions,
        }
    }

    /// Adds `position` to those of `digest`, once.
    fn add(index: &mut HashMap<Digest, Self>, digest: &Digest, position: u32) {
        let Some(known) = index.get_mut(digest) else {
            index.insert(digest.clone(), Self::One(position));
            return;
        };
        if !known.as_slice().contains(&position) {
            let mut positions = known.as_slice().to_vec();
            positions.push(position);
            *known = Self::Several(positions);
        }
    }
}

impl ReleaseIndex {
    /// Adds a release of `repository`, or new data of a known one.
    pub fn add(&mut self, repository: &Repository, release: impl Into<Arc<PlatformRelease>>) {
        let release = release.into();
        let position = if let Some(position) = self.position(repository, &release.manifest) {
            PlatformRelease::merge_shared(&mut Arc::make_mut(&mut self.all[position as usize]).release, &release);
            position
        } else {
            // There are fewer than 2^32.
            let Ok(position) = u32::try_from(self.all.len()) else { return };
            ReleasePositions::add(&mut self.by_manifest, &release.manifest, position);
            self.all.push(Arc::new(RepositoryRelease { repository: repository.clone(), release }));
            position
        };
        let release = &self.all[position as usize].release;
        for (index, chain) in [(&mut self.by_diff_ids, &release.diff_ids), (&mut self.by_layers, &release.layers)] {
            if let Some(chain) = chain {
                ReleasePositions::add(index, chain, position);
            }
        }
    }

    /// The release of `repository` with `manifest`.
    #[must_use]
    pub fn release(&self, repository: &Repository, manifest: &Digest) -> Option<&Arc<RepositoryRelease>> {
        self.all.get(self.position(repository, manifest)? as usize)
    }

    fn position(&self, repository: &Repository, manifest: &Digest) -> Option<u32> {
        let positions = self.by_manifest.get(manifest)?.as_slice();
        positions.iter().copied().find(|position| self.all[*position as usize].repository == *repository)
    }

    /// The releases that are a prefix of an image with these `diff_ids` and layer digests, the longest first. An
    /// unknown list is empty. An image is a prefix of itself.
    #[must_use]
    pub fn prefixes(&self, diff_ids: &[Digest], layers: &[Digest]) -> Vec<MatchedPrefix> {
        let mut prefixes: Vec<MatchedPrefix> = Vec::new();
        for (index, list) in [(&self.by_diff_ids, diff_ids), (&self.by_layers, layers)] {
            for (chain, layer_count) in chain_ids(list).zip(1..) {
                let positions = index.get(&chain).map(ReleasePositions::as_slice).unwrap_or_default();
                let releases = positions.iter().map(|position| &self.all[*position as usize]);
                for release in releases.filter(|known| known.release.layer_count == layer_count) {
                    let at = prefixes.iter().position(|prefix| prefix.layer_count == layer_count);
                    let at = at.unwrap_or_else(|| {
                        prefixes.push(MatchedPrefix { layer_count, releases: Vec::new() });
                        prefixes.len() - 1
                    });
                    if !prefixes[at].releases.contains(release) {
                        prefixes[at].releases.push(Arc::clone(release));
                    }
                }
            }
        }
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.layer_count));
        prefixes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(names: &[&str]) -> Vec<Digest> {
        names.iter().map(|name| Digest::sha256(name.as_bytes())).collect()
    }

    fn repository(name: &str) -> Repository {
        format!("public.ecr.aws/lambda/{name}").parse().expect("a repository")
    }

    fn release(name: &str, tag: &str, diff_ids: &[&str], layers: &[&str]) -> PlatformRelease {
        let config = serde_json::json!({
            "os": "linux", "architecture": "arm64", "rootfs": { "type": "layers", "diff_ids": digests(diff_ids) },
        });
        let manifest = ImageManifest { layers: digests(layers), ..ImageManifest::new(Digest::sha256(b""), None) };
        let facts = ImageFacts::read(manifest, config.to_string().as_bytes()).expect("a configuration");
        let release = PlatformRelease::new(Digest::sha256(name.as_bytes()), &facts, DateTime::UNIX_EPOCH);
        PlatformRelease { tags: BTreeSet::from([tag.to_owned()]), ..release.expect("it has layers") }
    }

    fn names(prefixes: &[MatchedPrefix]) -> Vec<(usize, Vec<String>)> {
        let tags = |prefix: &MatchedPrefix| {
            prefix.releases.iter().flat_map(|known| known.release.tags.iter().cloned()).collect()
        };
        prefixes.iter().map(|prefix| (prefix.layer_count, tags(prefix))).collect()
    }

    #[test]
    fn the_longest_prefix_comes_first_and_a_partial_release_does_not_match() {
        let mut releases = ReleaseIndex::default();
        releases.add(&repository("provided"), release("p", "al2023.1", &["os", "rie"], &["os.gz", "rie.gz"]));
        releases
            .add(&repository("python"), release("y", "3.12.1", &["os", "rie", "py"], &["os.gz", "rie.gz", "py.gz"]));
        releases.add(&repository("python"), release("z", "3.13.1", &["os", "rie", "py", "boto"], &[]));
        let image = digests(&["os", "rie", "py", "app"]);
        let found = releases.prefixes(&image, &[]);
        assert_eq!(names(&found), [(3, vec!["3.12.1".to_owned()]), (2, vec!["al2023.1".to_owned()])]);
        assert!(releases.prefixes(&image[..1], &[]).is_empty() && releases.prefixes(&[], &[]).is_empty());
        let by_layers = releases.prefixes(&[], &digests(&["os.gz", "rie.gz", "py.gz", "app.gz"]));
        assert_eq!(names(&by_layers), names(&found), "without a configuration");
        let recompressed = digests(&["os.zst", "rie.zst", "py.zst", "app.zst"]);
        assert_eq!(names(&releases.prefixes(&image, &recompressed)), names(&found));
    }

    #[test]
    fn all_releases_of_equal_content_match_and_a_repeated_release_counts_once() {
        let mut releases = ReleaseIndex::default();
        releases.add(&repository("java"), release("a", "21.1", &["os", "jdk"], &[]));
        releases.add(&repository("java"), release("b", "21.2", &["os", "jdk"], &["os.gz", "jdk.gz"]));
        releases.add(&repository("java"), release("a", "21.3", &["os", "jdk"], &["os.zst", "jdk.zst"]));
        assert_eq!(releases.all.len(), 2);
        let found = releases.prefixes(&digests(&["os", "jdk"]), &digests(&["os.gz", "jdk.gz"]));
        assert_eq!(names(&found), [(2, vec!["21.1".to_owned(), "21.3".to_owned(), "21.2".to_owned()])]);
        assert_eq!(names(&releases.prefixes(&[], &digests(&["os.zst", "jdk.zst"]))).len(), 1);
        let known = releases.release(&repository("java"), &Digest::sha256(b"a")).expect("known");
        assert!(known.release.layers.is_some());
    }

    #[test]
    fn a_shared_release_is_in_memory_once() {
        let (java, known) = (repository("java"), Arc::new(release("a", "21.1", &["os", "jdk"], &["os.gz"])));
        let mut releases = ReleaseIndex::default();
        releases.add(&java, Arc::clone(&known));
        let shared = |releases: &ReleaseIndex| {
            let found = releases.release(&java, &known.manifest).expect("known");
            Arc::ptr_eq(&found.release, &known)
        };
        assert!(shared(&releases));
        releases.add(&java, PlatformRelease::clone(&known));
        assert!(shared(&releases), "the same once more is nothing new");
        let mut part = Arc::new(PlatformRelease { layers: None, ..PlatformRelease::clone(&known) });
        PlatformRelease::merge_shared(&mut part, &known);
        assert!(Arc::ptr_eq(&part, &known), "who knew less shares what the other knows");
        releases.add(&java, release("a", "21.2", &["os", "jdk"], &[]));
        assert!(!shared(&releases) && known.tags.len() == 1, "new data does not change shared releases");
    }
}
