//! Which catalog is believed: one that is signed, whole, and no older than what was believed before.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{DecodeError, PublicKey, ReleaseCatalog};

/// The bytes of a catalog and of its signature, from wherever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCatalog {
    /// The file.
    pub bytes: Vec<u8>,
    /// The file of its signature; `None` where there is none.
    pub signature: Option<String>,
}

/// A catalog that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The catalog.
    pub catalog: ReleaseCatalog,
    /// Its bytes and their signature.
    pub signed: SignedCatalog,
}

/// Why a catalog is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody signed it.
    #[error("it is not signed: sign it with `basewatch catalog export --key KEY`")]
    Unsigned,
    /// Its signature is of something else, or by somebody else.
    #[error("its signature does not verify: {why}")]
    Signature {
        /// What is wrong.
        why: &'static str,
    },
    /// It cannot be read, although its signature verifies.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A newer one was believed before: somebody may be playing an old one back.
    #[error(
        "it was built at {}, and one that was built at {} was accepted before",
        .built_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        .accepted_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    Older {
        /// When it was built.
        built_at: DateTime<Utc>,
        /// When the newest was built that was accepted.
        accepted_at: DateTime<Utc>,
    },
}

/// Reads `signed` if it is signed for `key` and no older than `newest`, when the newest was built that was accepted
/// before. The signature is verified before anything else is read.
///
/// # Errors
///
/// [`Refusal`] for the first thing that is wrong with it.
pub fn accept(signed: SignedCatalog, key: &PublicKey, newest: Option<DateTime<Utc>>) -> Result<Accepted, Refusal> {
    key.verify(&signed.bytes, signed.signature.as_deref().ok_or(Refusal::Unsigned)?)?;
    let catalog = ReleaseCatalog::decode(&signed.bytes)?;
    let built_at = catalog.built_at();
    match newest.filter(|newest| built_at < *newest) {
        Some(accepted_at) => Err(Refusal::Older { built_at, accepted_at }),
        None => Ok(Accepted { catalog, signed }),
    }
}
