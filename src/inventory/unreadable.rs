//! Maps errors of registries and AWS to reason codes of unreadable images.

use super::Unreadable;
use crate::{
    aws::Failure,
    image::{Digest, MESSAGE_BYTES, Platform, clip},
    registry::{CredentialsErrorKind, Error, Missing},
};

impl Unreadable {
    /// An error with the reason code `code`.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: clip(message, MESSAGE_BYTES), digest: None, platform: None }
    }

    /// The error of an image for which the registry returned `error`.
    pub(super) fn of_registry(error: &Error) -> Self {
        let code = match error {
            Error::NotFound { cache: Some(_), .. } => "not-cached",
            Error::NotFound { missing: Missing::Configuration(_), .. } => "registry-incomplete",
            Error::NotFound { .. } => "image-missing",
            Error::Denied { .. } | Error::Credentials { kind: CredentialsErrorKind::Denied, .. } => "registry-denied",
            Error::NotAllowed { .. } => "registry-not-allowed",
            Error::RateLimited { .. } | Error::Credentials { kind: CredentialsErrorKind::Throttled, .. } => {
                "registry-throttled"
            }
            Error::Unreachable { .. }
            | Error::Status { .. }
            | Error::Credentials { kind: CredentialsErrorKind::Unreachable, .. } => "registry-unreachable",
            Error::TooLarge { .. } | Error::DigestMismatch { .. } | Error::Redirected { .. } => "registry-malformed",
            Error::Malformed { .. } => "image-malformed",
        };
        Self::new(code, error.to_string())
    }

    /// The error of the images of a failed AWS call.
    pub(super) fn of_aws(failure: &Failure) -> Self {
        let code = match failure.code {
            "not-found" => "image-missing",
            "access-denied" | "credentials" => "registry-denied",
            "throttled" => "registry-throttled",
            _ => "registry-unreachable",
        };
        Self::new(code, &failure.message)
    }

    /// Adds the digest of the image.
    pub(super) fn about(self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self }
    }

    /// Adds the platform, if known.
    pub(super) fn on(self, platform: Option<&Platform>) -> Self {
        Self { platform: platform.cloned(), ..self }
    }
}
