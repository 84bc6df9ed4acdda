//! The images of a repository by digest, and their availability.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::image::Digest;

/// The longest time between the pushes of an image and its index. Images of several platforms may be built one by one.
const INDEX_DELAY: TimeDelta = TimeDelta::hours(1);

/// The availability of an image in its repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageAvailability {
    /// The repository was not listed, or could not be.
    #[default]
    Unknown,
    /// The image can be pulled.
    Held,
    /// The image is archived, and cannot be pulled until it is restored.
    Archived,
    /// The image was deleted.
    Gone,
}

/// One image of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// The digest: of an index or of a manifest.
    pub digest: Digest,
    /// The tags that point at it.
    pub tags: BTreeSet<String>,
    /// When it was pushed.
    pub pushed_at: Option<DateTime<Utc>>,
    /// Whether it is archived.
    pub is_archived: bool,
    /// Whether it is an index.
    pub is_index: bool,
    /// The image that it attests, if it is an artifact that may hold provenance.
    pub attested: Option<Digest>,
}

/// All images of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryImages {
    images: BTreeMap<Digest, StoredImage>,
}

impl RepositoryImages {
    /// All its images, in the order of their digests.
    pub fn images(&self) -> impl Iterator<Item = &StoredImage> {
        self.images.values()
    }

    /// The image with `digest`.
    #[must_use]
    pub fn image(&self, digest: &Digest) -> Option<&StoredImage> {
        self.images.get(digest)
    }

    /// The availability of the image with `digest`.
    #[must_use]
    pub fn availability(&self, digest: &Digest) -> ImageAvailability {
        match self.images.get(digest) {
            Some(StoredImage { is_archived: true, .. }) => ImageAvailability::Archived,
            Some(_) => ImageAvailability::Held,
            None => ImageAvailability::Gone,
        }
    }

    /// The tags of all its images.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.images.values().flat_map(|image| &image.tags).map(String::as_str)
    }

    /// The indexes that may list the image with `digest`, at most `most`: those pushed at nearly the same time, the
    /// nearest first. Builders push an index right after its images.
    #[must_use]
    pub fn indexes_near(&self, digest: &Digest, most: usize) -> Vec<&Digest> {
        let Some(pushed_at) = self.images.get(digest).and_then(|image| image.pushed_at) else { return Vec::new() };
        let distance =
            |image: &StoredImage| image.pushed_at.map(|at| (at - pushed_at).abs()).filter(|it| *it <= INDEX_DELAY);
        let indexes =
            self.images.values().filter(|image| image.is_index && !image.is_archived && image.digest != *digest);
        let mut near: Vec<_> = indexes.filter_map(|image| Some((distance(image)?, &image.digest))).collect();
        near.sort();
        near.into_iter().take(most).map(|(_, digest)| digest).collect()
    }

    /// The referrers of the image with `digest` that may hold provenance.
    pub fn referrers<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        let refers = move |image: &&StoredImage| image.attested.as_ref() == Some(digest) && !image.is_archived;
        self.images.values().filter(refers).map(|image| &image.digest)
    }

    /// The tagged images that can be pulled and were pushed after `pushed_at`, newest first.
    #[must_use]
    pub fn pushed_after(&self, pushed_at: DateTime<Utc>) -> Vec<&StoredImage> {
        let is_newer = |image: &&StoredImage| image.pushed_at.is_some_and(|at| at > pushed_at);
        let mut newer: Vec<_> = self
            .images
            .values()
            .filter(|image| !image.tags.is_empty() && !image.is_archived)
            .filter(is_newer)
            .collect();
        newer.sort_by(|one, other| other.pushed_at.cmp(&one.pushed_at).then_with(|| one.digest.cmp(&other.digest)));
        newer
    }
}

impl FromIterator<StoredImage> for RepositoryImages {
    /// Merges entries of one digest: some registries list an image once for each tag.
    fn from_iter<I: IntoIterator<Item = StoredImage>>(images: I) -> Self {
        let mut repository_images = Self::default();
        for image in images {
            match repository_images.images.get_mut(&image.digest) {
                Some(known) => {
                    known.tags.extend(image.tags);
                    known.pushed_at = known.pushed_at.max(image.pushed_at);
                }
                None => drop(repository_images.images.insert(image.digest.clone(), image)),
            }
        }
        repository_images
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored_image(name: &str, tags: &[&str], pushed_at: i64) -> StoredImage {
        StoredImage {
            digest: Digest::sha256(name.as_bytes()),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed_at: DateTime::from_timestamp(pushed_at, 0),
            is_archived: name == "archived",
            is_index: name.starts_with("index"),
            attested: name.strip_prefix("attestation of ").map(|image| Digest::sha256(image.as_bytes())),
        }
    }

    #[test]
    fn only_tagged_images_that_can_be_pulled_count_as_newer() {
        let images =
            [("a", &["1"][..], 1), ("b", &["2"], 2), ("untagged", &[], 3), ("archived", &["3"], 4), ("c", &["4"], 5)];
        let repository_images: RepositoryImages =
            images.iter().map(|(name, tags, at)| stored_image(name, tags, *at)).collect();
        let newer = repository_images.pushed_after(DateTime::from_timestamp(1, 0).unwrap());
        assert_eq!(newer.iter().map(|image| image.tags.first().unwrap().as_str()).collect::<Vec<_>>(), ["4", "2"]);
        assert_eq!(repository_images.availability(&Digest::sha256(b"archived")), ImageAvailability::Archived);
        assert_eq!(repository_images.availability(&Digest::sha256(b"untagged")), ImageAvailability::Held);
        assert_eq!(repository_images.availability(&Digest::sha256(b"never")), ImageAvailability::Gone);
    }

    #[test]
    fn indexes_pushed_at_the_time_of_an_image_may_list_it() {
        let images =
            [("a", 10_000), ("index late", 10_500), ("index soon", 10_001), ("b", 10_000), ("index other", 20_000)];
        let repository_images: RepositoryImages =
            images.iter().map(|(name, at)| stored_image(name, &[], *at)).collect();
        let near =
            |most| repository_images.indexes_near(&Digest::sha256(b"a"), most).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(near(5), [Digest::sha256(b"index soon"), Digest::sha256(b"index late")]);
        assert_eq!(near(1).len(), 1);
        assert!(repository_images.indexes_near(&Digest::sha256(b"gone"), 5).is_empty());
    }

    #[test]
    fn referrers_are_found_by_the_image_they_refer_to() {
        let repository_images: RepositoryImages =
            ["a", "attestation of a", "attestation of b"].iter().map(|name| stored_image(name, &[], 1)).collect();
        assert_eq!(
            repository_images.referrers(&Digest::sha256(b"a")).collect::<Vec<_>>(),
            [&Digest::sha256(b"attestation of a")]
        );
    }

    #[test]
    fn an_image_listed_once_for_each_tag_is_one_image() {
        let repository_images: RepositoryImages =
            [stored_image("a", &["1"], 1), stored_image("a", &["2"], 2)].into_iter().collect();
        let image = repository_images.image(&Digest::sha256(b"a")).unwrap();
        assert_eq!((image.tags.len(), image.pushed_at), (2, DateTime::from_timestamp(2, 0)));
    }
}
