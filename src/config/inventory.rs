//! `[[inventory.…]]`: what is audited.

use schemars::JsonSchema;
use serde::Deserialize;

use std::time::Duration;

use super::{check::Check, tree::KeyPath, values::DurationText};
use crate::{
    glob::Glob,
    inventory::{Choice, EcrSettings, EcsSettings, ImageSource, LambdaSettings, Regions},
};

/// How long what `GetFunction` said is believed, unless it is set.
const REFRESH: Duration = Duration::from_hours(7 * 24);

/// What is audited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInventory {
    /// Lambda functions that are packaged as images: their own version and those that aliases point to. The
    /// registries of their images may be contacted.
    lambda: Option<Vec<RawLambda>>,
    /// Containers of ECS services, and of tasks that are in no service. The ECR registries of their images may
    /// be contacted.
    ecs: Option<Vec<RawEcs>>,
    /// Images in private ECR, with the AWS credentials, regions and endpoints of the environment. Its
    /// registries may be contacted.
    ecr: Option<Vec<RawEcr>>,
    /// Images by name, at any registry. Their registries may be contacted.
    images: Option<Vec<RawImages>>,
}

/// Lambda functions that are packaged as images.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawLambda {
    /// The regions to look in; `["*"]` is all that an account has enabled.
    #[schemars(required, example = ["eu-west-1", "us-east-1"])]
    regions: Option<Vec<String>>,
    /// Patterns of the functions, by name.
    #[schemars(extend("default" = ["*"]))]
    include: Option<Vec<String>>,
    /// Patterns of functions to leave out.
    #[schemars(extend("default" = []), example = ["sandbox-*"])]
    exclude: Option<Vec<String>>,
    /// Patterns of AWS tags, `KEY=VALUE` or `KEY`; where there are any, at least one has to match a tag of the
    /// function.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
    /// The same to leave functions out.
    #[schemars(extend("default" = []), example = ["basewatch=ignore"])]
    exclude_resource_tags: Option<Vec<String>>,
    /// Patterns of owners; where there are any, at least one has to match.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Patterns of owners to leave out.
    #[schemars(extend("default" = []), example = ["attic"])]
    exclude_owners: Option<Vec<String>>,
    /// How long what `lambda:GetFunction` said of a function is believed while the list shows no change of it.
    /// Its state and its tags may be that old.
    #[schemars(extend("default" = "7d"))]
    refresh: Option<DurationText>,
}

/// Containers of ECS services, and of tasks that are in no service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEcs {
    /// The regions to look in; `["*"]` is all that an account has enabled.
    #[schemars(required, example = ["eu-west-1"])]
    regions: Option<Vec<String>>,
    /// Patterns of the clusters, by name.
    #[schemars(extend("default" = ["*"]), example = ["prod-*"])]
    clusters: Option<Vec<String>>,
    /// Patterns of the services, and of the families of tasks that are in no service, by name.
    #[schemars(extend("default" = ["*"]))]
    include: Option<Vec<String>>,
    /// Patterns of services and families to leave out.
    #[schemars(extend("default" = []), example = ["sandbox-*"])]
    exclude: Option<Vec<String>>,
    /// Patterns of AWS tags, `KEY=VALUE` or `KEY`; where there are any, at least one has to match a tag of the
    /// service or task.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
    /// The same to leave services and tasks out.
    #[schemars(extend("default" = []), example = ["basewatch=ignore"])]
    exclude_resource_tags: Option<Vec<String>>,
    /// Patterns of owners; where there are any, at least one has to match.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Patterns of owners to leave out.
    #[schemars(extend("default" = []), example = ["attic"])]
    exclude_owners: Option<Vec<String>>,
}

/// Images in private ECR.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEcr {
    /// The regions to look in; `["*"]` is all that an account has enabled.
    #[schemars(required, example = ["eu-west-1"])]
    regions: Option<Vec<String>>,
    /// Patterns of the repositories.
    #[schemars(extend("default" = ["*"]))]
    repositories: Option<Vec<String>>,
    /// Patterns of repositories to leave out.
    #[schemars(extend("default" = []))]
    exclude: Option<Vec<String>>,
    /// Patterns of the tags.
    #[schemars(extend("default" = ["*"]))]
    tags: Option<Vec<String>>,
    /// Only the newest this many images of each repository, by push date. Without it, all.
    #[schemars(range(min = 1, max = 100_000), example = 10)]
    newest: Option<i64>,
    /// Whether images without a tag are audited as well.
    #[schemars(extend("default" = false))]
    untagged: Option<bool>,
    /// Patterns of AWS tags, `KEY=VALUE` or `KEY`; where there are any, at least one has to match a tag of the
    /// repository.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
    /// The same to leave repositories out.
    #[schemars(extend("default" = []), example = ["basewatch=ignore"])]
    exclude_resource_tags: Option<Vec<String>>,
    /// Patterns of owners; where there are any, at least one has to match.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Patterns of owners to leave out.
    #[schemars(extend("default" = []), example = ["attic"])]
    exclude_owners: Option<Vec<String>>,
}

/// Images by name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawImages {
    /// References with a tag or a digest, or `oci:DIR` and `oci:DIR:TAG` for OCI layouts; a relative
    /// DIR is relative to this file.
    #[schemars(required, example = ["public.ecr.aws/lambda/python:3.12", "oci:./layout:v1"])]
    references: Option<Vec<String>>,
}

