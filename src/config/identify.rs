//! `[identify]`: how the base of an image and the line of a base are found.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath, values::base_pattern};
use crate::{
    identify::{BaseRule, BaseRules, IdentifySettings, RegistryMirror, SearchLimits},
    image::{LambdaTag, Repository, is_tag},
};

/// How the base of an image and the line of a base are found.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIdentify {
    /// Labels in which your builds record the base, in order of preference. The `org.opencontainers.image.base.*`
    /// annotations and labels always count, after these.
    #[schemars(extend("default" = ["sdkBaseVersion"]))]
    labels: Option<Vec<String>>,
    /// Base repositories. For each key, the first matching entry that sets it applies. Built in, after your entries:
    /// `public.ecr.aws/lambda/*` and `docker.io/amazon/aws-lambda-*`, with dated tags.
    base: Option<Vec<RawBaseRule>>,
    /// Maximum number of requests per run to find unrecorded bases by comparing image layers with those of releases.
    /// Tag lists are not counted. The next run continues an unfinished search. `0` disables the search.
    #[schemars(range(min = 0, max = 100_000), extend("default" = 300))]
    search_requests: Option<i64>,
    /// Mirrors that serve repositories of another registry with the same digests. Pull-through caches of audited ECR
    /// registries are found automatically if `ecr:DescribePullThroughCacheRules` is allowed.
    mirror: Option<Vec<RawMirror>>,
}

/// A mirror that serves repositories of another registry with the same digests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawMirror {
    /// The registry of the mirror, with a repository prefix if it has one.
    #[schemars(required, example = &"123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public")]
    prefix: Option<String>,
    /// The upstream registry, with a repository prefix if it has one.
    #[schemars(required, example = &"public.ecr.aws")]
    upstream: Option<String>,
}

/// Properties of base repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawBaseRule {
    /// Pattern of base repositories, including the registry. Releases in private ECR are listed through the ECR API, at
    /// most 500 new ones per repository and run.
    #[schemars(required, example = &"public.ecr.aws/lambda/java")]
    repository: Option<String>,
    /// The moving tags to follow. Without it, the tags that images record, and the lines of dated tags.
    #[schemars(example = &["21", "25"])]
    tags: Option<Vec<String>>,
    /// The moving tag to assume if there is no other evidence. Findings mark it as assumed.
    #[schemars(example = &"latest")]
    default_tag: Option<String>,
    /// The moving tag that these images follow, regardless of other evidence.
    #[schemars(example = &"21")]
    tag: Option<String>,
    /// Pattern of the image repositories, without the registry, that `tag`, `default_tag` and `bare` apply to. Without
    /// it, all images.
    #[schemars(example = &"orders*")]
    images: Option<String>,
    /// Whether a bare digest or dated tag in a label of these images refers to this repository. Requires an exact
    /// `repository`.
    #[schemars(extend("default" = false))]
    bare: Option<bool>,
    /// Whether releases have dated tags like `21.2026.07.16.13-x86_64`.
    #[schemars(example = &true)]
    dated_tags: Option<bool>,
    /// Whether these are company bases: bases that are themselves built on another base.
    #[schemars(example = &true)]
    company: Option<bool>,
}

pub(super) fn validate(raw: &RawIdentify, at: &KeyPath, check: &mut ConfigValidator<'_>) -> IdentifySettings {
    let labels = match &raw.labels {
        Some(labels) => check.each(&at.key("labels"), labels, label),
        None => IdentifySettings::default().labels,
    };
    let standard = SearchLimits::default();
    let request_count = raw.search_requests.and_then(|count| count.try_into().ok()).unwrap_or(standard.request_count);
    let search = SearchLimits { request_count, ..standard };
    let mirror_at = at.key("mirror");
    let mirrors = raw.mirror.iter().flatten().enumerate();
    let mirrors = mirrors.filter_map(|(index, raw)| validate_mirror(raw, &mirror_at.index(index), check)).collect();
    let at = at.key("base");
    let rules = raw.base.iter().flatten().enumerate();
    let bases = rules.filter_map(|(index, raw)| validate_base(raw, &at.index(index), check)).collect();
    IdentifySettings { labels, bases: BaseRules::new(bases), mirrors, search }
}

