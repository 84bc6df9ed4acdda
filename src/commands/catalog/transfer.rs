//! `catalog import` and `catalog export`: download and publish signed catalogs.

use anyhow::{Context as _, Result, bail};
use chrono::{SecondsFormat, Utc};

use super::{keys, stats};
use crate::{
    app::{
        AppClients, ExitStatus, catalogs,
        output::print_stderr,
        releases::{self, publish, read_signed},
    },
    cli::{CatalogExportArgs, CatalogImportArgs},
    config::Settings,
    release_catalog::{CatalogSource, ReleaseCatalog},
    store::StoreLocation,
};

/// Downloads a published catalog for later runs.
///
/// # Errors
///
/// When it cannot be read or stored, or its signature is invalid.
pub(super) async fn import(settings: &Settings, args: &CatalogImportArgs) -> Result<ExitStatus> {
    let key = keys::public_key(settings, args.public_key.as_ref())?;
    let clients = AppClients::open(&allowing(settings, &args.source))?;
    let accepted = releases::import(&args.source, &key, &clients, &catalogs(settings)).await;
    let accepted = accepted.with_context(|| format!("{} was not imported", args.source))?;
    let built_at = accepted.catalog.built_at().to_rfc3339_opts(SecondsFormat::Secs, true);
    print_stderr(&format!("imported {} platform releases, built at {built_at}", accepted.catalog.release_count()));
    if matches!(settings.store, Some(StoreLocation::S3 { .. })) {
        print_stderr("runs with a store in S3 do not use imported catalogs: set catalog.source instead");
    }
    Ok(ExitStatus::Clean)
}

/// Publishes a file or the local catalog.
///
/// # Errors
///
/// When it is not signed, or cannot be written.
pub(super) async fn export(settings: &Settings, args: &CatalogExportArgs) -> Result<ExitStatus> {
    let key = args.key.as_deref().map(keys::read).transpose()?;
    let clients = AppClients::open(&allowing(settings, &args.target))?;
    let (bytes, signature) = match &args.file {
        Some(file) => {
            let signed = read_signed(file)?;
            (signed.bytes, signed.signature)
        }
        None => (stats::known(&catalogs(settings), Utc::now()).encode(), None),
    };
    let catalog = ReleaseCatalog::decode(&bytes).context("cannot publish the catalog")?;
    let signature = match key {
        Some(key) => keys::sign(&key, &catalog, &bytes)?,
        None => signature.context("the catalog is not signed: use --key")?,
    };
    if let Some(key) = &settings.releases.public_key
        && let Err(refusal) = key.verify(&bytes, &signature)
    {
        bail!("the catalog does not match catalog.public_key of this configuration: {refusal}");
    }
    publish(&args.target, bytes, signature, &clients).await?;
    print_stderr(&format!("published {} platform releases to {}", catalog.release_count(), args.target));
    Ok(ExitStatus::Clean)
}

/// `settings` with the registry of `location` allowed, because the command names it.
fn allowing(settings: &Settings, location: &CatalogSource) -> Settings {
    let mut settings = settings.clone();
    if let CatalogSource::Oci(reference) = location {
        settings.allow(&reference.repository.registry);
    }
    settings
}