/// What is audited, by kind.
pub(super) struct Inventories {
    pub(super) lambda: Vec<LambdaSettings>,
    pub(super) ecs: Vec<EcsSettings>,
    pub(super) ecr: Vec<EcrSettings>,
    pub(super) images: Vec<ImageSource>,
}

pub(super) fn validate(raw: &RawInventory, at: &KeyPath, check: &mut Check<'_>) -> Inventories {
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
            check.refuse(&at, "names no image: add references or remove the table");
        }
        let sources = check.each(&at, references, str::parse);
        images.extend(sources.into_iter().map(|source| match source {
            ImageSource::Layout { folder, tag } => ImageSource::Layout { folder: check.folder(&at, &folder), tag },
            other => other,
        }));
    }
    Inventories { lambda, ecs, ecr, images }
}

/// The keys by which resources are chosen, as they are written.
struct RawChoice<'a> {
    /// The key of [`Choice::include`], which differs.
    key: &'static str,
    include: &'a Option<Vec<String>>,
    exclude: &'a Option<Vec<String>>,
    resource_tags: &'a Option<Vec<String>>,
    exclude_resource_tags: &'a Option<Vec<String>>,
    owners: &'a Option<Vec<String>>,
    exclude_owners: &'a Option<Vec<String>>,
}

macro_rules! choice {
    ($raw:ident, $key:ident) => {
        RawChoice {
            key: stringify!($key),
            include: &$raw.$key,
            exclude: &$raw.exclude,
            resource_tags: &$raw.resource_tags,
            exclude_resource_tags: &$raw.exclude_resource_tags,
            owners: &$raw.owners,
            exclude_owners: &$raw.exclude_owners,
        }
    };
}

impl RawChoice<'_> {
    fn validate(&self, at: &KeyPath, check: &mut Check<'_>) -> Choice {
        let include = self.include.as_deref().map(|texts| check.each(&at.key(self.key), texts, str::parse));
        if self.include.as_ref().is_some_and(Vec::is_empty) {
            check.refuse(&at.key(self.key), "matches nothing: write patterns as in [\"*\"]");
        }
        let mut globs = |key: &str, texts: &Option<Vec<String>>| -> Vec<Glob> {
            check.each(&at.key(key), texts.as_deref().unwrap_or_default(), str::parse)
        };
        let exclude = globs("exclude", self.exclude);
        let owners = globs("owners", self.owners);
        let exclude_owners = globs("exclude_owners", self.exclude_owners);
        let mut tags = |key: &str, texts: &Option<Vec<String>>| {
            check.each(&at.key(key), texts.as_deref().unwrap_or_default(), str::parse)
        };
        let resource_tags = tags("resource_tags", self.resource_tags);
        let exclude_resource_tags = tags("exclude_resource_tags", self.exclude_resource_tags);
        let include = include.unwrap_or_else(|| Choice::default().include);
        Choice { include, exclude, resource_tags, exclude_resource_tags, owners, exclude_owners }
    }
}

fn validate_lambda(raw: &RawLambda, at: &KeyPath, check: &mut Check<'_>) -> LambdaSettings {
    LambdaSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        choice: choice!(raw, include).validate(at, check),
        refresh: check.duration(&at.key("refresh"), raw.refresh.as_ref(), Duration::ZERO).unwrap_or(REFRESH),
    }
}

fn validate_ecs(raw: &RawEcs, at: &KeyPath, check: &mut Check<'_>) -> EcsSettings {
    if raw.clusters.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&at.key("clusters"), "matches no cluster: write patterns as in [\"*\"]");
    }
    let clusters = raw.clusters.clone().unwrap_or_else(|| vec!["*".to_owned()]);
    EcsSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        clusters: check.each(&at.key("clusters"), &clusters, str::parse),
        choice: choice!(raw, include).validate(at, check),
    }
}

/// The regions of a table; a required key that is absent is reported elsewhere.
fn regions(texts: Option<&[String]>, at: &KeyPath, check: &mut Check<'_>) -> Regions {
    let at = at.key("regions");
    let Some(texts) = texts else { return Regions::Listed(Vec::new()) };
    match texts {
        [] => check.refuse(&at, "names no region: write them as in [\"eu-west-1\"], or [\"*\"] for all enabled ones"),
        [all] if all == "*" => return Regions::Enabled,
        _ => {}
    }
    Regions::Listed(check.each(&at, texts, region))
}

fn validate_ecr(raw: &RawEcr, at: &KeyPath, check: &mut Check<'_>) -> EcrSettings {
    let regions = regions(raw.regions.as_deref(), at, check);
    let choice = choice!(raw, repositories).validate(at, check);
    let tags = raw.tags.clone().unwrap_or_else(|| vec!["*".to_owned()]);
    let tags = check.each(&at.key("tags"), &tags, str::parse);
    let untagged = raw.untagged.unwrap_or_default();
    if raw.tags.as_ref().is_some_and(Vec::is_empty) && !untagged {
        check.refuse(&at.key("tags"), "matches no image: write patterns as in [\"*\"], or set untagged = true");
    }
    let newest = raw.newest.and_then(|newest| newest.try_into().ok());
    EcrSettings { regions, choice, tags, newest, untagged }
}

fn region(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match parts.split_last() {
        Some((number, words)) if words.len() >= 2 && words.iter().all(is_word) && is_number(number) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("{text:?} is no AWS region: write it as in \"eu-west-1\"")),
    }
}
