//! `[[inventory.…]]`: what is audited.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use std::time::Duration;

use super::{check::Check, tree::KeyPath, values::DurationText};
use crate::{
    glob::Glob,
    image::Region,
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
#[schemars(deny_unknown_fields, transform = about("function", "functions"))]
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
    #[serde(flatten)]
    choice: RawChoice,
    /// How long what `lambda:GetFunction` said of a function is believed while the list shows no change of it.
    /// Its state and its tags may be that old.
    #[schemars(extend("default" = "7d"))]
    refresh: Option<DurationText>,
}

/// Containers of ECS services, and of tasks that are in no service.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = about("service or task", "services and tasks"))]
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
    #[serde(flatten)]
    choice: RawChoice,
}

/// Images in private ECR.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, transform = about("repository", "repositories"))]
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
    #[serde(flatten)]
    choice: RawChoice,
}

/// By what the resources of a table are chosen, besides their names; [`about`] says what these are.
// Flattened, which serde does not let a table deny unknown keys with; they are found before serde sees them, by the
// schema.
#[derive(Debug, Deserialize, JsonSchema)]
struct RawChoice {
    /// Patterns of AWS tags, `KEY=VALUE` or `KEY`; where there are any, at least one has to match a tag of the
    /// {resource}.
    #[schemars(extend("default" = []), example = ["env=prod"])]
    resource_tags: Option<Vec<String>>,
    /// The same to leave {resources} out.
    #[schemars(extend("default" = []), example = ["basewatch=ignore"])]
    exclude_resource_tags: Option<Vec<String>>,
    /// Patterns of owners; where there are any, at least one has to match.
    #[schemars(extend("default" = []), example = ["payments"])]
    owners: Option<Vec<String>>,
    /// Patterns of owners to leave out.
    #[schemars(extend("default" = []), example = ["attic"])]
    exclude_owners: Option<Vec<String>>,
}

/// Puts what a table is about into the documentation of the keys that it shares with others.
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

/// Patterns of names, and the key that they are written at.
type Named<'a> = (&'static str, Option<&'a [String]>);

impl RawChoice {
    /// The choice of a table, with its patterns of names, whose keys differ.
    fn validate(&self, include: Named<'_>, exclude: Named<'_>, at: &KeyPath, check: &mut Check<'_>) -> Choice {
        let (key, included) = include;
        let include = included.map(|texts| check.each(&at.key(key), texts, str::parse));
        if included.is_some_and(<[_]>::is_empty) {
            check.refuse(&at.key(key), "matches nothing: write patterns as in [\"*\"]");
        }
        let mut globs =
            |(key, texts): Named<'_>| -> Vec<Glob> { check.each(&at.key(key), texts.unwrap_or_default(), str::parse) };
        let exclude = globs(exclude);
        let owners = globs(("owners", self.owners.as_deref()));
        let exclude_owners = globs(("exclude_owners", self.exclude_owners.as_deref()));
        let mut tags = |(key, texts): Named<'_>| check.each(&at.key(key), texts.unwrap_or_default(), str::parse);
        let resource_tags = tags(("resource_tags", self.resource_tags.as_deref()));
        let exclude_resource_tags = tags(("exclude_resource_tags", self.exclude_resource_tags.as_deref()));
        let include = include.unwrap_or_else(|| Choice::default().include);
        Choice { include, exclude, resource_tags, exclude_resource_tags, owners, exclude_owners }
    }
}

fn validate_lambda(raw: &RawLambda, at: &KeyPath, check: &mut Check<'_>) -> LambdaSettings {
    LambdaSettings {
        regions: regions(raw.regions.as_deref(), at, check),
        choice: raw.choice.validate(
            ("include", raw.include.as_deref()),
            ("exclude", raw.exclude.as_deref()),
            at,
            check,
        ),
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
        choice: raw.choice.validate(
            ("include", raw.include.as_deref()),
            ("exclude", raw.exclude.as_deref()),
            at,
            check,
        ),
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
        check.refuse(&at.key("tags"), "matches no image: write patterns as in [\"*\"], or set untagged = true");
    }
    let newest = raw.newest.and_then(|newest| newest.try_into().ok());
    EcrSettings { regions, choice, tags, newest, untagged }
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
    region.ok_or_else(|| format!("{text:?} is no AWS region: write it as in \"eu-west-1\""))
}
