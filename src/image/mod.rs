//! The vocabulary: what an image is made of, in the OCI specification's words.
//!
//! Pure. Knows no registry, no clock and no policy; everything past the door is one of these types.

mod digest;
mod document;
mod facts;
mod host;
mod lambda_tag;
mod lenient;
mod platform;
mod reference;

pub use digest::{Digest, InvalidDigest};
pub use document::{CHILD_ANNOTATIONS, Child, DigestKind, Document, InvalidDocument, MANIFEST_MEDIA_TYPES, Manifest};
pub use facts::{Annotations, Content, ImageFacts, Index, is_plausible};
pub use host::{host_spellings, normalize_host, normalize_pattern};
pub use lambda_tag::{Arch, LambdaTag};
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidReference, Reference, Repository, is_tag};
