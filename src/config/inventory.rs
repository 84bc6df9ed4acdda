//! `[[inventory.…]]`: what is audited.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{check::Check, tree::KeyPath};
use crate::inventory::{Choice, EcrSettings, ImageSource, Regions};

/// What is audited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInventory {
    /// Images in private ECR, with the AWS credentials, regions and endpoints of the environment. Its
    /// registries may be contacted.
    ecr: Option<Vec<RawEcr>>,
    /// Images by name, at any registry. Their registries may be contacted.
    images: Option<Vec<RawImages>>,
}

/// Images in private ECR.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEcr {
    /// The regions to look in.
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

pub(super) fn validate(
    raw: &RawInventory,
    at: &KeyPath,
    check: &mut Check<'_>,
) -> (Vec<EcrSettings>, Vec<ImageSource>) {
    let ecr_at = at.key("ecr");
    let ecr = raw.ecr.iter().flatten().enumerate();
    let ecr = ecr.map(|(index, raw)| validate_ecr(raw, &ecr_at.index(index), check)).collect();
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
    (ecr, images)
}

fn validate_ecr(raw: &RawEcr, at: &KeyPath, check: &mut Check<'_>) -> EcrSettings {
    let regions_at = at.key("regions");
    let regions = raw.regions.as_deref().map(|texts| check.each(&regions_at, texts, region)).unwrap_or_default();
    if raw.regions.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&regions_at, "names no region: write them as in [\"eu-west-1\"]");
    }
    let mut patterns = |key: &str, texts: &Option<Vec<String>>, standard: &[&str]| {
        let standard = || standard.iter().map(|text| (*text).to_owned()).collect();
        check.each(&at.key(key), &texts.clone().unwrap_or_else(standard), str::parse)
    };
    let repositories = patterns("repositories", &raw.repositories, &["*"]);
    let exclude = patterns("exclude", &raw.exclude, &[]);
    let tags = patterns("tags", &raw.tags, &["*"]);
    let untagged = raw.untagged.unwrap_or_default();
    if raw.repositories.as_ref().is_some_and(Vec::is_empty) {
        check.refuse(&at.key("repositories"), "matches no repository: write patterns as in [\"*\"]");
    }
    if raw.tags.as_ref().is_some_and(Vec::is_empty) && !untagged {
        check.refuse(&at.key("tags"), "matches no image: write patterns as in [\"*\"], or set untagged = true");
    }
    let newest = raw.newest.and_then(|newest| newest.try_into().ok());
    EcrSettings {
        regions: Regions::Listed(regions),
        choice: Choice { include: repositories, exclude, ..Choice::default() },
        tags,
        newest,
        untagged,
    }
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
