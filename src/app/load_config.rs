//! Loading of settings from a local file or from S3.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};

use crate::{
    aws::Aws,
    config::{CliOverrides, EnvironmentVariables, FILE_LIMIT, LoadedConfig, load, object},
    http::RequestCounter,
};

/// Loads the settings that `flags` and `environment` describe.
///
/// # Errors
///
/// When the file cannot be read or is invalid; the error lists all problems.
pub async fn loaded(flags: &CliOverrides, environment: &EnvironmentVariables, here: &Path) -> Result<LoadedConfig> {
    let aws = Arc::new(Aws::new(Arc::new(RequestCounter::default())));
    loaded_as(&aws, flags, environment, here).await
}

/// As [`loaded`], with the credentials of `aws` for a file in S3.
///
/// # Errors
///
/// As [`loaded`].
pub(crate) async fn loaded_as(
    aws: &Arc<Aws>,
    flags: &CliOverrides,
    environment: &EnvironmentVariables,
    here: &Path,
) -> Result<LoadedConfig> {
    let fetched = match object(flags, environment)? {
        Some(object) => {
            let bytes = object.read(Arc::clone(aws), FILE_LIMIT).await.context("cannot fetch the configuration")?;
            Some(String::from_utf8(bytes).ok().with_context(|| format!("{object} is not UTF-8 text"))?)
        }
        None => None,
    };
    let loaded = load(&CliOverrides { fetched, ..flags.clone() }, environment, here)?;
    // Not an error: it may be a region that AWS has added.
    for (name, known) in loaded.settings.misspelt_regions() {
        tracing::warn!("{name} is not a known AWS region; did you mean {known}?");
    }
    Ok(loaded)
}
