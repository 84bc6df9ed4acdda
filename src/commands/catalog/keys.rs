//! `catalog keygen` and `catalog verify`: signing keys of catalogs.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use anyhow::{Context as _, Result};
use chrono::SecondsFormat;

use crate::{
    app::{
        ExitStatus,
        output::print,
        releases::{read_file, read_signed},
    },
    cli::{CatalogKeygenArgs, CatalogVerifyArgs},
    config::Settings,
    release_catalog::{PublicKey, ReleaseCatalog, SigningKey, accept},
    secret::Secret,
};

/// The size limit of a key file, in bytes.
const KEY_BYTES: u64 = 4096;

/// Generates a key pair, writes the private key and prints the public key.
///
/// # Errors
///
/// When the file exists or cannot be written.
pub(super) fn generate(args: &CatalogKeygenArgs) -> Result<ExitStatus> {
    let key = SigningKey::generate()?;
    let (public, private) = (key.public_key()?, key.to_file()?);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&args.output).and_then(|mut file| {
        file.write_all(private.reveal().as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", args.output.display()))?;
    print(&format!("{public}\n"))?;
    Ok(ExitStatus::Clean)
}

/// Verifies the signature of a file.
///
/// # Errors
///
/// When the file cannot be read, or no public key is given or configured.
pub(super) fn verify(settings: &Settings, args: &CatalogVerifyArgs) -> Result<ExitStatus> {
    let key = public_key(settings, args.public_key.as_ref())?;
    let name = args.file.display();
    match accept(read_signed(&args.file)?, &key, None) {
        Ok(accepted) => {
            let built_at = accepted.catalog.built_at().to_rfc3339_opts(SecondsFormat::Secs, true);
            let count = accepted.catalog.release_count();
            print(&format!(
                "{name} has a valid signature for {key}: {count} platform releases, built at {built_at}\n"
            ))?;
            Ok(ExitStatus::Clean)
        }
        Err(refusal) => {
            print(&format!("{name} is not valid: {refusal}\n"))?;
            Ok(ExitStatus::Failed)
        }
    }
}

/// The public key on the command line, else in the configuration.
///
/// # Errors
///
/// When there is none.
pub(super) fn public_key(settings: &Settings, given: Option<&PublicKey>) -> Result<PublicKey> {
    let key = given.or(settings.releases.public_key.as_ref()).cloned();
    key.context("a public key is required: use --public-key, or set catalog.public_key in the configuration")
}

/// Reads the private key in `file`.
///
/// # Errors
///
/// When the file does not contain one.
pub(super) fn read(file: &Path) -> Result<SigningKey> {
    let text = String::from_utf8_lossy(&read_file(file, KEY_BYTES)?).into_owned();
    SigningKey::parse(&Secret::new(text)).with_context(|| format!("cannot use {}", file.display()))
}

/// Signs `bytes`, the encoded `catalog`.
///
/// # Errors
///
/// When the key is damaged.
pub(super) fn sign(key: &SigningKey, catalog: &ReleaseCatalog, bytes: &[u8]) -> Result<String> {
    let built_at = catalog.built_at().to_rfc3339_opts(SecondsFormat::Secs, true);
    Ok(key.sign(bytes, &format!("basewatch release catalog, built at {built_at}"))?)
}
