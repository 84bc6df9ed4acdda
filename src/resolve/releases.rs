//! Adds releases of base repositories to the catalog, with their layers, whenever one is read.

use super::{BaseQuery, BaseResolver, Resolution};
use crate::image::{Digest, DigestContent, DigestKind, ImageFacts, LambdaTag, PlatformRelease, Repository};

impl BaseResolver {
    /// The image `manifest` as a release of `repository` with `tag` and `index`; `None` if `repository` holds no bases,
    /// or the image has no layers.
    pub(super) fn base_release(
        &self,
        repository: &Repository,
        tag: Option<String>,
        index: Option<&Digest>,
        manifest: &Digest,
        facts: &ImageFacts,
    ) -> Option<PlatformRelease> {
        let release =
            self.is_base(repository).then(|| PlatformRelease::new(manifest.clone(), facts, self.seen_at))??;
        let tag = tag.map(|tag| LambdaTag::release_of(&tag));
        Some(PlatformRelease { tags: tag.into_iter().collect(), index: index.cloned(), ..release })
    }

    /// Adds the base in use and the current release of its line, as far as they were read.
    pub(super) fn note_releases(&self, query: &BaseQuery, resolution: &Resolution) {
        let base = &resolution.base;
        if let Some(manifest) = &base.platform_digest {
            let index = base.digest.as_ref().filter(|_| base.kind == Some(DigestKind::Index));
            let tag = base.release.as_ref().map(ToString::to_string);
            self.note_release(&query.base.repository, tag, index, manifest);
        }
        if let (Some(current), Some((line, _))) = (&resolution.current, &resolution.line)
            && let Some(manifest) = &current.platform_digest
        {
            let index = Some(&current.digest).filter(|_| current.kind == DigestKind::Index);
            for tag in [Some(line.tag.clone()), current.release.as_ref().map(ToString::to_string)] {
                self.note_release(&line.repository, tag, index, manifest);
            }
        }
    }

    fn note_release(&self, repository: &Repository, tag: Option<String>, index: Option<&Digest>, manifest: &Digest) {
        let catalog = self.images.catalog();
        let Some(content) = catalog.content(manifest).filter(|_| self.is_base(repository)) else { return };
        if let DigestContent::Image(facts) = &*content
            && let Some(release) = self.base_release(repository, tag, index, manifest, facts)
        {
            catalog.add_release(repository, release);
        }
    }
}
