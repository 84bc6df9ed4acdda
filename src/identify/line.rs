//! What the configuration says about a base repository.

use super::{Base, LineRule, Settings, mirror};
use crate::image::{Digest, Repository};

/// The rules that are for images of the repository `image`.
fn rules_for<'a>(settings: &'a Settings, image: Option<&'a str>) -> impl Iterator<Item = &'a LineRule> {
    settings.lines.iter().filter(move |rule| match (&rule.images, image) {
        (None, _) => true,
        (Some(pattern), Some(image)) => pattern.matches(image),
        (Some(_), None) => false,
    })
}

/// The repository that a bare digest or a bare dated tag means in images of the repository `image`.
pub(super) fn bare_repository<'a>(settings: &'a Settings, image: Option<&'a str>) -> Option<&'a Repository> {
    rules_for(settings, image).find(|rule| rule.is_bare).map(|rule| &rule.repository)
}

/// A recorded base, with what the configuration adds to it.
pub(super) fn base(
    settings: &Settings,
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
    let rules = || rules_for(settings, image).filter(|rule| rule.repository == repository);
    let configured_tag = rules().find_map(|rule| rule.tag.clone());
    let default_tag = rules().find_map(|rule| rule.default_tag.clone());
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
