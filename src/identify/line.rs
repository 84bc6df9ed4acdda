//! Completes bases with the configuration of their repository.

use super::{Base, IdentifySettings, mirror};
use crate::image::{Digest, Reference, Repository};

impl Base {
    /// The base that `reference` names, for any image.
    #[must_use]
    pub fn from_reference(reference: &Reference, settings: &IdentifySettings) -> Self {
        let Reference { repository, tag, digest } = reference.clone();
        base(settings, None, repository, tag, digest)
    }
}

/// A recorded base, completed by the configuration.
pub(super) fn base(
    settings: &IdentifySettings,
    image: Option<&str>,
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
) -> Base {
    let upstream = mirror::upstream(&settings.mirrors, &repository);
    let (repository, mirror) = match upstream {
        Some(upstream) => (upstream, Some(repository)),
        None => (repository, None),
    };
    let configured_tag = settings.bases.tag(&repository, image).map(str::to_owned);
    let default_tag = settings.bases.default_tag(&repository, image).map(str::to_owned);
    Base {
        repository,
        mirror,
        tag,
        digest,
        further_digests: Vec::new(),
        further_tag: None,
        configured_tag,
        default_tag,
    }
}
