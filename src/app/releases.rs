//! Published release catalogs: fetching, verifying, caching and publishing them.

use std::{fs, io::Read as _, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::AppClients;
use crate::{
    config::Settings,
    image::{ManifestDocument, Reference},
    registry::{Artifact, ArtifactLayer, Registry as _},
    release_catalog::{
        self, AcceptedCatalog, CatalogRefusal, CatalogSource, PublicKey, SIGNATURE_SUFFIX, SignedCatalog, accept,
    },
    report::{Note, NoteCode},
    store::Catalog,
};

/// The artifact type of a release catalog.
const ARTIFACT: &str = "application/vnd.basewatch.releases.v1";
/// The media type of its signature.
const SIGNATURE: &str = "application/vnd.basewatch.releases.signature.v1";
/// The size limit of a signature, in bytes.
const SIGNATURE_BYTES: u64 = 4096;
/// The file name of the local copy and of its record.
const KEPT: &str = "releases.bin";

/// The record of the last accepted catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AcceptedCatalogRecord {
    /// The key that verified its signature.
    public_key: String,
    /// When it was built. Older catalogs are rejected.
    built_at: DateTime<Utc>,
    /// Its source.
    source: String,
    /// The version of the source.
    version: String,
}

/// A fetched catalog, not yet verified.
pub(crate) struct FetchedCatalog {
    signed: SignedCatalog,
    version: String,
}

/// Why a catalog was not loaded.
enum CatalogLoadError {
    /// Its signature is invalid, or it is older than the accepted one.
    Refused(CatalogRefusal),
    /// It cannot be read.
    Unavailable(anyhow::Error),
}

/// Loads the release catalog of `settings`, or the imported one. Returns notes for the report.
///
/// If it cannot be read or verified, the last accepted catalog is used.
pub async fn load(settings: &Settings, clients: &AppClients) -> Vec<Note> {
    let catalog = clients.images.catalog();
    let remembered = catalog.get_note::<AcceptedCatalogRecord>(KEPT);
    let imported = || remembered.as_ref()?.public_key.parse().ok();
    let Some(key) = settings.releases.public_key.clone().or_else(imported) else { return Vec::new() };
    let remembered = remembered.filter(|remembered| remembered.public_key == key.as_str());
    let mut present = stored_catalog(catalog, &key);
    let mut notes = Vec::new();
    if let Some(source) = &settings.releases.source {
        // Boxed, because SDK futures are large.
        match Box::pin(refresh(source, &key, remembered.as_ref(), present.is_some(), clients)).await {
            Ok(Some(accepted)) => present = Some(accepted),
            Ok(None) => {}
            Err(why) => notes.push(not_loaded(source, &why, present.as_ref())),
        }
    }
    catalog.set_external_releases(present.map(|accepted| accepted.catalog.into_releases()).unwrap_or_default());
    notes
}

/// Fetches the catalog at `source` and stores it in `catalogs`, if `key` verifies it and it is not older than the last
/// accepted one.
///
/// # Errors
///
/// When it cannot be read, verified or stored.
pub(crate) async fn import(
    source: &CatalogSource,
    key: &PublicKey,
    clients: &AppClients,
    catalogs: &[Catalog],
) -> Result<AcceptedCatalog> {
    let remembered = catalogs.iter().filter_map(|catalog| catalog.get_note::<AcceptedCatalogRecord>(KEPT));
    let newest = remembered.filter(|remembered| remembered.public_key == key.as_str());
    let newest = newest.map(|remembered| remembered.built_at).max();
    let fetched = fetch(source, clients).await?;
    let accepted = accept(fetched.signed, key, newest)?;
    let stored_catalog =
        catalogs.iter().filter(|catalog| keep(catalog, &accepted, key, source, fetched.version.clone())).count();
    if stored_catalog == 0 || stored_catalog < catalogs.len() {
        bail!("no folder to store the catalog in: set catalog.path, or set catalog.source to load it in each run");
    }
    Ok(accepted)
}

