//! Checks whether recorded bases are prefixes of their image.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{
    ComparedImage, LayerSearcher,
    scope::{NamedLine, is_dated},
};
use crate::{
    identify::{Base, PrefixCheck, SearchCompletion},
    image::{Digest, DigestContent, ImageFacts, MatchedPrefix, Platform, Repository},
    registry,
    store::SharedContent,
};

/// The number of bases read at once.
const READ_AT_ONCE: usize = 16;
/// The most images that a build pulled, other than configured bases, that are compared.
const MOST_OTHERS: usize = 8;

/// A recorded release on the platform of its image: by digest, else by dated tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RecordedRelease {
    pub(super) repository: Repository,
    pub(super) digest: Option<Digest>,
    pub(super) dated_tag: Option<String>,
    pub(super) platform: Platform,
}

impl RecordedRelease {
    /// The release that `base` names; `None` if it names only a line.
    pub(super) fn new(base: &Base, platform: &Platform) -> Option<Self> {
        let dated_tag = base.tag.clone().filter(|tag| base.digest.is_none() && is_dated(tag));
        (base.digest.is_some() || dated_tag.is_some()).then(|| Self {
            repository: base.repository.clone(),
            digest: base.digest.clone(),
            dated_tag,
            platform: platform.clone(),
        })
    }
}

impl LayerSearcher<'_> {
    /// For each of `images`, whether its recorded releases are prefixes, by the positions of its readings. Each release
    /// is read once ever.
    pub(super) async fn check_recorded(&self, images: &[ComparedImage<'_>]) -> Vec<BTreeMap<usize, PrefixCheck>> {
        let checks: Vec<_> = images.iter().map(|image| self.check_image(*image)).collect();
        stream::iter(checks).buffered(READ_AT_ONCE).collect().await
    }

    /// Of the images that a build pulled, only those of base repositories can be the base. If there are none, others
    /// are compared as well, to report a base that is not configured.
    async fn check_image(&self, image: ComparedImage<'_>) -> BTreeMap<usize, PrefixCheck> {
        let platform = &image.image.facts.platform;
        let readings = image.identification.records.iter().enumerate().filter_map(|(position, reading)| {
            let base = reading.base.as_ref().ok()?;
            let is_other = reading.kind.is_candidate() && !self.resolver.is_base(&base.repository);
            Some((position, RecordedRelease::new(base, platform)?, is_other))
        });
        let (others, recorded): (Vec<_>, Vec<_>) = readings.partition(|(.., is_other)| *is_other);
        let mut checks = BTreeMap::new();
        for (position, release, _) in recorded {
            checks.insert(position, self.check_release(image, release).await);
        }
        for (position, release, _) in others.into_iter().take(MOST_OTHERS) {
            if checks.values().any(|check| matches!(check, PrefixCheck::Prefix { .. })) {
                break;
            }
            checks.insert(position, self.check_release(image, release).await);
        }
        checks
    }

    /// The company base that `image` records and that `checks` confirm, if there is one.
    pub(super) async fn confirmed_company_base(
        &self,
        image: ComparedImage<'_>,
        checks: &BTreeMap<usize, PrefixCheck>,
    ) -> Option<ImageFacts> {
        let confirmed = checks.iter().filter(|(_, check)| matches!(check, PrefixCheck::Prefix { .. }));
        let company_base = confirmed.filter_map(|(position, _)| {
            let base = image.identification.records.get(*position)?.base.as_ref().ok()?;
            let is_company_base = self.resolver.is_company_base(&base.repository);
            RecordedRelease::new(base, &image.image.facts.platform).filter(|_| is_company_base)
        });
        let release = company_base.into_iter().next()?;
        let read = self.recorded.get(release.clone(), async || self.read_recorded(&release).await).await?;
        match &*read {
            DigestContent::Image(facts) => Some(facts.clone()),
            DigestContent::Index(_) => None,
        }
    }

    pub(super) async fn check_release(&self, image: ComparedImage<'_>, release: RecordedRelease) -> PrefixCheck {
        let read = self.recorded.get(release.clone(), async || self.read_recorded(&release).await).await;
        match read.as_deref() {
            Some(DigestContent::Image(base)) => compare(&image.image.facts, base),
            _ => PrefixCheck::Unread,
        }
    }

    /// The image of a recorded release; `None` if it cannot be read or is not for the platform.
    async fn read_recorded(&self, recorded: &RecordedRelease) -> Option<SharedContent> {
        let RecordedRelease { repository, digest, dated_tag, platform } = recorded;
        let digest = match (digest, dated_tag) {
            (Some(digest), _) => digest.clone(),
            (None, Some(tag)) => self.resolver.carried_image(repository, tag).await.ok()??.digest,
            (None, None) => return None,
        };
        let images = &self.resolver.images;
        let content = match images.content(repository, &digest).await {
            Ok(content) => content,
            // Some builders record Docker's image `Id` of a base, which is the digest of its configuration.
            Err(registry::Error::NotFound { .. }) => return images.configuration(repository, &digest).await.ok(),
            Err(_) => return None,
        };
        let (entry, known) = images.image_for(repository, &digest, &content, platform).await.ok()??;
        if let DigestContent::Image(facts) = &*known
            && facts.config != digest
        {
            let index = matches!(&*content, DigestContent::Index(_)).then_some(&digest);
            self.record_image(repository, dated_tag.clone(), index, &entry.digest, facts);
        }
        Some(known)
    }
}

