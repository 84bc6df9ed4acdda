//! Settings of identification, already validated.

use std::time::Duration;

use super::Mirror;
use crate::{glob::Glob, image::Repository};

/// Which labels name a base, and which line a repository's digests follow.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Labels that name the base, tried in order before the OCI annotations.
    pub labels: Vec<String>,
    /// Rules about base repositories, tried in order.
    pub lines: Vec<LineRule>,
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

/// What is known about a base repository that the labels do not say.
#[derive(Clone, Debug)]
pub struct LineRule {
    /// The base repository.
    pub repository: Repository,
    /// The images the rule is for, by their repository without its registry; none means all.
    pub images: Option<Glob>,
    /// The moving tag that those images follow, whatever else says so.
    pub tag: Option<String>,
    /// The moving tag that is assumed where nothing better is known.
    pub default_tag: Option<String>,
    /// Whether a bare digest or a bare dated tag in a label of those images means this repository.
    pub is_bare: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            labels: vec!["sdkBaseVersion".to_owned()],
            lines: Vec::new(),
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
        is_lambda(repository) || self.lines.iter().any(|rule| rule.repository == *repository)
    }

    /// Whether `repository` holds a base that is itself built on another one.
    #[must_use]
    pub fn is_company_base(&self, repository: &Repository) -> bool {
        self.is_base(repository) && !is_lambda(repository)
    }
}

fn is_lambda(repository: &Repository) -> bool {
    &*repository.registry == "public.ecr.aws" && repository.name.starts_with("lambda/")
}
