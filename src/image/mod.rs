//! The vocabulary: what an image is made of, in the OCI specification's words.
//!
//! Pure. Knows no registry, no clock and no policy; everything past the door is one of these types.

mod bounds;
mod digest;
mod document;
mod facts;
mod lambda_tag;
mod lenient;
mod platform;
mod reference;

pub use bounds::{MESSAGE_BYTES, VALUE_BYTES, clip, is_cut};
pub use digest::{Digest, InvalidDigest};
pub use document::{CHILD_ANNOTATIONS, Child, DigestKind, Document, InvalidDocument, MANIFEST_MEDIA_TYPES, Manifest};
pub use facts::{Annotations, Content, ImageFacts, Index, is_plausible};
pub use lambda_tag::{Arch, LambdaTag};
pub(crate) use lenient::each_entry;
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidReference, Reference, Repository, is_tag};
