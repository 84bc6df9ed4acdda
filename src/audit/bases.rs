//! The base repositories in private ECR, read before images are compared with their releases.

use std::{collections::BTreeSet, sync::Arc};

use super::AuditSources;
use crate::{
    identify::{self, Identification},
    image::Repository,
    inventory::{BaseRepositories, Deployment},
    store::ImageReader,
};

/// The images of base repositories in private ECR: those that the configuration, images or the catalog name. Empty
/// without images to judge.
pub(super) async fn read_bases(
    deployments: &[(Deployment, Arc<Identification>)],
    settings: &identify::IdentifySettings,
    sources: &AuditSources,
    images: &ImageReader,
) -> BaseRepositories {
    let Some(aws_scope) = sources.aws_scope.as_ref().filter(|_| !deployments.is_empty()) else {
        return BaseRepositories::default();
    };
    let readings = deployments.iter().flat_map(|(_, identification)| &identification.records);
    let named = readings.filter_map(|reading| Some(reading.base.as_ref().ok()?.repository.clone()));
    let known = images.catalog().repositories();
    let rules = settings.bases.as_slice();
    let configured = rules.iter().filter_map(|rule| rule.repository.as_str().parse().ok());
    let mut repositories: BTreeSet<Repository> = named.chain(known).chain(configured).collect();
    // A pull-through cache has only the images that were pulled through it.
    let is_cached =
        |repository: &Repository| settings.mirrors.iter().any(|mirror| mirror.upstream_of(repository).is_some());
    repositories.retain(|repository| settings.bases.is_base(repository) && !is_cached(repository));
    let patterns: Vec<_> = rules.iter().map(|rule| &rule.repository).collect();
    aws_scope.read_bases(repositories, &patterns).await
}
