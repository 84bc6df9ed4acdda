//! `[catalog]`: where the catalog is stored, and which release catalog is loaded.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CatalogLocation, ReleaseCatalogSettings, check::ConfigValidator, tree::KeyPath};
use crate::release_catalog::{CatalogSource, PublicKey};

/// The catalog: image metadata by digest, so that each digest is fetched only once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCatalog {
    /// The folder; created if missing. Defaults to `basewatch` in `$XDG_CACHE_HOME`, else in `~/.cache` (macOS:
    /// `~/Library/Caches`); for `basewatch run`, to the store.
    #[schemars(example = &"./catalog")]
    path: Option<String>,
    /// The release catalog that each run loads: a file, `s3://BUCKET/KEY` or `oci://REGISTRY/REPOSITORY:TAG`. Create
    /// and publish one with `basewatch catalog build` and `export`.
    #[schemars(example = &"oci://111111111111.dkr.ecr.eu-west-1.amazonaws.com/basewatch:releases")]
    source: Option<String>,
    /// The public key that must verify the release catalog, as printed by `basewatch catalog keygen`.
    #[schemars(example = &"RWQBphd2+f6eiAqBsvDZEBXBGHQBJfeG6G+wJPPKxCZMoEQYpmoysKUN")]
    public_key: Option<String>,
}

pub(super) fn validate(raw: &RawCatalog, at: &KeyPath, check: &mut ConfigValidator<'_>) -> CatalogLocation {
    let path_at = at.key("path");
    if raw.path.as_ref().is_some_and(|path| path.trim().is_empty()) {
        check.refuse(&path_at, "is empty: write a path, or remove the key");
    }
    match &raw.path {
        Some(path) => {
            let folder = check.folder(&path_at, Path::new(path));
            if folder.exists() && !folder.is_dir() {
                check.refuse(&path_at, format!("{} is not a folder", folder.display()));
            }
            CatalogLocation::Folder(folder)
        }
        None => CatalogLocation::UserCache(check.environment.cache_folder()),
    }
}

/// The settings of the release catalog.
pub(super) fn releases(raw: &RawCatalog, at: &KeyPath, check: &mut ConfigValidator<'_>) -> ReleaseCatalogSettings {
    let source = raw.source.as_ref().and_then(|text| check.parse::<CatalogSource>(&at.key("source"), text));
    let source = source.map(|source| match source {
        CatalogSource::File(file) => CatalogSource::File(check.folder(&at.key("source"), &file)),
        other => other,
    });
    let public_key = raw.public_key.as_ref().and_then(|text| {
        let key = text.parse::<PublicKey>().map_err(|error| format!("{text:?}: {error}"));
        check.accept(&at.key("public_key"), key)
    });
    if raw.source.is_some() && raw.public_key.is_none() {
        let why = "needs public_key: a release catalog is loaded only if its signature can be verified";
        check.refuse(&at.key("source"), why);
    }
    ReleaseCatalogSettings { source, public_key }
}
