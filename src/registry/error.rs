//! What can go wrong at a registry, in the field's words. No variant ever holds a credential.

use std::{fmt, time::Duration};

use crate::{
    image::{Digest, Reference, Repository},
    redact::Redactor,
};

/// The result of asking a registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a registry gave no usable answer. Cheap to clone: one answer may serve many askers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The registry is not on the allow-list; nothing was sent.
    #[error("{registry} is not on the list of allowed registries")]
    NotAllowed {
        /// The host.
        registry: String,
    },
    /// What was asked for is not there.
    #[error("{}", not_found(repository, missing, cache.as_ref()))]
    NotFound {
        /// Where it was asked for.
        repository: Repository,
        /// What is not there.
        missing: Missing,
        /// The pull-through cache or mirror that gave the answer. What a cache lacks may exist upstream.
        cache: Option<Repository>,
    },
    /// The registry refused: no or insufficient credentials.
    #[error("{registry} denied access to {what}: {message}")]
    Denied {
        /// The host.
        registry: String,
        /// The HTTP status: 401 asks for other credentials, 403 and ECR Public's 400 refuse these.
        status: u16,
        /// What was asked for.
        what: String,
        /// What the registry said, shortened.
        message: String,
    },
    /// Credentials could not be had, or may not be sent where the registry wants them.
    #[error("no credentials for {registry}: {why}")]
    Credentials {
        /// The host.
        registry: String,
        /// Whether that is an answer, or only a failed attempt to get one.
        kind: CredentialsErrorKind,
        /// Why.
        why: String,
    },
    /// The registry throttled, and went on after all retries.
    #[error("{registry} is throttling requests")]
    RateLimited {
        /// The host.
        registry: String,
        /// How long it asked to wait, if it said.
        retry_after: Option<Duration>,
    },
    /// No connection, no answer in time, or a connection cut midway.
    #[error("{registry} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        registry: String,
        /// What failed, from the transport.
        why: String,
    },
    /// The registry failed (5xx), or answered what no registry should.
    #[error("{registry} answered {status} for {what}")]
    Status {
        /// The host.
        registry: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// A body is larger than its kind may be.
    #[error("{what} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A body does not hash to the digest it was asked by, or that was announced for it.
    #[error("the content of {what} has digest {actual} where {expected} was expected")]
    DigestMismatch {
        /// What was asked for.
        what: String,
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        actual: Digest,
    },
    /// The registry answered with a redirect that is not followed.
    #[error("{registry} answered {what} with {why}")]
    Redirected {
        /// The host.
        registry: String,
        /// What was asked for.
        what: String,
        /// The kind of redirect, and what helps.
        why: String,
    },
    /// An answer could not be understood.
    #[error("{what} is malformed: {why}")]
    Malformed {
        /// What was asked for.
        what: String,
        /// Why.
        why: String,
    },
}

/// Why there are no credentials for a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsErrorKind {
    /// There are none, they were refused, or they may not be sent there.
    Denied,
    /// The service that issues them throttled.
    Throttled,
    /// The service or program that issues them failed or gave no answer.
    Unreachable,
}

/// What a registry does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The tag: it was withdrawn, or never existed.
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

impl Missing {
    /// What is asked for by `reference`: its digest, else its tag.
    pub(super) fn from_reference(reference: &Reference) -> Self {
        match &reference.digest {
            Some(digest) => Self::Manifest(digest.clone()),
            None => Self::Tag(reference.tag.clone().unwrap_or_default()),
        }
    }
}

fn not_found(repository: &Repository, missing: &Missing, cache: Option<&Repository>) -> impl fmt::Display {
    let what = match missing {
        Missing::Tag(tag) => format!("the tag {repository}:{tag}"),
        Missing::Manifest(digest) => format!("the manifest {repository}@{digest}"),
        Missing::Configuration(digest) => format!("the configuration {repository}@{digest}"),
        Missing::Statement(digest) => format!("the statement {repository}@{digest}"),
        Missing::TagList => format!("the tag list of {repository}"),
    };
    match cache {
        Some(cache) => format!("{what} is not in {cache}, through which {} is read", repository.registry),
        None => format!("{what} is not there"),
    }
}

impl Error {
    /// The same, without the secrets that it quotes from what the registry said.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        // The rest says only what was asked for, where, and figures.
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

    /// The registry itself has nothing by `reference` (its digest, else its tag).
    #[must_use]
    pub fn not_found(reference: &Reference) -> Self {
        let missing = Missing::from_reference(reference);
        Self::NotFound { repository: reference.repository.clone(), missing, cache: None }
    }

    /// The same error with `missing` in `repository` named, where it says that `asked` was not found. A token server that
    /// is not there must not read as an image that is not.
    pub(super) fn naming(
        self,
        asked: &str,
        repository: &Repository,
        missing: Missing,
        cache: Option<Repository>,
    ) -> Self {
        match self {
            Self::Status { status: 404, what, .. } if what == asked => {
                Self::NotFound { repository: repository.clone(), missing, cache }
            }
            other => other,
        }
    }

    /// Whether the same request may succeed a little later; drives retries.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unreachable { .. } => true,
            Self::Credentials { kind, .. } => *kind != CredentialsErrorKind::Denied,
            Self::Status { status, .. } => matches!(status, 408 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}