/// Whether the layers of `base` are the first ones of `image`.
fn compare(image: &ImageFacts, base: &ImageFacts) -> PrefixCheck {
    let count = |facts: &ImageFacts| facts.diff_ids.len().max(facts.layers.len());
    let is_prefix = |base: &[Digest], image: &[Digest]| !base.is_empty() && image.starts_with(base);
    if is_prefix(&base.diff_ids, &image.diff_ids) || is_prefix(&base.layers, &image.layers) {
        return PrefixCheck::Prefix { layer_count: count(base) };
    }
    match (count(image), count(base)) {
        (0, _) | (_, 0) => PrefixCheck::Unread,
        (own, base) if own < base => PrefixCheck::Fewer,
        // Different layer digests prove nothing.
        _ if image.diff_ids.is_empty() || base.diff_ids.is_empty() => PrefixCheck::Unread,
        _ => PrefixCheck::Different,
    }
}

/// Whether a release of `line` is a prefix of an image with `prefixes`. `is_other_line`: the base is known to belong to
/// another line. `is_longer`: the releases of the line have more layers than the image.
pub(super) fn check_line(
    line: &NamedLine,
    prefixes: &[MatchedPrefix],
    search: &SearchCompletion,
    is_other_line: bool,
    is_longer: bool,
) -> PrefixCheck {
    let of_line = |prefix: &&MatchedPrefix| prefix.releases.iter().any(|known| line.has_release(known));
    match (prefixes.iter().find(of_line), search) {
        (Some(prefix), _) => PrefixCheck::Prefix { layer_count: prefix.layer_count },
        (None, _) if is_other_line => PrefixCheck::Different,
        (None, _) if is_longer => PrefixCheck::Fewer,
        (None, SearchCompletion::Complete { .. }) => PrefixCheck::Different,
        (None, SearchCompletion::Idle | SearchCompletion::Unfinished { .. } | SearchCompletion::Failed { .. }) => {
            PrefixCheck::Unread
        }
    }
}

/// The check result for an untagged prefix in the repository of `line`: its tag has moved, and the image records which
/// tag it was.
pub(super) fn untagged_of(line: &NamedLine, prefixes: &[MatchedPrefix]) -> Option<PrefixCheck> {
    let is_untagged = |prefix: &&MatchedPrefix| {
        let mut releases = prefix.releases.iter();
        releases.any(|known| known.repository == line.repository && known.release.tags.is_empty())
    };
    prefixes.iter().find(is_untagged).map(|prefix| PrefixCheck::Prefix { layer_count: prefix.layer_count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageManifest;

    fn image(diff_ids: &[&str], layers: &[&str]) -> ImageFacts {
        let digests = |names: &[&str]| names.iter().map(|name| Digest::sha256(name.as_bytes())).collect::<Vec<_>>();
        let config = serde_json::json!({
            "os": "linux", "architecture": "arm64", "rootfs": { "type": "layers", "diff_ids": digests(diff_ids) },
        });
        let manifest = ImageManifest { layers: digests(layers), ..ImageManifest::new(Digest::sha256(b""), None) };
        ImageFacts::read(manifest, config.to_string().as_bytes()).expect("a configuration")
    }

    #[test]
    fn only_whole_lists_of_layers_prove_or_disprove_a_base() {
        let base = image(&["os", "jdk"], &["os.gz", "jdk.gz"]);
        let known_by_layers = image(&[], &["os.gz", "jdk.gz"]);
        let prefix = PrefixCheck::Prefix { layer_count: 2 };
        for (own, base, expected) in [
            (image(&["os", "jdk", "app"], &[]), &base, prefix),
            (image(&["os", "jdk", "app"], &["os.zst", "jdk.zst", "app.zst"]), &base, prefix),
            (image(&[], &["os.gz", "jdk.gz", "app.gz"]), &base, prefix),
            (image(&["os", "jdk"], &[]), &base, prefix),
            (image(&["os", "app", "jdk"], &[]), &base, PrefixCheck::Different),
            (image(&["os", "app"], &[]), &base, PrefixCheck::Different),
            (image(&["all"], &["all.gz"]), &base, PrefixCheck::Fewer),
            (image(&["os", "app"], &["os.zst", "app.zst"]), &known_by_layers, PrefixCheck::Unread),
            (image(&[], &["os.zst", "jdk.zst"]), &base, PrefixCheck::Unread),
            (image(&[], &[]), &base, PrefixCheck::Unread),
            (image(&["os", "jdk"], &[]), &image(&[], &[]), PrefixCheck::Unread),
        ] {
            assert_eq!(compare(&own, base), expected, "{:?} {:?}", own.diff_ids, own.layers);
        }
    }
}