/// Fetches the catalog at `source`, if its version differs from `remembered`.
async fn refresh(
    source: &CatalogSource,
    key: &PublicKey,
    remembered: Option<&AcceptedCatalogRecord>,
    is_kept: bool,
    clients: &AppClients,
) -> Result<Option<AcceptedCatalog>, CatalogLoadError> {
    let from_here = remembered.filter(|remembered| is_kept && remembered.source == source.to_string());
    if let Some(remembered) = from_here
        && version(source, clients).await.map_err(CatalogLoadError::Unavailable)?.as_ref() == Some(&remembered.version)
    {
        return Ok(None);
    }
    let fetched = fetch(source, clients).await.map_err(CatalogLoadError::Unavailable)?;
    let newest = remembered.map(|remembered| remembered.built_at);
    let accepted = accept(fetched.signed, key, newest).map_err(CatalogLoadError::Refused)?;
    keep(clients.images.catalog(), &accepted, key, source, fetched.version);
    Ok(Some(accepted))
}

fn not_loaded(source: &CatalogSource, why: &CatalogLoadError, present: Option<&AcceptedCatalog>) -> Note {
    let rest = match present {
        Some(accepted) => {
            let built_at = accepted.catalog.built_at().to_rfc3339_opts(SecondsFormat::Secs, true);
            format!("using the catalog built at {built_at}")
        }
        None => "no release catalog is used".to_owned(),
    };
    match why {
        CatalogLoadError::Refused(refusal) => Note::new(
            NoteCode::ReleaseCatalogRefused,
            format!("the release catalog {source} was rejected: {refusal}; {rest}"),
        ),
        CatalogLoadError::Unavailable(error) => Note::new(
            NoteCode::ReleaseCatalogUnavailable,
            format!("the release catalog {source} could not be read: {error:#}; {rest}"),
        ),
    }
}

/// The local copy of the last accepted catalog.
pub(crate) fn stored_catalog(catalog: &Catalog, key: &PublicKey) -> Option<AcceptedCatalog> {
    let bytes = catalog.kept_file(KEPT, release_catalog::MOST_BYTES)?;
    let signature = catalog.kept_file(&format!("{KEPT}{SIGNATURE_SUFFIX}"), SIGNATURE_BYTES)?;
    let signed = SignedCatalog { bytes, signature: Some(String::from_utf8(signature).ok()?) };
    let accepted = accept(signed, key, None);
    accepted.inspect_err(|refusal| tracing::debug!("the local copy of the release catalog is not used: {refusal}")).ok()
}

/// The public key of the release catalog stored in `catalog`.
pub(crate) fn stored_key(catalog: &Catalog) -> Option<PublicKey> {
    catalog.get_note::<AcceptedCatalogRecord>(KEPT)?.public_key.parse().ok()
}

/// Stores a copy and the record of its acceptance. Returns whether the copy was stored.
fn keep(
    catalog: &Catalog,
    accepted: &AcceptedCatalog,
    key: &PublicKey,
    source: &CatalogSource,
    version: String,
) -> bool {
    let signature = accepted.signed.signature.as_deref().unwrap_or_default();
    let is_kept = catalog.keep_file(KEPT, &accepted.signed.bytes)
        && catalog.keep_file(&format!("{KEPT}{SIGNATURE_SUFFIX}"), signature.as_bytes());
    let built_at = accepted.catalog.built_at();
    let remembered =
        AcceptedCatalogRecord { public_key: key.as_str().to_owned(), built_at, source: source.to_string(), version };
    catalog.put_note(KEPT, &remembered);
    is_kept
}

/// The version of the catalog at `source`, with one request; `None` for a file, which is always read.
async fn version(source: &CatalogSource, clients: &AppClients) -> Result<Option<String>> {
    Ok(match source {
        CatalogSource::File(_) => None,
        CatalogSource::S3(location) => Some(location.version(Arc::clone(&clients.aws)).await?.as_str().to_owned()),
        CatalogSource::Oci(reference) => Some(clients.client.head(reference).await?.digest.to_string()),
    })
}

/// Fetches the catalog at `source` and its signature, without verifying it.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) async fn fetch(source: &CatalogSource, clients: &AppClients) -> Result<FetchedCatalog> {
    match source {
        CatalogSource::File(file) => Ok(FetchedCatalog { signed: read_signed(file)?, version: String::new() }),
        CatalogSource::S3(location) => {
            let stored = location.read_versioned(Arc::clone(&clients.aws), release_catalog::MOST_BYTES).await?;
            let signature = location.with_suffix(SIGNATURE_SUFFIX);
            let signature = signature.read(Arc::clone(&clients.aws), SIGNATURE_BYTES).await;
            // Without `s3:ListBucket`, S3 responds with 403 to a missing object.
            let signature = signature.inspect_err(|error| tracing::debug!("no signature: {error}")).ok();
            let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            Ok(FetchedCatalog {
                signed: SignedCatalog { bytes: stored.bytes, signature },
                version: stored.version.as_str().to_owned(),
            })
        }
        CatalogSource::Oci(reference) => fetch_artifact(reference, clients).await,
    }
}

