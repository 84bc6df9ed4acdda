//! Verification of response digests.

use super::{Error, Result};
use crate::{
    http::HttpResponse,
    image::{Digest, Reference},
};

/// The digest in the header, if it is valid.
pub(super) fn announced_digest(response: &HttpResponse) -> Option<Digest> {
    response.header("docker-content-digest")?.trim().parse().ok()
}

pub(super) fn expect_pinned(reference: &Reference, actual: &Digest) -> Result<()> {
    match &reference.digest {
        Some(expected) if expected != actual => Err(Error::DigestMismatch {
            what: reference.to_string(),
            expected: expected.clone(),
            actual: actual.clone(),
        }),
        _ => Ok(()),
    }
}

pub(super) fn verify(what: &str, expected: &Digest, body: &[u8]) -> Result<()> {
    if expected.matches(body) {
        return Ok(());
    }
    Err(Error::DigestMismatch { what: what.to_owned(), expected: expected.clone(), actual: Digest::sha256(body) })
}
