//! Adapter: OCI registries through the distribution API, with few requests and within limits.
//!
//! Knows no stage: no bases, no lines, no policy.

mod allow;
mod artifact;
mod auth;
mod authorization;
mod blobs;
mod challenge;
mod client;
mod credential_source;
mod credentials;
mod ecr_host;
mod error;
mod error_response;
mod head;
mod helper;
mod host;
mod link;
mod login;
mod redirects;
mod referrers;
mod request_budget;
mod sent_secrets;
mod settings;
mod tag_page;
mod token;
mod verify;

use futures::future::{BoxFuture, ready};

#[cfg(test)]
pub(crate) use self::{
    challenge::parse as parse_challenges,
    error_response::message as refusal_message,
    link::{next as next_link, resolve as resolve_link},
};
pub use artifact::{Artifact, ArtifactLayer};
pub use client::DistributionClient;
pub use ecr_host::EcrHost;
pub use error::{CredentialsErrorKind, Error, MissingContent, Result};
pub use login::{AwsLogins, IssuedLogin, LoginError, Referrer, RegistryLogin};
pub use request_budget::RequestBudget;
pub use settings::{AuthSettings, HostSettings, NetworkSettings, SettingsError};

use crate::{
    http::ResponseBody,
    image::{Digest, DigestKind, ImageManifest, ManifestDocument, Reference, Repository, StatementDescriptor},
};

/// The host of ECR Public, which has its own tokens, rates and error codes.
const ECR_PUBLIC: &str = "public.ecr.aws";

/// The target of a tag, from a `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTarget {
    /// The validated digest.
    pub digest: Digest,
    /// Its kind, if the media type is one of the four.
    pub kind: Option<DigestKind>,
}

/// A manifest or index, verified by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedManifest {
    /// The digest of the body.
    pub digest: Digest,
    /// The body, parsed.
    pub document: ManifestDocument,
}

/// The tags of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagList {
    /// The tags, in the order of the registry.
    pub tags: Vec<String>,
    /// Whether every page was read. Absence from a list over the page limit proves nothing.
    pub is_complete: bool,
}

/// The OCI distribution API: `DistributionClient` for real registries, fakes for tests.
///
/// Every method fails with [`Error::NotAllowed`], without a request, if the registry is not on the allow-list, and with
/// [`Error::NotFound`] if the content does not exist.
pub trait Registry: Send + Sync {
    /// The digest of `reference` (by digest, else by tag): one `HEAD`, or a `GET` if the `HEAD` has no digest.
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<TagTarget>>;

    /// The manifest or index of `reference` (by digest, else by tag), verified by its digest.
    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<FetchedManifest>>;

    /// The image configuration of `manifest`, verified by its digest.
    fn config<'a>(
        &'a self,
        repository: &'a Repository,
        manifest: &'a ImageManifest,
    ) -> BoxFuture<'a, Result<ResponseBody>>;

    /// The in-toto statement of an attestation in `repository`, verified by its digest.
    fn statement<'a>(
        &'a self,
        repository: &'a Repository,
        statement: &'a StatementDescriptor,
    ) -> BoxFuture<'a, Result<ResponseBody>> {
        let missing = MissingContent::Statement(statement.digest.clone());
        Box::pin(ready(Err(Error::NotFound { repository: repository.clone(), missing, cache: None })))
    }

    /// The manifest digests of the referrers of `image` in `repository` that may hold provenance; empty if the registry
    /// does not list referrers.
    fn attestations<'a>(&'a self, repository: &'a Repository, image: &'a Digest) -> BoxFuture<'a, Result<Vec<Digest>>> {
        let _ = (repository, image);
        Box::pin(ready(Ok(Vec::new())))
    }

    /// All tags of `repository`, page by page.
    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>>;

    /// Whether the registry of `repository` is on the allow-list.
    fn is_allowed(&self, repository: &Repository) -> bool {
        let _ = repository;
        true
    }

    /// The repository of the pull-through cache or mirror that serves `repository` now; `None` if it is read directly.
    ///
    /// A cache is incomplete, and its tags may be outdated. Once a registry is read through a cache, it stays so for
    /// the lifetime of the client, so a call after a response is never wrong about it.
    fn cache_of(&self, repository: &Repository) -> Option<Repository> {
        let _ = repository;
        None
    }
}