/// Reads a file and the signature next to it.
///
/// # Errors
///
/// When the file cannot be read.
pub(crate) fn read_signed(file: &Path) -> Result<SignedCatalog> {
    let bytes = read_file(file, release_catalog::MOST_BYTES)?;
    let beside = CatalogSource::signature_file(file);
    let signature = match read_file(&beside, SIGNATURE_BYTES) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(_) if !beside.exists() => None,
        Err(error) => return Err(error),
    };
    Ok(SignedCatalog { bytes, signature })
}

/// Reads `file`, up to `most_bytes`.
///
/// # Errors
///
/// When it cannot be read, or is larger.
pub(crate) fn read_file(file: &Path, most_bytes: u64) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    let mut bytes = Vec::new();
    fs::File::open(file).and_then(|file| file.take(most_bytes + 1).read_to_end(&mut bytes)).with_context(cannot)?;
    if bytes.len() as u64 > most_bytes {
        bail!("{}: larger than {most_bytes} bytes", cannot());
    }
    Ok(bytes)
}

async fn fetch_artifact(reference: &Reference, clients: &AppClients) -> Result<FetchedCatalog> {
    let fetched = clients.client.manifest(reference).await?;
    let ManifestDocument::Manifest(manifest) = fetched.document else {
        bail!("{reference} is an image index, not a release catalog");
    };
    let [bytes, rest @ ..] = manifest.layers.as_slice() else {
        bail!("{reference} is not a release catalog: it has no layers");
    };
    let repository = &reference.repository;
    let bytes = clients.client.blob(repository, bytes, release_catalog::MOST_BYTES).await?;
    let signature = match rest {
        [signature] => Some(clients.client.blob(repository, signature, SIGNATURE_BYTES).await?),
        [] => None,
        _ => bail!("{reference} is not a release catalog: it has {} layers", manifest.layers.len()),
    };
    let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(FetchedCatalog {
        signed: SignedCatalog { bytes: bytes.to_vec(), signature },
        version: fetched.digest.to_string(),
    })
}

/// Publishes `bytes` with their `signature` to `target`.
///
/// # Errors
///
/// When `target` cannot be written.
pub(crate) async fn publish(
    target: &CatalogSource,
    bytes: Vec<u8>,
    signature: String,
    clients: &AppClients,
) -> Result<()> {
    match target {
        // The signature first, so that readers of the new file find the new signature.
        CatalogSource::File(file) => write_signed(file, &bytes, Some(&signature))?,
        CatalogSource::S3(location) => {
            let beside = location.with_suffix(SIGNATURE_SUFFIX);
            beside.write(Arc::clone(&clients.aws), signature.into_bytes()).await?;
            location.write(Arc::clone(&clients.aws), bytes).await?;
        }
        CatalogSource::Oci(reference) => {
            let layer = |media_type, title: &str, bytes: Vec<u8>| ArtifactLayer {
                media_type,
                title: title.to_owned(),
                bytes: bytes.into(),
            };
            let layers = vec![
                layer(ARTIFACT, KEPT, bytes),
                layer(SIGNATURE, &format!("{KEPT}{SIGNATURE_SUFFIX}"), signature.into_bytes()),
            ];
            clients.client.push(reference, &Artifact { artifact_type: ARTIFACT, layers }).await?;
        }
    }
    Ok(())
}

/// Writes `bytes` to `file` and the signature next to it. Without a signature, removes an existing one.
///
/// # Errors
///
/// When a file cannot be written.
pub(crate) fn write_signed(file: &Path, bytes: &[u8], signature: Option<&str>) -> Result<()> {
    let beside = CatalogSource::signature_file(file);
    match signature {
        Some(signature) => release_catalog::write_file(&beside, signature.as_bytes()),
        None if beside.exists() => fs::remove_file(&beside),
        None => Ok(()),
    }
    .with_context(|| format!("cannot write {}", beside.display()))?;
    release_catalog::write_file(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
