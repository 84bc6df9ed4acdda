//! Base queries: one for each base and platform, however many images are built on it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{
    identify::{Base, Identification},
    image::{Platform, Repository, is_plausible},
    inventory::Deployment,
};

/// A query for one base on one platform.
#[derive(Clone, Debug)]
pub struct BaseQuery {
    /// The base as recorded.
    pub base: Base,
    /// The platform of the image that is built on it.
    pub platform: Platform,
    /// The approximate build date of an image on it, as a hint for searches. It proves nothing: images with the same
    /// record may be built on different releases. The proof of one image is its [`ImageAge`](super::ImageAge).
    pub built_at: Option<DateTime<Utc>>,
}

/// The key by which queries are shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseQueryKey {
    base: Base,
    pub(super) platform: Platform,
}

impl BaseQueryKey {
    /// The queries for `deployment`, one for each base in the chain of its image; none if image or base is unknown.
    pub fn all<'a>(deployment: &'a Deployment, identification: &'a Identification) -> impl Iterator<Item = Self> + 'a {
        let image = deployment.image.as_ref().ok();
        let platform = image.map(|image| &image.facts.platform);
        identification.chain.iter().zip(platform.into_iter().cycle()).map(|(identified, platform)| {
            // It is the same base through any mirror.
            let base = Base { mirror: None, ..identified.base.clone() };
            Self { base, platform: platform.clone() }
        })
    }

    /// The repository of the base.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.base.repository
    }
}

impl From<&BaseQuery> for BaseQueryKey {
    fn from(query: &BaseQuery) -> Self {
        Self { base: query.base.clone(), platform: query.platform.clone() }
    }
}

/// The queries of all deployments, each with the earliest build date of an image on it. Instants after `now`, the time
/// of the system clock, are implausible.
pub fn base_queries<'a>(
    identified: impl Iterator<Item = (&'a Deployment, &'a Identification)>,
    now: DateTime<Utc>,
) -> BTreeMap<BaseQueryKey, BaseQuery> {
    let mut queries: BTreeMap<BaseQueryKey, BaseQuery> = BTreeMap::new();
    for (deployment, identification) in identified {
        let created_at = deployment.image.as_ref().ok().and_then(|image| image.facts.created_at);
        let built = [created_at, deployment.pushed_at].into_iter().flatten().filter(|at| is_plausible(*at, now)).min();
        for key in BaseQueryKey::all(deployment, identification) {
            let query = queries.entry(key.clone()).or_insert_with(|| BaseQuery {
                base: key.base,
                platform: key.platform,
                built_at: None,
            });
            query.built_at = built.into_iter().chain(query.built_at).min();
        }
    }
    queries
}
