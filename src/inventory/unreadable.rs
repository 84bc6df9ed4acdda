//! Why can an image not be read? One mapping of what registries and AWS say to reason codes.

use super::Unreadable;
use crate::{
    aws::Failure,
    image::{Digest, MESSAGE_BYTES, Platform, clip},
    registry::{CredentialsErrorKind, Error, Missing},
};

impl Unreadable {
    /// An image that cannot be read for the reason `code`.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: clip(message, MESSAGE_BYTES), digest: None, platform: None }
    }

    /// What a registry's error means for the image that was asked for.
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

    /// What a failed AWS call means for the images it asked for.
    pub(super) fn of_aws(failure: &Failure) -> Self {
        let code = match failure.code {
            "not-found" => "image-missing",
            "access-denied" | "credentials" => "registry-denied",
            "throttled" => "registry-throttled",
            _ => "registry-unreachable",
        };
        Self::new(code, &failure.message)
    }

    /// The same, about the image with `digest`.
    pub(super) fn about(self, digest: &Digest) -> Self {
        Self { digest: Some(digest.clone()), ..self }
    }

    /// The same, on `platform`, where known.
    pub(super) fn on(self, platform: Option<&Platform>) -> Self {
        Self { platform: platform.cloned(), ..self }
    }
}
