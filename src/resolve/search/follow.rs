//! Bases without dated tags: the digests of their moving tags, cached across runs.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::{
    super::{BaseResolver, ReleaseLine},
    ComparedImage, LayerSearcher,
    scope::named_lines,
};
use crate::image::{DigestContent, Platform, Repository};

/// The number of tags read at once.
const READ_AT_ONCE: usize = 16;

impl BaseResolver {
    /// The moving tags that the configuration names.
    fn followed_lines(&self) -> impl Iterator<Item = (Repository, String)> + '_ {
        let bases = &self.settings.bases;
        let repositories = bases.as_slice().iter().filter_map(|rule| rule.repository.as_str().parse().ok());
        repositories.flat_map(|repository: Repository| {
            let tags: Vec<_> = bases.followed_tags(&repository).into_iter().map(str::to_owned).collect();
            tags.into_iter().map(move |tag| (repository.clone(), tag))
        })
    }
}

impl LayerSearcher<'_> {
    /// Reads the moving tags of base repositories without dated tags for the platforms of `images`: those that the
    /// configuration or the images name. One `HEAD` for each tag that has not moved.
    pub(super) async fn follow(&self, images: &[ComparedImage<'_>]) {
        let platforms: BTreeSet<_> = images.iter().map(|image| &image.image.facts.platform).collect();
        let named = images.iter().flat_map(|image| {
            let lines = named_lines(image.identification, |repository| self.resolver.is_base(repository));
            lines.into_iter().map(|line| (line.repository, line.tag))
        });
        let mut lines: BTreeSet<_> = named.chain(self.resolver.followed_lines()).collect();
        lines.retain(|(repository, _)| !self.resolver.has_dated_tags(repository));
        let lines = lines.into_iter().map(|(repository, tag)| ReleaseLine { repository, tag });
        let reads: Vec<_> = lines.map(|line| self.read_line(line, &platforms)).collect();
        stream::iter(reads).buffer_unordered(READ_AT_ONCE).collect::<()>().await;
    }

    /// Reads the images of `line` for `platforms`. Errors are reported by resolution, which reads them as well.
    async fn read_line(&self, line: ReleaseLine, platforms: &BTreeSet<&Platform>) {
        let Ok((digest, content)) = self.resolver.points_at(&line).await else { return };
        let ReleaseLine { repository, tag } = line;
        let index = matches!(&*content, DigestContent::Index(_)).then_some(&digest);
        for platform in platforms {
            let image = self.resolver.images.image_for(&repository, &digest, &content, platform).await;
            if let Ok(Some((entry, known))) = image
                && let DigestContent::Image(facts) = &*known
            {
                self.record_image(&repository, Some(tag.clone()), index, &entry.digest, facts);
            }
        }
    }
}
