//! Adapter: OCI registries through the distribution API, with few requests and within limits.
//!
//! Knows no stage: no bases, no lines, no policy.

mod allow;
mod allowance;
mod artifact;
mod auth;
mod blobs;
mod budget;
mod challenge;
mod client;
mod credentials;
mod ecr_host;
mod error;
mod grant;
mod head;
mod helper;
mod host;
mod http_client;
mod link;
mod login;
mod loopback;
mod outage;
mod proxy;
mod redirect;
mod referrers;
mod refusal;
mod requests;
mod sent;
mod settings;
mod tag_page;
mod time_budget;
mod token;
mod transport;
mod verify;

use futures::future::{BoxFuture, ready};

#[cfg(test)]
pub(crate) use self::{
    challenge::parse as parse_challenges,
    link::{next as next_link, resolve as resolve_link},
    refusal::message as refusal_message,
};
pub use allowance::RequestAllowance;
pub use artifact::{Artifact, ArtifactLayer};
pub use budget::Body;
pub use client::DistributionClient;
pub use ecr_host::EcrHost;
pub use error::{CredentialsErrorKind, Error, Missing, Result};
pub use login::{AwsLogins, Issued, Login, LoginError, Referrer};
pub use loopback::{Behaviour, ImageSpec, LoggedRequest, Loopback, Stock};
pub(crate) use proxy::{WANTS_LOGIN, proxy_failure};
pub(crate) use refusal::one_line;
pub use requests::{RequestKind, Requests};
pub use settings::{Auth, HostSettings, NetworkSettings, SettingsError};

use crate::image::{Digest, DigestKind, Document, Manifest, Reference, Repository, Statement};

/// The host of ECR Public, whose tokens, rates and answers are its own.
const ECR_PUBLIC: &str = "public.ecr.aws";

/// What a tag points at, by `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The validated digest.
    pub digest: Digest,
    /// What it names, if the media type was one of the four.
    pub kind: Option<DigestKind>,
}

/// A manifest or index whose bytes hash to its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The digest of the body.
    pub digest: Digest,
    /// The body, parsed.
    pub document: Document,
}

/// The tags of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagList {
    /// The tags, in whatever order the registry gives them.
    pub tags: Vec<String>,
    /// Whether every page was read; a list that hit the page limit proves nothing by absence.
    pub is_complete: bool,
}

/// Registries by the distribution API: `DistributionClient` for the real ones, fakes for tests.
///
/// Every method fails with [`Error::NotAllowed`] without a request when the registry is not on the
/// allow-list, and with [`Error::NotFound`] when what is asked for is not there.
pub trait Registry: Send + Sync {
    /// What `reference` (its digest, else its tag) points at now: one `HEAD`, or a `GET` where `HEAD`
    /// carries no digest.
    fn head<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Pointer>>;

    /// The manifest or index of `reference` (its digest, else its tag), verified against its digest.
    fn manifest<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Fetched>>;

    /// The image configuration that `manifest` names, verified against its digest.
    fn config<'a>(&'a self, repository: &'a Repository, manifest: &'a Manifest) -> BoxFuture<'a, Result<Body>>;

    /// The in-toto statement that an attestation in `repository` names, verified against its digest.
    fn statement<'a>(&'a self, repository: &'a Repository, statement: &'a Statement) -> BoxFuture<'a, Result<Body>> {
        let missing = Missing::Statement(statement.digest.clone());
        Box::pin(ready(Err(Error::NotFound { repository: repository.clone(), missing, cache: None })))
    }

    /// The attestations that refer to `image` in `repository` and may hold provenance, by the digests of their manifests;
    /// none where the registry does not say what refers to an image.
    fn attestations<'a>(&'a self, repository: &'a Repository, image: &'a Digest) -> BoxFuture<'a, Result<Vec<Digest>>> {
        let _ = (repository, image);
        Box::pin(ready(Ok(Vec::new())))
    }

    /// All tags of `repository`, page by page.
    fn tags<'a>(&'a self, repository: &'a Repository) -> BoxFuture<'a, Result<TagList>>;

    /// Whether `repository` may be asked at all: whether its registry is on the allow-list.
    fn may_ask(&self, repository: &Repository) -> bool {
        let _ = repository;
        true
    }

    /// The repository of the pull-through cache or mirror through which `repository` is read now; `None` where it is
    /// read itself.
    ///
    /// A cache has only what was pulled through it, and its tags may lag behind. Once a registry is read through a
    /// cache, it stays so for the life of the client: asked after an answer, this never misses that a cache gave it.
    fn cache_of(&self, repository: &Repository) -> Option<Repository> {
        let _ = repository;
        None
    }
}
