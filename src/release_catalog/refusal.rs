//! Why a release catalog is rejected.

use chrono::{DateTime, SecondsFormat, Utc};

use super::DecodeError;

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
