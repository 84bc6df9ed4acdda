//! Acceptance of release catalogs: signed, intact, and not older than the last accepted one.

use chrono::{DateTime, Utc};

use super::{CatalogRefusal, PublicKey, ReleaseCatalog};

/// The bytes of a catalog and of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCatalog {
    /// The file.
    pub bytes: Vec<u8>,
    /// The file of its signature, if there is one.
    pub signature: Option<String>,
}

/// An accepted catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedCatalog {
    /// The catalog.
    pub catalog: ReleaseCatalog,
    /// Its bytes and their signature.
    pub signed: SignedCatalog,
}

/// Accepts `signed` if its signature is valid for `key` and it was not built before `newest`, the build time of the
/// newest accepted catalog. The signature is verified before anything is decoded.
///
/// # Errors
///
/// [`CatalogRefusal`] for the first failed check.
pub fn accept(
    signed: SignedCatalog,
    key: &PublicKey,
    newest: Option<DateTime<Utc>>,
) -> Result<AcceptedCatalog, CatalogRefusal> {
    key.verify(&signed.bytes, signed.signature.as_deref().ok_or(CatalogRefusal::Unsigned)?)?;
    let catalog = ReleaseCatalog::decode(&signed.bytes)?;
    let built_at = catalog.built_at();
    match newest.filter(|newest| built_at < *newest) {
        Some(accepted_at) => Err(CatalogRefusal::Older { built_at, accepted_at }),
        None => Ok(AcceptedCatalog { catalog, signed }),
    }
}
