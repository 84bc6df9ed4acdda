//! `[identify]`: which base an image stands on, and which line that base follows.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath};
use crate::{
    identify::{LineRule, Mirror, SearchLimits, Settings},
    image::{Repository, is_tag},
};

/// Which base an image stands on, and which line that base follows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIdentify {
    /// The labels in which your builds record the base, tried in order, before the
    /// `org.opencontainers.image.base.*` annotations and labels, which always count.
    #[schemars(extend("default" = ["sdkBaseVersion"]))]
    labels: Option<Vec<String>>,
    /// Which line a base repository's digests follow, where nothing better says so. Tried in order.
    line: Option<Vec<RawLine>>,
    /// How many requests a run sends to find the bases that images do not name, by comparing their layers with those of
    /// releases. Lists of tags are not counted, and what was read is never asked again. A search that is not finished
    /// goes on in the next run.
    #[schemars(range(min = 0, max = 100_000), extend("default" = 300))]
    search_requests: Option<i64>,
    /// How many minutes that takes at the most.
    #[schemars(range(min = 0, max = 720), extend("default" = 5))]
    search_minutes: Option<i64>,
    /// Places that serve the repositories of another registry with the same digests. The pull-through caches
    /// of the audited ECR registries are found without, where `ecr:DescribePullThroughCacheRules` is allowed.
    mirror: Option<Vec<RawMirror>>,
}

/// A place that serves the repositories of another registry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawMirror {
    /// Its registry, or registry and first parts of repositories.
    #[schemars(required, example = &"123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public")]
    prefix: Option<String>,
    /// What stands there instead upstream.
    #[schemars(required, example = &"public.ecr.aws")]
    upstream: Option<String>,
}

/// What is known about a base repository that the labels do not say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawLine {
    /// The base repository, with its registry.
    #[schemars(required, example = &"public.ecr.aws/lambda/java")]
    repository: Option<String>,
    /// The moving tag that is assumed where nothing better is known; findings mark it as assumed.
    #[schemars(example = &"latest")]
    default_tag: Option<String>,
    /// The moving tag that these images follow, whatever else says so.
    #[schemars(example = &"21")]
    tag: Option<String>,
    /// The images the rule is for: a pattern of their repository, without its registry. Without it,
    /// all images.
    #[schemars(example = &"orders*")]
    images: Option<String>,
    /// Whether a bare digest or a bare dated tag in a label of these images means this repository.
    #[schemars(extend("default" = false))]
    bare: Option<bool>,
}

pub(super) fn validate(raw: &RawIdentify, at: &KeyPath, check: &mut Check<'_>) -> Settings {
    let labels = match &raw.labels {
        Some(labels) => check.each(&at.key("labels"), labels, label),
        None => Settings::default().labels,
    };
    let standard = SearchLimits::default();
    let minutes = raw.search_minutes.and_then(|minutes| minutes.try_into().ok());
    let search = SearchLimits {
        request_count: raw.search_requests.and_then(|count| count.try_into().ok()).unwrap_or(standard.request_count),
        duration: minutes.map_or(standard.duration, Duration::from_mins),
    };
    let mirror_at = at.key("mirror");
    let mirrors = raw.mirror.iter().flatten().enumerate();
    let mirrors = mirrors.filter_map(|(index, raw)| validate_mirror(raw, &mirror_at.index(index), check)).collect();
    let at = at.key("line");
    let rules = raw.line.iter().flatten().enumerate();
    let lines = rules.filter_map(|(index, raw)| validate_line(raw, &at.index(index), check)).collect();
    Settings { labels, lines, mirrors, search }
}

fn validate_mirror(raw: &RawMirror, at: &KeyPath, check: &mut Check<'_>) -> Option<Mirror> {
    let mut place = |key: &str, text: &Option<String>| check.accept(&at.key(key), place(text.as_ref()?));
    let (prefix, upstream) = (place("prefix", &raw.prefix), place("upstream", &raw.upstream));
    Some(Mirror { prefix: prefix?, upstream: upstream? })
}

/// A registry, or a registry and the first parts of repositories, without a slash at the end.
fn place(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    // Two parts more, so that what Docker Hub puts in front of a single one stays out of it.
    let below = format!("{text}/x/x").parse::<Repository>().map(|repository| repository.to_string());
    below.ok().and_then(|below| below.strip_suffix("/x/x").map(str::to_owned)).ok_or_else(|| {
        format!("{text:?} is no registry: write it as references do, public.ecr.aws or registry.example.com/mirror")
    })
}

fn label(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} is no label: write its key, as in \"sdkBaseVersion\""));
    }
    Ok(text.to_owned())
}

fn validate_line(raw: &RawLine, at: &KeyPath, check: &mut Check<'_>) -> Option<LineRule> {
    let repository = raw.repository.as_ref().and_then(|text| {
        let parsed = text.parse::<Repository>().map_err(|error| format!("{text:?}: {error}"));
        check.accept(&at.key("repository"), parsed)
    });
    let mut tag = |key: &str, text: &Option<String>| {
        let text = text.clone()?;
        let is_valid = is_tag(&text);
        check.accept(
            &at.key(key),
            if is_valid {
                Ok(text)
            } else {
                Err(format!("{text:?} is no tag: up to 128 letters, digits, and _ . - not in front"))
            },
        )
    };
    let default_tag = tag("default_tag", &raw.default_tag);
    let tag = tag("tag", &raw.tag);
    let images = raw.images.as_ref().and_then(|text| check.parse(&at.key("images"), text));
    let is_bare = raw.bare.unwrap_or_default();
    if raw.default_tag.is_none() && raw.tag.is_none() && !is_bare {
        check.refuse(at, "says nothing about its repository: set default_tag, tag or bare");
    }
    Some(LineRule { repository: repository?, images, tag, default_tag, is_bare })
}
