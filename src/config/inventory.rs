//! `[[inventory.…]]`: what to audit.

use std::{str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::ConfigValidator, tree::KeyPath};
use crate::{
    glob::Glob,
    image::Region,
    inventory::{EcrSettings, EcsSettings, ImageSource, LambdaSettings, RegionSelection, Selector},
};

/// How long the cached state and tags of an unchanged function are used: tags change without a trace in the list, and a
/// week spreads the calls of `GetFunction` over the daily runs.
const REFRESH: Duration = Duration::from_hours(7 * 24);

/// What to audit, and which of it to leave out. The registries of these images may be contacted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInventory {
    /// Patterns of owners. If set, at least one must match.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Patterns of owners to exclude.
    #[schemars(extend("default" = []), example = ["attic"])]
    exclude_owners: Option<Vec<String>>,
    /// Patterns of AWS tags of functions, services, tasks and repositories to exclude, `KEY=VALUE` or `KEY`.
    #[schemars(extend("default" = []), example = ["basewatch=ignore"])]
    exclude_resource_tags: Option<Vec<String>>,
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
#[serde(deny_unknown_fields)]
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
    /// Patterns of AWS tags of the function, `KEY=VALUE` or `KEY`. If set, at least one must match.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
}

/// Containers of ECS services and of standalone tasks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// Patterns of AWS tags of the service or task, `KEY=VALUE` or `KEY`. If set, at least one must match.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
}

/// Images in private ECR repositories.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// Patterns of AWS tags of the repository, `KEY=VALUE` or `KEY`. If set, at least one must match.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
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
    let general = Selector {
        owners: patterns("owners", raw.owners.as_ref(), at, check),
        exclude_owners: patterns("exclude_owners", raw.exclude_owners.as_ref(), at, check),
        exclude_resource_tags: patterns("exclude_resource_tags", raw.exclude_resource_tags.as_ref(), at, check),
        ..Selector::default()
    };
    let mut lambda = Vec::new();
    for (index, raw) in raw.lambda.iter().flatten().enumerate() {
        lambda.push(validate_lambda(raw, &general, &at.key("lambda").index(index), check));
    }
    let mut ecs = Vec::new();
    for (index, raw) in raw.ecs.iter().flatten().enumerate() {
        ecs.push(validate_ecs(raw, &general, &at.key("ecs").index(index), check));
    }
    let mut ecr = Vec::new();
    for (index, raw) in raw.ecr.iter().flatten().enumerate() {
        ecr.push(validate_ecr(raw, &general, &at.key("ecr").index(index), check));
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

/// The patterns at `key`.
fn patterns<T: FromStr<Err = String>>(
    key: &str,
    texts: Option<&Vec<String>>,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> Vec<T> {
    check.each(&at.key(key), texts.map_or(&[], Vec::as_slice), str::parse)
}

/// As [`patterns`]: not empty, and everything if the key is missing.
fn included(key: &str, texts: Option<&Vec<String>>, at: &KeyPath, check: &mut ConfigValidator<'_>) -> Vec<Glob> {
    if texts.is_some_and(Vec::is_empty) {
        check.refuse(&at.key(key), "is empty: write patterns, as in [\"*\"]");
    }
    if texts.is_none() { Selector::default().include } else { patterns(key, texts, at, check) }
}

fn validate_lambda(
    raw: &RawLambda,
    general: &Selector,
    at: &KeyPath,
    check: &mut ConfigValidator<'_>,
) -> LambdaSettings {
    LambdaSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        selector: Selector {
            include: included("include", raw.include.as_ref(), at, check),
            exclude: patterns("exclude", raw.exclude.as_ref(), at, check),
            resource_tags: patterns("resource_tags", raw.resource_tags.as_ref(), at, check),
            ..general.clone()
        },
        refresh: REFRESH,
    }
}

fn validate_ecs(raw: &RawEcs, general: &Selector, at: &KeyPath, check: &mut ConfigValidator<'_>) -> EcsSettings {
    EcsSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        clusters: included("clusters", raw.clusters.as_ref(), at, check),
        selector: Selector {
            include: included("include", raw.include.as_ref(), at, check),
            exclude: patterns("exclude", raw.exclude.as_ref(), at, check),
            resource_tags: patterns("resource_tags", raw.resource_tags.as_ref(), at, check),
            ..general.clone()
        },
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

fn validate_ecr(raw: &RawEcr, general: &Selector, at: &KeyPath, check: &mut ConfigValidator<'_>) -> EcrSettings {
    let regions = regions(raw.regions.as_deref(), at, check);
    let selector = Selector {
        include: included("repositories", raw.repositories.as_ref(), at, check),
        exclude: patterns("exclude", raw.exclude.as_ref(), at, check),
        resource_tags: patterns("resource_tags", raw.resource_tags.as_ref(), at, check),
        ..general.clone()
    };
    let untagged = raw.untagged.unwrap_or_default();
    if raw.tags.as_ref().is_some_and(Vec::is_empty) && !untagged {
        check.refuse(&at.key("tags"), "is empty: write patterns, as in [\"*\"], or set untagged = true");
    }
    let every_tag = vec!["*".to_owned()];
    let tags = patterns("tags", raw.tags.as_ref().or(Some(&every_tag)), at, check);
    let newest = raw.newest.and_then(|newest| newest.try_into().ok());
    EcrSettings { regions, selector, tags, newest, untagged }
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