fn validate_mirror(raw: &RawMirror, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<RegistryMirror> {
    let mut host_and_prefix =
        |key: &str, text: &Option<String>| check.accept(&at.key(key), host_and_prefix(text.as_ref()?));
    let (prefix, upstream) = (host_and_prefix("prefix", &raw.prefix), host_and_prefix("upstream", &raw.upstream));
    Some(RegistryMirror { prefix: prefix?, upstream: upstream? })
}

/// Parses a registry with an optional repository prefix, without a trailing slash.
fn host_and_prefix(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    // Two more path segments, so that Docker Hub's `library/` prefix does not apply.
    let below = format!("{text}/x/x").parse::<Repository>().map(|repository| repository.to_string());
    below.ok().and_then(|below| below.strip_suffix("/x/x").map(str::to_owned)).ok_or_else(|| {
        format!(
            "{text:?} is not a registry: write it as in image references, public.ecr.aws or registry.example.com/mirror"
        )
    })
}

fn label(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} is not a label key: write it as in \"sdkBaseVersion\""));
    }
    Ok(text.to_owned())
}

fn validate_base(raw: &RawBaseRule, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Option<BaseRule> {
    let repository = raw.repository.as_ref().and_then(|text| check.accept(&at.key("repository"), base_pattern(text)));
    let mut single = |key: &str, text: Option<&String>| check.accept(&at.key(key), moving_tag(text?));
    let default_tag = single("default_tag", raw.default_tag.as_ref());
    let tag = single("tag", raw.tag.as_ref());
    let tags = check.each(&at.key("tags"), raw.tags.as_deref().unwrap_or_default(), moving_tag);
    if raw.tags.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&at.key("tags"), "is empty: list moving tags, or remove it");
    }
    let images = raw.images.as_ref().and_then(|text| check.parse(&at.key("images"), text));
    let is_bare = raw.bare.unwrap_or_default();
    if raw.images.is_some() {
        refuse_limited(raw, at, check);
    }
    let (repository, exact) = repository?;
    if is_bare && exact.is_none() {
        let message =
            format!("requires one repository, and {repository:?} is a pattern: add an entry for that repository");
        check.refuse(&at.key("bare"), message);
    }
    let bare = exact.filter(|_| is_bare);
    let (has_dated_tags, is_company) = (raw.dated_tags, raw.company);
    Some(BaseRule { repository, images, tags, tag, default_tag, bare, has_dated_tags, is_company })
}

/// Rejects keys about the repository itself in an entry for some images, and an entry that sets nothing for them.
fn refuse_limited(raw: &RawBaseRule, at: &KeyPath, check: &mut ConfigValidator<'_>) {
    let general =
        [("tags", raw.tags.is_some()), ("dated_tags", raw.dated_tags.is_some()), ("company", raw.company.is_some())];
    for (key, _) in general.into_iter().filter(|(_, is_set)| *is_set) {
        let message = "applies to the repository, not to single images: set it in an entry without images";
        check.refuse(&at.key(key), message);
    }
    if raw.tag.is_none() && raw.default_tag.is_none() && raw.bare.is_none() {
        check.refuse(&at.key("images"), "has no effect: set default_tag, tag or bare as well");
    }
}

/// Parses a moving tag, which names a line and not one release.
fn moving_tag(text: &str) -> Result<String, String> {
    if !is_tag(text) {
        return Err(format!(
            "{text:?} is not a tag: write up to 128 letters, digits, _ . and -, not starting with . or -"
        ));
    }
    match LambdaTag::parse(text).filter(|tag| tag.built_at.is_some()) {
        Some(dated) => Err(format!("{text:?} names a single release, not a moving tag: write {:?}", dated.family)),
        None => Ok(text.to_owned()),
    }
}
