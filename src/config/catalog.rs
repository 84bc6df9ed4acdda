//! `[catalog]`: where facts are remembered.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CatalogPlace, check::Check, tree::KeyPath};

/// Where facts are remembered, so that each digest is fetched once ever.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCatalog {
    /// The folder, made when needed. Without it, `basewatch` in the user's cache folder:
    /// `$XDG_CACHE_HOME`, else `~/.cache` (on macOS `~/Library/Caches`); for `basewatch run`, the store.
    #[schemars(example = &"./catalog")]
    path: Option<String>,
    /// Whether anything is remembered. Without, every run fetches everything again.
    #[schemars(extend("default" = true))]
    enabled: Option<bool>,
}

pub(super) fn validate(raw: &RawCatalog, at: &KeyPath, check: &mut Check<'_>) -> CatalogPlace {
    let path_at = at.key("path");
    if raw.path.as_ref().is_some_and(|path| path.trim().is_empty()) {
        check.refuse(&path_at, "names no folder: write its path, or enabled = false for no catalog");
    }
    match &raw.path {
        _ if raw.enabled == Some(false) => CatalogPlace::Off,
        Some(path) => {
            let folder = check.folder(&path_at, Path::new(path));
            if folder.exists() && !folder.is_dir() {
                check.refuse(&path_at, format!("{} is no folder", folder.display()));
            }
            CatalogPlace::Folder(folder)
        }
        None => CatalogPlace::UserCache(check.environment.cache_folder()),
    }
}
