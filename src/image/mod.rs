//! The vocabulary: images in the terms of the OCI specification.
//!
//! Pure: no registry, no clock, no policy. External input is parsed into these types.

mod arn;
mod attestation;
mod bounds;
mod build_history;
mod build_steps;
mod chain;
mod choose;
mod descriptor;
mod digest;
mod document;
mod error_code;
mod facts;
mod fingerprint;
mod host;
mod lambda_tag;
mod layout;
mod lenient;
mod look;
mod package_update;
mod partition;
mod platform;
mod provenance;
mod reference;
mod reference_text;
mod releases;
mod shell;

pub use arn::{AccountId, Arn, ArnParts, InvalidAwsName, Region, is_account_id, is_region};
pub use attestation::{Provenance, UnusableAttestation};
pub use bounds::{MESSAGE_BYTES, QUOTED_BYTES, VALUE_BYTES, clip, is_cut};
pub use build_history::{BuildHistory, BuilderBase, LayerDate};
pub use chain::{chain_id, chain_ids};
pub use choose::choose;
pub use descriptor::{
    CHILD_ANNOTATIONS, Child, DigestKind, MANIFEST_MEDIA_TYPES, is_provenance_referrer, may_hold_provenance,
    provenance_referrers,
};
pub use digest::{Digest, InvalidDigest};
pub use document::{Document, InvalidDocument, Manifest, Statement};
pub use error_code::ErrorCode;
pub use facts::{Annotations, Content, ImageFacts, Index, is_plausible};
pub use fingerprint::{DotnetVersion, Fingerprint, LambdaSign};
pub use host::{DOCKER_HUB, host_spellings, normalize_host, normalize_pattern};
pub use lambda_tag::{Arch, LambdaTag};
pub use layout::{LayoutEntry, layout_entries};
pub(crate) use lenient::each_entry;
pub use look::{Look, RootFileSystem};
pub use package_update::{PackageManager, PackageUpdate};
pub use partition::Partition;
pub use platform::{InvalidPlatform, Platform};
pub use provenance::{BuildMaterial, build_materials, is_provenance};
pub use reference::{InvalidReference, Reference, Repository, is_tag};
pub use reference_text::ReferenceText;
pub use releases::{MatchedPrefix, PlatformRelease, ReleaseOf, Releases};
