//! Maps errors of registries and AWS to reason codes of unreadable images.

use super::ImageError;
use crate::{
    aws::AwsError,
    image::{Digest, ErrorCode, MESSAGE_BYTES, Platform, clip},
    registry::{CredentialsErrorKind, Error, MissingContent},
};

/// Why an image cannot be read. Each is a reason code of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageErrorCode {
    /// AWS does not return the digest that runs.
    DigestUnknown,
    /// The image is archived in its repository.
    ImageArchived,
    /// Its manifest or configuration cannot be understood.
    ImageMalformed,
    /// The repository does not have it.
    ImageMissing,
    /// The pull-through cache or mirror that is read does not have it.
    NotCached,
    /// The registry refused access.
    RegistryDenied,
    /// The registry has a tag or an index, but not what it points at.
    RegistryIncomplete,
    /// The registry returned a wrong digest, or a malformed or oversized document.
    RegistryMalformed,
    /// The registry is not on the allow-list; nothing was sent.
    RegistryNotAllowed,
    /// The registry throttled the request, after all retries.
    RegistryThrottled,
    /// The registry cannot be reached, or fails.
    RegistryUnreachable,
}

impl ImageError {
    /// An error with the reason code `code`.
    pub(super) fn new(code: ImageErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: clip(message, MESSAGE_BYTES), digest: None, platform: None }
    }

    /// The error of an image for which the registry returned `error`.
    pub(super) fn from_registry(error: &Error) -> Self {
        let code = match error {
            Error::NotFound { cache: Some(_), .. } => ImageErrorCode::NotCached,
            Error::NotFound { missing: MissingContent::Configuration(_), .. } => ImageErrorCode::RegistryIncomplete,
            Error::NotFound { .. } => ImageErrorCode::ImageMissing,
            Error::Denied { .. } | Error::Credentials { kind: CredentialsErrorKind::Denied, .. } => {
                ImageErrorCode::RegistryDenied
            }
            Error::NotAllowed { .. } => ImageErrorCode::RegistryNotAllowed,
            Error::RateLimited { .. } | Error::Credentials { kind: CredentialsErrorKind::Throttled, .. } => {
                ImageErrorCode::RegistryThrottled
            }
            Error::Unreachable { .. }
            | Error::Status { .. }
            | Error::Credentials { kind: CredentialsErrorKind::Unreachable, .. } => ImageErrorCode::RegistryUnreachable,
            Error::TooLarge { .. } | Error::DigestMismatch { .. } | Error::Redirected { .. } => {
                ImageErrorCode::RegistryMalformed
            }
            Error::Malformed { .. } => ImageErrorCode::ImageMalformed,
        };
        Self::new(code, error.to_string())
    }

    /// The error of the images of a failed AWS call.
    pub(super) fn from_aws(failure: &AwsError) -> Self {
        let code = match failure.code {
            ErrorCode::NotFound => ImageErrorCode::ImageMissing,
            ErrorCode::AccessDenied | ErrorCode::Credentials => ImageErrorCode::RegistryDenied,
            ErrorCode::Throttled => ImageErrorCode::RegistryThrottled,
            _ => ImageErrorCode::RegistryUnreachable,
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
