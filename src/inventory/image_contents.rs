//! Contents of digests, shared by all deployments of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{ImageError, ImageErrorCode};
use crate::{
    image::{Annotations, ChildManifest, Digest, DigestContent, ImageFacts, Repository},
    store::{ImageReader, SharedContent},
};

/// How deep indexes may nest. Two levels occur.
pub(super) const INDEX_DEPTH: usize = 4;

/// The most images of an index and its nested indexes that become deployments: as many as one index may list.
const INDEX_IMAGES: usize = 128;

/// The content of a digest, shared by all deployments of it.
#[derive(Clone, Debug)]
pub(super) enum ManifestContent {
    Image(Arc<ImageFacts>),
    Index {
        children: Arc<[ChildManifest]>,
        annotations: Arc<Annotations>,
    },
    /// An attestation, a signature or a chart, which is not a deployment.
    Artifact,
    /// An image that an index lists but its folder lacks: `docker save` lists all platforms and saves one.
    Elsewhere,
}

impl ManifestContent {
    /// Reads the content of `digest` in `repository`. An image is announced to the stages that run meanwhile.
    pub(super) async fn read(
        images: &ImageReader,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Self, ImageError> {
        let known = images.content(repository, digest).await.map_err(|error| ImageError::from_registry(&error))?;
        images.announce(repository, digest, &known);
        Ok(Self::from(known))
    }
}

impl From<SharedContent> for ManifestContent {
    fn from(known: SharedContent) -> Self {
        match &*known {
            DigestContent::Image(facts) => Self::Image(Arc::new(facts.clone())),
            DigestContent::Index(index) => Self::Index {
                children: index.children.as_slice().into(),
                annotations: Arc::new(index.annotations.clone()),
            },
        }
    }
}

/// One image of an index.
#[derive(Clone, Debug)]
pub(super) struct ListedChild {
    /// Its entry; if that states no platform, with the platform of the configuration.
    pub(super) child: ChildManifest,
    /// The annotations of the innermost index that lists it and has annotations.
    pub(super) index_annotations: Arc<Annotations>,
}

/// Contents by digest, regardless of the repository they were read from, and errors by digest and repository.
#[derive(Debug, Default)]
pub(super) struct ImageContents {
    found: HashMap<Digest, ManifestContent>,
    unreadable: HashMap<(Digest, Option<Repository>), ImageError>,
}

impl ImageContents {
    /// Stores the content of `digest` in `repository` (`None` for a folder), or the error.
    pub(super) fn add(
        &mut self,
        digest: Digest,
        repository: Option<Repository>,
        found: Result<ManifestContent, ImageError>,
    ) {
        match found {
            Ok(found) => drop(self.found.insert(digest, found)),
            Err(why) => drop(self.unreadable.insert((digest, repository), why)),
        }
    }

    /// Whether the content of `digest` is known.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.found.contains_key(digest)
    }

    /// Whether `digest` was read, or reading it from `repository` failed.
    pub(super) fn has_tried(&self, digest: &Digest, repository: Option<&Repository>) -> bool {
        self.has(digest) || self.unreadable.contains_key(&(digest.clone(), repository.cloned()))
    }

    /// All digests that the index `digest` and its nested indexes list, as far as those were read.
    pub(super) fn listed(&self, digest: &Digest) -> BTreeSet<Digest> {
        let mut listed = BTreeSet::new();
        let mut level = vec![digest.clone()];
        for _ in 0..INDEX_DEPTH {
            let children = level.iter().filter_map(|digest| match self.found.get(digest) {
                Some(ManifestContent::Index { children, .. }) => {
                    Some(children.iter().map(|child| child.digest.clone()))
                }
                _ => None,
            });
            let next: Vec<_> = children.flatten().collect();
            level = next.into_iter().filter(|digest| listed.insert(digest.clone())).collect();
        }
        listed
    }

    /// The images of the index `digest` and its nested indexes. An entry that was not read may be an image or an index.
    /// Empty if `digest` is not an index.
    pub(super) fn images(&self, digest: &Digest) -> Vec<ListedChild> {
        let mut images = Vec::new();
        let mut opened = BTreeSet::from([digest.clone()]);
        let mut level = self.children(digest, None);
        for _ in 0..INDEX_DEPTH {
            let mut next = Vec::new();
            for listed in level {
                let inner = &listed.child.digest;
                match self.found.get(inner) {
                    Some(ManifestContent::Index { .. }) if !opened.insert(inner.clone()) => {}
                    Some(ManifestContent::Index { .. }) => next.extend(self.children(inner, Some(&listed))),
                    Some(ManifestContent::Image(facts)) => images.extend(listed.with_own(facts)),
                    Some(ManifestContent::Artifact | ManifestContent::Elsewhere) | None => images.push(listed),
                }
            }
            level = next;
            if images.len() + level.len() > INDEX_IMAGES {
                break;
            }
        }
        images.extend(level);
        images.truncate(INDEX_IMAGES);
        images
    }

    /// The entries of the index `digest`, which `outer` lists.
    fn children(&self, digest: &Digest, outer: Option<&ListedChild>) -> Vec<ListedChild> {
        let Some(ManifestContent::Index { children, annotations }) = self.found.get(digest) else { return Vec::new() };
        let annotations =
            outer.filter(|_| annotations.is_empty()).map_or(annotations, |outer| &outer.index_annotations);
        let listed = |child: &ChildManifest| ListedChild {
            child: outer.map_or_else(|| child.clone(), |outer| child.within(&outer.child)),
            index_annotations: Arc::clone(annotations),
        };
        children.iter().map(listed).collect()
    }

    /// Whether `digest` is missing or incomplete in its folder.
    pub(super) fn is_missing(&self, digest: &Digest) -> bool {
        self.unreadable.get(&(digest.clone(), None)).is_some_and(|why| why.code == ImageErrorCode::ImageMissing)
    }

    /// Leaves out images of the index `digest` that are missing in its folder, if at least one is present.
    pub(super) fn leave_out_missing(&mut self, digest: &Digest) {
        let images = self.images(digest).into_iter().map(|image| image.child.digest);
        let (missing, there): (Vec<_>, Vec<_>) = images.partition(|digest| self.is_missing(digest));
        if there.iter().any(|digest| matches!(self.found.get(digest), Some(ManifestContent::Image(_)))) {
            self.found.extend(missing.into_iter().map(|digest| (digest, ManifestContent::Elsewhere)));
        }
    }

    /// The content of `digest`, or the error of reading it from `repository`.
    pub(super) fn get(&self, digest: &Digest, repository: Option<&Repository>) -> Result<&ManifestContent, ImageError> {
        self.found.get(digest).ok_or_else(|| {
            let key = (digest.clone(), repository.cloned());
            let not_read = || ImageError::new(ImageErrorCode::RegistryUnreachable, "it was not read");
            self.unreadable.get(&key).cloned().unwrap_or_else(not_read).about(digest)
        })
    }
}

impl ListedChild {
    /// The same with the platform of its configuration, if its entry states none. An image for `unknown` is an
    /// attestation without the annotation that marks it; `None`.
    fn with_own(self, facts: &ImageFacts) -> Option<Self> {
        let own = Some(facts.platform.clone()).filter(|own| !own.is_unknown());
        let platform = Some(self.child.platform.or(own)?);
        Some(Self { child: ChildManifest { platform, ..self.child }, ..self })
    }
}
