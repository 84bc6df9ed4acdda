//! `[[inventory.…]]`: what to audit.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use std::time::Duration;

use super::{check::ConfigValidator, tree::KeyPath, values::DurationText};
use crate::{
    glob::Glob,
    image::Region,
    inventory::{EcrSettings, EcsSettings, ImageSource, LambdaSettings, RegionSelection, Selector},
};

/// The default of `refresh`.
const REFRESH: Duration = Duration::from_hours(7 * 24);

/// What to audit. The registries of these images may be contacted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInventory {
    /// Lambda functions packaged as container images: `$LATEST` and the versions that aliases point to.
    lambda: Option<Vec<RawLambda>>,
    /// Containers of ECS services and of standalone tasks.
    ecs: Option<Vec<RawEcs>>,
    /// Images in private ECR repositories.
    ecr: Option<Vec<RawEcr>>,
    /// Images by reference, in any registry.
    images: Option<Vec<RawImages>>,
}

/// Lambda functions packaged as container images.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = about("function", "functions"))]
struct RawLambda {
    /// The AWS regions; `["*"]` for all enabled regions of the account.
    #[schemars(required, example = ["eu-west-1", "us-east-1"])]
    regions: Option<Vec<String>>,
    /// Patterns of function names.
    #[schemars(extend("default" = ["*"]))]
    include: Option<Vec<String>>,
    /// Patterns of function names to exclude.
    #[schemars(extend("default" = []), example = ["sandbox-*"])]
    exclude: Option<Vec<String>>,
    #[serde(flatten)]
    choice: RawSelector,
    /// How long to cache the state and tags of a function that `lambda:ListFunctions` shows as unchanged.
    #[schemars(extend("default" = "7d"))]
    refresh: Option<DurationText>,
}

/// Containers of ECS services and of standalone tasks.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = about("service or task", "services and tasks"))]
struct RawEcs {
    /// The AWS regions; `["*"]` for all enabled regions of the account.
    #[schemars(required, example = ["eu-west-1"])]
    regions: Option<Vec<String>>,
    /// Patterns of cluster names.
    #[schemars(extend("default" = ["*"]), example = ["prod-*"])]
    clusters: Option<Vec<String>>,
    /// Patterns of service names, and of the task families of standalone tasks.
    #[schemars(extend("default" = ["*"]))]
    include: Option<Vec<String>>,
    /// Patterns of services and task families to exclude.
    #[schemars(extend("default" = []), example = ["sandbox-*"])]
    exclude: Option<Vec<String>>,
    #[serde(flatten)]
    choice: RawSelector,
}

/// Images in private ECR repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = about("repository", "repositories"))]
struct RawEcr {
    /// The AWS regions; `["*"]` for all enabled regions of the account.
    #[schemars(required, example = ["eu-west-1"])]
    regions: Option<Vec<String>>,
    /// Patterns of repository names.
    #[schemars(extend("default" = ["*"]))]
    repositories: Option<Vec<String>>,
    /// Patterns of repository names to exclude.
    #[schemars(extend("default" = []))]
    exclude: Option<Vec<String>>,
    /// Patterns of image tags.
    #[schemars(extend("default" = ["*"]))]
    tags: Option<Vec<String>>,
    /// Audit only this many images of each repository, the most recently pushed. Without it, all.
    #[schemars(range(min = 1, max = 100_000), example = 10)]
    newest: Option<i64>,
    /// Whether to audit untagged images as well.
    #[schemars(extend("default" = false))]
    untagged: Option<bool>,
    #[serde(flatten)]
    choice: RawSelector,
}

/// Selects the resources of a table by tag and owner; [`about`] fills in `{resource}`.
// Flattened, which serde does not support together with `deny_unknown_fields`; the schema check finds unknown keys.
#[derive(Debug, Deserialize, JsonSchema)]
struct RawSelector {
    /// Patterns of AWS tags of the {resource}, `KEY=VALUE` or `KEY`. If set, at least one must match.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
    /// Patterns of AWS tags of {resources} to exclude.
    #[schemars(extend("default" = []), example = ["basewatch=ignore"])]
    exclude_resource_tags: Option<Vec<String>>,
    /// Patterns of owners. If set, at least one must match.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Patterns of owners to exclude.
    #[schemars(extend("default" = []), example = ["attic"])]
    exclude_owners: Option<Vec<String>>,
}

/// Replaces `{resource}` and `{resources}` in the descriptions of the shared keys of a table.
fn about(one: &'static str, several: &'static str) -> impl Fn(&mut Schema) {
    move |table| {
        let keys = table.get_mut("properties").and_then(Value::as_object_mut);
        for key in keys.into_iter().flat_map(Map::values_mut) {
            if let Some(Value::String(text)) = key.get_mut("description") {
                *text = text.replace("{resource}", one).replace("{resources}", several);
            }
        }
    }
}

/// Images by reference, in any registry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawImages {
    /// Image references with a tag or a digest, or `oci:DIR[:TAG]` for OCI image layouts.
    #[schemars(required, example = ["public.ecr.aws/lambda/python:3.12", "oci:./layout:v1"])]
    references: Option<Vec<String>>,
}

/// What to audit, by kind of deployment.
pub(super) struct InventorySettings {
    pub(super) lambda: Vec<LambdaSettings>,
    pub(super) ecs: Vec<EcsSettings>,
    pub(super) ecr: Vec<EcrSettings>,
    pub(super) images: Vec<ImageSource>,
}

