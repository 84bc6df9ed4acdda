//! Settings of identification, validated.

use std::{collections::BTreeSet, iter, time::Duration};

use super::{BaseRules, RegistryMirror, mirror};
use crate::image::Repository;

/// The labels that name a base, and the repositories that hold bases.
#[derive(Clone, Debug)]
pub struct IdentifySettings {
    /// Labels that name the base, tried in order before the OCI annotations.
    pub labels: Vec<String>,
    /// The base repositories and their properties.
    pub bases: BaseRules,
    /// Mirrors and pull-through caches.
    pub mirrors: Vec<RegistryMirror>,
    /// The limits of the layer search.
    pub search: SearchLimits,
}

/// The limits of the layer search of one run. The next run continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchLimits {
    /// The most requests of a run. Tag lists are not counted.
    pub request_count: usize,
    /// The longest duration, from its first request on.
    pub duration: Duration,
}

impl Default for SearchLimits {
    fn default() -> Self {
        // At the one request a second that public.ecr.aws allows without credentials, the two limits meet.
        Self { request_count: 300, duration: Duration::from_mins(5) }
    }
}

impl Default for IdentifySettings {
    fn default() -> Self {
        Self {
            labels: vec!["sdkBaseVersion".to_owned()],
            bases: BaseRules::default(),
            mirrors: Vec::new(),
            search: SearchLimits::default(),
        }
    }
}

impl IdentifySettings {
    /// Whether `repository` holds bases. Only such a base can be identified without a label.
    #[must_use]
    pub fn is_base(&self, repository: &Repository) -> bool {
        self.bases.is_base(repository)
    }

    /// The base repository that `repository` is: itself, or the one that it mirrors; `None` if it holds no bases.
    #[must_use]
    pub fn base_repository(&self, repository: &Repository) -> Option<Repository> {
        let published = mirror::upstream(&self.mirrors, repository).unwrap_or_else(|| repository.clone());
        self.is_base(&published).then_some(published)
    }

    /// Whether `repository` may be a pull-through cache of a base repository, by the end of its name.
    #[must_use]
    pub fn may_cache_bases(&self, repository: &Repository) -> bool {
        let hosts = self.bases.as_slice().iter().filter_map(|rule| Some(rule.repository.as_str().split_once('/')?.0));
        let hosts: BTreeSet<_> = hosts.collect();
        let ends = iter::successors(Some(&*repository.name), |name| Some(name.split_once('/')?.1));
        let names = ends.flat_map(|end| hosts.iter().map(move |host| format!("{host}/{end}")));
        names.filter_map(|name| name.parse().ok()).any(|named| self.is_base(&named))
    }

    /// Whether `repository` holds company bases, which are built on another base.
    #[must_use]
    pub fn is_company_base(&self, repository: &Repository) -> bool {
        self.bases.is_company_base(repository)
    }
}
