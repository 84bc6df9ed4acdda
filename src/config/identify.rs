//! `[identify]`: which base an image stands on, and which line that base follows.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath, values::base_pattern};
use crate::{
    identify::{BaseRule, BaseRules, Mirror, SearchLimits, Settings},
    image::{LambdaTag, Repository, is_tag},
};

/// Which base an image stands on, and which line that base follows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIdentify {
    /// The labels in which your builds record the base, tried in order, before the
    /// `org.opencontainers.image.base.*` annotations and labels, which always count.
    #[schemars(extend("default" = ["sdkBaseVersion"]))]
    labels: Option<Vec<String>>,
    /// Which repositories hold bases, such as your company's own, and what is known of them. Tried in order: each key
    /// is taken from the first matching entry that sets it. Built in, after your own: `public.ecr.aws/lambda/*`, and
    /// the same images on Docker Hub (`docker.io/amazon/aws-lambda-*`), with dated tags.
    base: Option<Vec<RawBase>>,
    /// How many requests a run sends to find the bases that images do not name, by comparing their layers with those of
    /// releases. Lists of tags are not counted, and what was read is never asked again. A search that is not finished
    /// goes on in the next run; the release that is being read is finished first, with up to two requests more. With 0,
    /// nothing is searched, and no tags are listed for it.
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

/// What is known about base repositories that the labels do not say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawBase {
    /// A pattern of base repositories, with their registry; the name of one is the plain case. Releases in a registry of
    /// private ECR are listed by its API, at most 500 new ones of a repository in each run.
    #[schemars(required, example = &"public.ecr.aws/lambda/java")]
    repository: Option<String>,
    /// The moving tags to follow in these repositories. Without it, the lines are those that images record and, where
    /// releases carry dated tags, those of the dated tags.
    #[schemars(example = &["21", "25"])]
    tags: Option<Vec<String>>,
    /// The moving tag that is assumed where nothing better is known; findings mark it as assumed.
    #[schemars(example = &"latest")]
    default_tag: Option<String>,
    /// The moving tag that these images follow, whatever else says so.
    #[schemars(example = &"21")]
    tag: Option<String>,
    /// The images that `tag`, `default_tag` and `bare` are for: a pattern of their repository, without its registry.
    /// Without it, all images.
    #[schemars(example = &"orders*")]
    images: Option<String>,
    /// Whether a bare digest or a bare dated tag in a label of these images means this repository, which `repository`
    /// then has to name exactly.
    #[schemars(extend("default" = false))]
    bare: Option<bool>,
    /// Whether releases carry dated tags, as AWS Lambda's do: `21.2026.07.16.13-x86_64`. An entry that leaves it out
    /// leaves it to later entries.
    #[schemars(example = &true)]
    dated_tags: Option<bool>,
    /// Whether these are company bases: images that are built on another base themselves. An entry that leaves it out
    /// leaves it to later entries.
    #[schemars(example = &true)]
    company: Option<bool>,
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
    let at = at.key("base");
    let rules = raw.base.iter().flatten().enumerate();
    let bases = rules.filter_map(|(index, raw)| validate_base(raw, &at.index(index), check)).collect();
    Settings { labels, bases: BaseRules::new(bases), mirrors, search }
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

fn validate_base(raw: &RawBase, at: &KeyPath, check: &mut Check<'_>) -> Option<BaseRule> {
    let repository = raw.repository.as_ref().and_then(|text| check.accept(&at.key("repository"), base_pattern(text)));
    let mut single = |key: &str, text: Option<&String>| check.accept(&at.key(key), moving_tag(text?));
    let default_tag = single("default_tag", raw.default_tag.as_ref());
    let tag = single("tag", raw.tag.as_ref());
    let tags = check.each(&at.key("tags"), raw.tags.as_deref().unwrap_or_default(), moving_tag);
    if raw.tags.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&at.key("tags"), "follows nothing: name moving tags, or leave it out");
    }
    let images = raw.images.as_ref().and_then(|text| check.parse(&at.key("images"), text));
    let is_bare = raw.bare.unwrap_or_default();
    if raw.images.is_some() {
        refuse_limited(raw, at, check);
    }
    let (repository, exact) = repository?;
    if is_bare && exact.is_none() {
        let message = format!("means one repository, and {repository:?} is a pattern: name it in an entry of its own");
        check.refuse(&at.key("bare"), message);
    }
    let bare = exact.filter(|_| is_bare);
    let (has_dated_tags, is_company) = (raw.dated_tags, raw.company);
    Some(BaseRule { repository, images, tags, tag, default_tag, bare, has_dated_tags, is_company })
}

/// Refuses what an entry for some images says of the repository itself, or that it says nothing about these images.
fn refuse_limited(raw: &RawBase, at: &KeyPath, check: &mut Check<'_>) {
    let general =
        [("tags", raw.tags.is_some()), ("dated_tags", raw.dated_tags.is_some()), ("company", raw.company.is_some())];
    for (key, _) in general.into_iter().filter(|(_, is_set)| *is_set) {
        let message = "is about the repository, whatever is built on it: set it in an entry without images";
        check.refuse(&at.key(key), message);
    }
    if raw.tag.is_none() && raw.default_tag.is_none() && raw.bare.is_none() {
        check.refuse(&at.key("images"), "says nothing about these images: set default_tag, tag or bare");
    }
}

/// A tag that may name a line, not one release of it.
fn moving_tag(text: &str) -> Result<String, String> {
    if !is_tag(text) {
        return Err(format!("{text:?} is no tag: up to 128 letters, digits, and _ . - not in front"));
    }
    match LambdaTag::parse(text).filter(|tag| tag.built_at.is_some()) {
        Some(dated) => Err(format!("{text:?} names one release, which never moves: write {:?}", dated.family)),
        None => Ok(text.to_owned()),
    }
}