pub(super) fn validate(raw: &RawInventory, at: &KeyPath, check: &mut ConfigValidator<'_>) -> InventorySettings {
    let mut lambda = Vec::new();
    for (index, raw) in raw.lambda.iter().flatten().enumerate() {
        lambda.push(validate_lambda(raw, &at.key("lambda").index(index), check));
    }
    let mut ecs = Vec::new();
    for (index, raw) in raw.ecs.iter().flatten().enumerate() {
        ecs.push(validate_ecs(raw, &at.key("ecs").index(index), check));
    }
    let mut ecr = Vec::new();
    for (index, raw) in raw.ecr.iter().flatten().enumerate() {
        ecr.push(validate_ecr(raw, &at.key("ecr").index(index), check));
    }
    let mut images = Vec::new();
    for (index, raw) in raw.images.iter().flatten().enumerate() {
        let at = at.key("images").index(index).key("references");
        let Some(references) = &raw.references else { continue };
        if references.is_empty() {
            check.refuse(&at, "is empty: add references, or remove the table");
        }
        let sources = check.each(&at, references, str::parse);
        images.extend(sources.into_iter().map(|source| match source {
            ImageSource::Layout { folder, tag } => ImageSource::Layout { folder: check.folder(&at, &folder), tag },
            other => other,
        }));
    }
    InventorySettings { lambda, ecs, ecr, images }
}

/// Patterns of names, and the key that sets them.
type NamedPatterns<'a> = (&'static str, Option<&'a [String]>);

impl RawSelector {
    /// Validates the selection of a table. The keys of its name patterns differ between tables.
    fn validate(
        &self,
        include: NamedPatterns<'_>,
        exclude: NamedPatterns<'_>,
        at: &KeyPath,
        check: &mut ConfigValidator<'_>,
    ) -> Selector {
        let (key, included) = include;
        let include = included.map(|texts| check.each(&at.key(key), texts, str::parse));
        if included.is_some_and(<[_]>::is_empty) {
            check.refuse(&at.key(key), "is empty: write patterns, as in [\"*\"]");
        }
        let mut globs = |(key, texts): NamedPatterns<'_>| -> Vec<Glob> {
            check.each(&at.key(key), texts.unwrap_or_default(), str::parse)
        };
        let exclude = globs(exclude);
        let owners = globs(("owners", self.owners.as_deref()));
        let exclude_owners = globs(("exclude_owners", self.exclude_owners.as_deref()));
        let mut tags =
            |(key, texts): NamedPatterns<'_>| check.each(&at.key(key), texts.unwrap_or_default(), str::parse);
        let resource_tags = tags(("resource_tags", self.resource_tags.as_deref()));
        let exclude_resource_tags = tags(("exclude_resource_tags", self.exclude_resource_tags.as_deref()));
        let include = include.unwrap_or_else(|| Selector::default().include);
        Selector { include, exclude, resource_tags, exclude_resource_tags, owners, exclude_owners }
    }
}

fn validate_lambda(raw: &RawLambda, at: &KeyPath, check: &mut ConfigValidator<'_>) -> LambdaSettings {
    LambdaSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        selector: raw.choice.validate(
            ("include", raw.include.as_deref()),
            ("exclude", raw.exclude.as_deref()),
            at,
            check,
        ),
        refresh: check.duration(&at.key("refresh"), raw.refresh.as_ref(), Duration::ZERO).unwrap_or(REFRESH),
    }
}

fn validate_ecs(raw: &RawEcs, at: &KeyPath, check: &mut ConfigValidator<'_>) -> EcsSettings {
    if raw.clusters.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&at.key("clusters"), "is empty: write patterns, as in [\"*\"]");
    }
    let clusters = raw.clusters.clone().unwrap_or_else(|| vec!["*".to_owned()]);
    EcsSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        clusters: check.each(&at.key("clusters"), &clusters, str::parse),
        selector: raw.choice.validate(
            ("include", raw.include.as_deref()),
            ("exclude", raw.exclude.as_deref()),
            at,
            check,
        ),
    }
}

/// The regions of a table. The schema check reports a missing key.
fn regions(texts: Option<&[String]>, at: &KeyPath, check: &mut ConfigValidator<'_>) -> RegionSelection {
    let at = at.key("regions");
    let Some(texts) = texts else { return RegionSelection::Listed(Vec::new()) };
    match texts {
        [] => check.refuse(&at, "is empty: write regions, as in [\"eu-west-1\"], or [\"*\"] for all enabled regions"),
        [all] if all == "*" => return RegionSelection::Enabled,
        _ => {}
    }
    RegionSelection::Listed(check.each(&at, texts, region))
}

fn validate_ecr(raw: &RawEcr, at: &KeyPath, check: &mut ConfigValidator<'_>) -> EcrSettings {
    let regions = regions(raw.regions.as_deref(), at, check);
    let choice = raw.choice.validate(
        ("repositories", raw.repositories.as_deref()),
        ("exclude", raw.exclude.as_deref()),
        at,
        check,
    );
    let tags = raw.tags.clone().unwrap_or_else(|| vec!["*".to_owned()]);
    let tags = check.each(&at.key("tags"), &tags, str::parse);
    let untagged = raw.untagged.unwrap_or_default();
    if raw.tags.as_ref().is_some_and(Vec::is_empty) && !untagged {
        check.refuse(&at.key("tags"), "is empty: write patterns, as in [\"*\"], or set untagged = true");
    }
    let newest = raw.newest.and_then(|newest| newest.try_into().ok());
    EcrSettings { regions, selector: choice, tags, newest, untagged }
}

fn region(text: &str) -> Result<Region, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let region = match parts.split_last() {
        Some((number, words)) if words.len() >= 2 && words.iter().all(is_word) && is_number(number) => {
            text.parse().ok()
        }
        _ => None,
    };
    region.ok_or_else(|| format!("{text:?} is not an AWS region: write it as in \"eu-west-1\""))
}
