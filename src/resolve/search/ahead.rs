//! Compares recorded bases with images while the inventory is still being read.

use std::{collections::BTreeMap, sync::PoisonError};

use super::{ComparedImage, LayerSearcher, check::RecordedRelease};
use crate::{
    identify::{LayerEvidence, PrefixCheck},
    registry::{self, EcrHost},
};

impl LayerSearcher<'_> {
    /// The layer evidence of `image` if it confirms a recorded base that no earlier image recorded.
    ///
    /// A base that cannot be read yet is read again when the inventory is complete. Bases in private ECR are left out:
    /// the inventory may still find their account.
    pub async fn confirm_ahead(&self, image: ComparedImage<'_>) -> Option<LayerEvidence> {
        let mut checks = BTreeMap::new();
        for (position, release) in self.releases_ahead(image) {
            match self.read_ahead(&release).await {
                Ok(()) => drop(checks.insert(position, self.check_release(image, release).await)),
                Err(error) => tracing::debug!("{} cannot be read yet: {error}", release.repository),
            }
        }
        let is_confirmed = checks.values().any(|check| matches!(check, PrefixCheck::Prefix { .. }));
        is_confirmed.then(|| LayerEvidence { checks, ..LayerEvidence::default() })
    }

    /// The releases that `image` is the first to record, by the positions of its readings.
    fn releases_ahead(&self, image: ComparedImage<'_>) -> Vec<(usize, RecordedRelease)> {
        let mut started = self.started_ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let readings = image.identification.records.iter().enumerate();
        let releases = readings.filter_map(|(position, reading)| {
            let base = reading.base.as_ref().ok().filter(|base| {
                self.resolver.is_base(&base.repository) && EcrHost::parse(&base.repository.registry).is_none()
            })?;
            let release = RecordedRelease::new(base, &image.image.facts.platform)?;
            started.insert(release.clone()).then_some((position, release))
        });
        releases.collect()
    }

    /// Reads `recorded` into the catalog. A failure is not cached: an unreachable registry may be read through a cache
    /// later in the run.
    async fn read_ahead(&self, recorded: &RecordedRelease) -> registry::Result<()> {
        let RecordedRelease { repository, digest, dated_tag, platform } = recorded;
        let images = &self.resolver.images;
        let digest = match (digest, dated_tag) {
            (Some(digest), _) => digest.clone(),
            (None, Some(tag)) => match self.resolver.known_carried(repository, tag) {
                Some(seen) => seen.digest,
                None => match self.resolver.read_dated(repository, tag).await? {
                    Some(seen) => seen.digest,
                    None => return Ok(()),
                },
            },
            (None, None) => return Ok(()),
        };
        let content = images.content(repository, &digest).await?;
        images.image_for(repository, &digest, &content, platform).await.map(drop)
    }
}
