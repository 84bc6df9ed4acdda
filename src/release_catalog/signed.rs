//! Acceptance of release catalogs: signed, intact, and not older than the last accepted one.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{DecodeError, PublicKey, ReleaseCatalog};

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

/// Why a catalog is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogRefusal {
    /// It has no signature.
    #[error("it is not signed: sign it with `basewatch catalog export --key KEY`")]
    Unsigned,
    /// Its signature was made for other bytes or with another key.
    #[error("its signature does not verify: {why}")]
    Signature {
        /// The error.
        why: &'static str,
    },
    /// It cannot be decoded, although its signature is valid.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A newer one was accepted before: this may be a replay.
    #[error(
        "it was built at {}, but one built at {} was accepted before",
        .built_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        .accepted_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    Older {
        /// When it was built.
        built_at: DateTime<Utc>,
        /// When the newest accepted catalog was built.
        accepted_at: DateTime<Utc>,
    },
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
