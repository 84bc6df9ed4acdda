//! `catalog import` and `catalog export`: a signed catalog, from and to where it is published.

use anyhow::{Context as _, Result, bail};
use chrono::{SecondsFormat, Utc};

use super::{
    super::{
        Exit, Ports,
        output::say,
        releases::{self, publish, read_signed},
        world::catalogs,
    },
    keys, stats,
};
use crate::{
    cli::{CatalogExportArgs, CatalogImportArgs},
    config::Settings,
    release_catalog::{CatalogSource, ReleaseCatalog},
    store::Place,
};

/// Keeps a published catalog for the runs that follow.
///
/// # Errors
///
/// When it cannot be read or kept, or is not believed.
pub(super) async fn import(settings: &Settings, args: &CatalogImportArgs) -> Result<Exit> {
    let key = keys::public_key(settings, args.public_key.as_ref())?;
    let ports = Ports::open(&allowing(settings, &args.source))?;
    let accepted = releases::import(&args.source, &key, &ports, &catalogs(settings)).await;
    let accepted = accepted.with_context(|| format!("{} was not imported", args.source))?;
    let built_at = accepted.catalog.built_at().to_rfc3339_opts(SecondsFormat::Secs, true);
    say(&format!("imported {} platform releases, built at {built_at}", accepted.catalog.len()));
    if matches!(settings.store, Some(Place::S3 { .. })) {
        say("runs whose store is in a bucket do not use it: name it as catalog.source for them");
    }
    Ok(Exit::Clean)
}

/// Publishes a file, or what is known here.
///
/// # Errors
///
/// When it is not signed, or cannot be written there.
pub(super) async fn export(settings: &Settings, args: &CatalogExportArgs) -> Result<Exit> {
    let key = args.key.as_deref().map(keys::read).transpose()?;
    let ports = Ports::open(&allowing(settings, &args.target))?;
    let (bytes, signature) = match &args.file {
        Some(file) => {
            let signed = read_signed(file)?;
            (signed.bytes, signed.signature)
        }
        None => (stats::known(&catalogs(settings), Utc::now()).encode(), None),
    };
    let catalog = ReleaseCatalog::decode(&bytes).context("it cannot be published")?;
    let signature = match key {
        Some(key) => keys::sign(&key, &catalog, &bytes)?,
        None => signature.context("it is not signed: name the private key with --key")?,
    };
    if let Some(key) = &settings.releases.public_key
        && let Err(refusal) = key.verify(&bytes, &signature)
    {
        bail!("runs with this configuration would refuse it: {refusal}");
    }
    publish(&args.target, bytes, signature, &ports).await?;
    say(&format!("published {} platform releases at {}", catalog.len(), args.target));
    Ok(Exit::Clean)
}

/// `settings` under which the registry of `place` may be contacted: the command names it.
fn allowing(settings: &Settings, place: &CatalogSource) -> Settings {
    let mut settings = settings.clone();
    if let CatalogSource::Oci(reference) = place {
        settings.allow(&reference.repository.registry);
    }
    settings
}
