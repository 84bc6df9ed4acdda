//! Errors of manifests, indexes, configurations and attestations.

use super::{MESSAGE_BYTES, QUOTED_BYTES, clip};

/// The most images of an index that are read. Each costs two requests; an index of a few megabytes can list ten
/// thousand.
pub(super) const INDEX_IMAGES: usize = 128;

/// Why a document is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// The media type is not one of the four.
    #[error("media type {0:?} is not an image manifest or index")]
    MediaType(String),
    /// Header and body have different media types.
    #[error("it is served as {served}, but its mediaType is {stated}")]
    Contradiction {
        /// The `Content-Type` of the response.
        served: String,
        /// The `mediaType` in the body.
        stated: String,
    },
    /// The body has the fields of a manifest and of an index, so that readers could interpret it differently.
    #[error("it has the fields of both a manifest and an index")]
    Ambiguous,
    /// The index lists too many images.
    #[error("its index lists {0} images; at most {INDEX_IMAGES} are read")]
    TooManyImages(usize),
    /// The body is not JSON of the expected shape.
    #[error("it does not parse: {0}")]
    Json(String),
}

impl InvalidDocument {
    /// The body is not JSON of the expected shape; `why` may quote it.
    pub(super) fn json(why: impl std::fmt::Display) -> Self {
        Self::Json(clip(why.to_string(), MESSAGE_BYTES))
    }

    /// The media type is not one of the four.
    pub(super) fn media_type(media_type: &str) -> Self {
        Self::MediaType(clip(media_type, QUOTED_BYTES))
    }
}
