//! Settings of identification, already validated.

use std::time::Duration;

use super::{BaseRules, Mirror};
use crate::image::Repository;

/// Which labels name a base, and which repositories hold bases.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Labels that name the base, tried in order before the OCI annotations.
    pub labels: Vec<String>,
    /// Which repositories hold bases, and what is known of them.
    pub bases: BaseRules,
    /// Places that serve the repositories of others.
    pub mirrors: Vec<Mirror>,
    /// How long a run searches for bases that images do not name.
    pub search: SearchLimits,
}

/// How long one run searches for releases that are a prefix of an image. The next run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchLimits {
    /// How many requests it sends at the most. Lists of tags are not counted.
    pub request_count: usize,
    /// How long it takes at the most, from the first of these requests on.
    pub duration: Duration,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { request_count: 300, duration: Duration::from_mins(5) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            labels: vec!["sdkBaseVersion".to_owned()],
            bases: BaseRules::default(),
            mirrors: Vec::new(),
            search: SearchLimits::default(),
        }
    }
}

impl Settings {
    /// Whether images of others may be built on the releases of `repository`: only such a base is an answer where no
    /// label names it.
    #[must_use]
    pub fn is_base(&self, repository: &Repository) -> bool {
        self.bases.is_base(repository)
    }

    /// Whether `repository` holds a base that is itself built on another one.
    #[must_use]
    pub fn is_company_base(&self, repository: &Repository) -> bool {
        self.bases.is_company_base(repository)
    }
}
