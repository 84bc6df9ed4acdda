//! Errors of registries. No variant ever holds a credential.

use std::{fmt, time::Duration};

use crate::{
    http::Redactor,
    image::{Digest, Reference, Repository},
};

/// The result of a request to a registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request to a registry failed. Cheap to clone, because one result may serve many callers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The registry is not on the allow-list; nothing was sent.
    #[error("{registry} is not on the list of allowed registries")]
    NotAllowed {
        /// The host.
        registry: String,
    },
    /// The requested content was not found.
    #[error("{}", not_found(repository, missing, cache.as_ref()))]
    NotFound {
        /// The repository.
        repository: Repository,
        /// The missing content.
        missing: MissingContent,
        /// The pull-through cache or mirror that responded. Content that a cache lacks may exist upstream.
        cache: Option<Repository>,
    },
    /// The registry denied access: no or insufficient credentials.
    #[error("{registry} denied access to {what}: {message}")]
    Denied {
        /// The host.
        registry: String,
        /// The HTTP status: 401 demands other credentials; 403, and 400 of ECR Public, deny these.
        status: u16,
        /// The requested content.
        what: String,
        /// The message of the registry, shortened.
        message: String,
    },
    /// There are no credentials, or they must not be sent to the token server of the registry.
    #[error("no credentials for {registry}: {why}")]
    Credentials {
        /// The host.
        registry: String,
        /// Whether they were denied, or the attempt failed.
        kind: CredentialsErrorKind,
        /// Why.
        why: String,
    },
    /// The registry throttled all attempts.
    #[error("{registry} is throttling requests")]
    RateLimited {
        /// The host.
        registry: String,
        /// The requested wait, if any.
        retry_after: Option<Duration>,
    },
    /// No connection, a timeout, or an interrupted connection.
    #[error("{registry} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        registry: String,
        /// The error of the transport.
        why: String,
    },
    /// The registry returned a server error (5xx) or an unexpected status.
    #[error("{registry} answered {status} for {what}")]
    Status {
        /// The host.
        registry: String,
        /// The HTTP status.
        status: u16,
        /// The requested content.
        what: String,
    },
    /// A body exceeds the size limit of its kind.
    #[error("{what} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The requested content.
        what: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A body does not have the requested or announced digest.
    #[error("the content of {what} has digest {actual}, expected {expected}")]
    DigestMismatch {
        /// The requested content.
        what: String,
        /// The expected digest.
        expected: Digest,
        /// The actual digest.
        actual: Digest,
    },
    /// The registry returned a redirect that is not followed.
    #[error("{registry} answered {what} with {why}")]
    Redirected {
        /// The host.
        registry: String,
        /// The requested content.
        what: String,
        /// The kind of redirect, and the remedy.
        why: String,
    },
    /// A response is malformed.
    #[error("{what} is malformed: {why}")]
    Malformed {
        /// The requested content.
        what: String,
        /// Why.
        why: String,
    },
}

/// The kind of a credentials error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsErrorKind {
    /// There are none, they were refused, or they may not be sent there.
    Denied,
    /// The service that issues them throttled.
    Throttled,
    /// The service or program that issues them failed or timed out.
    Unreachable,
}

/// Content that a registry does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingContent {
    /// The tag: it was withdrawn or never published.
    Tag(String),
    /// The manifest or index with this digest.
    Manifest(Digest),
    /// The image configuration with this digest, which a manifest names.
    Configuration(Digest),
    /// The in-toto statement with this digest, which an attestation names.
    Statement(Digest),
    /// The tag list of the repository.
    TagList,
}

impl MissingContent {
    /// The content of `reference`: by digest, else by tag.
    pub(super) fn from_reference(reference: &Reference) -> Self {
        match &reference.digest {
            Some(digest) => Self::Manifest(digest.clone()),
            None => Self::Tag(reference.tag.clone().unwrap_or_default()),
        }
    }
}

fn not_found(repository: &Repository, missing: &MissingContent, cache: Option<&Repository>) -> impl fmt::Display {
    let what = match missing {
        MissingContent::Tag(tag) => format!("the tag {repository}:{tag}"),
        MissingContent::Manifest(digest) => format!("the manifest {repository}@{digest}"),
        MissingContent::Configuration(digest) => format!("the configuration {repository}@{digest}"),
        MissingContent::Statement(digest) => format!("the statement {repository}@{digest}"),
        MissingContent::TagList => format!("the tag list of {repository}"),
    };
    match cache {
        Some(cache) => format!("{what} is not in {cache}, through which {} is read", repository.registry),
        None => format!("{what} was not found"),
    }
}

impl Error {
    /// The same, with secrets redacted from quoted messages.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        // The other variants quote no message of the registry.
        if let Self::Denied { message: quoted, .. }
        | Self::Credentials { why: quoted, .. }
        | Self::Unreachable { why: quoted, .. }
        | Self::Redirected { why: quoted, .. }
        | Self::Malformed { why: quoted, .. } = &mut self
        {
            *quoted = redactor.redact(quoted);
        }
        self
    }

    /// The error that the registry does not have `reference` (by digest, else by tag).
    #[must_use]
    pub fn not_found(reference: &Reference) -> Self {
        let missing = MissingContent::from_reference(reference);
        Self::NotFound { repository: reference.repository.clone(), missing, cache: None }
    }
}
