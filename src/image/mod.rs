//! Images in the terms of the OCI specification.
//!
//! Pure: no registry, no clock, no policy. External input is parsed into these types.

mod arn;
mod attestation;
mod bounds;
mod build_history;
mod build_steps;
mod chain;
mod choose_child;
mod descriptor;
mod digest;
mod document;
mod error_code;
mod facts;
mod fingerprint;
mod host;
mod invalid_document;
mod known_region;
mod lambda_tag;
mod layout;
mod lenient;
mod package_update;
mod partition;
mod platform;
mod profile;
mod provenance;
mod reference;
mod reference_text;
mod release_index;
mod shell;

pub use arn::{AccountId, Arn, ArnParts, InvalidAwsName, Region, is_account_id, is_region};
pub use bounds::{MESSAGE_BYTES, QUOTED_BYTES, VALUE_BYTES, clip, is_cut};
pub use build_history::{BuildHistory, BuilderBase, LayerDate};
pub use chain::{chain_id, chain_ids};
pub use choose_child::choose_child;
pub use descriptor::{
    CHILD_ANNOTATIONS, ChildManifest, DigestKind, MANIFEST_MEDIA_TYPES, is_provenance_referrer, may_hold_provenance,
    provenance_referrers,
};
pub use digest::{Digest, InvalidDigest};
pub use document::{ImageIndex, ImageManifest, ManifestDocument, StatementDescriptor};
pub use error_code::ErrorCode;
pub use facts::{DigestContent, ImageFacts, is_plausible};
pub use fingerprint::{DotnetVersion, LambdaFingerprint, LambdaSign};
pub use host::{DOCKER_HUB, host_spellings, normalize_host, normalize_pattern};
pub use invalid_document::InvalidDocument;
pub use known_region::misspelt_region;
pub use lambda_tag::{LambdaArch, LambdaTag};
pub use layout::{LayoutEntry, layout_entries};
pub use lenient::Annotations;
pub(crate) use lenient::each_entry;
pub use package_update::{PackageManager, PackageUpdate};
pub use partition::AwsPartition;
pub use platform::{InvalidPlatform, Platform};
pub use profile::{ImageProfile, RootFileSystem};
pub use provenance::{BuildMaterial, Provenance, UnusableAttestation, build_materials, is_provenance};
pub use reference::{InvalidReference, Reference, Repository, is_tag};
pub use reference_text::ReferenceText;
pub use release_index::{MatchedPrefix, PlatformRelease, ReleaseIndex, RepositoryRelease};
