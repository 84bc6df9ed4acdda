//! What kept something from being known, or contradicts something else.

use crate::{
    image::{Digest, ErrorCode, MESSAGE_BYTES, Repository, clip},
    registry::{self, CredentialsErrorKind, Missing},
};

/// Something that could not be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort of problem.
    pub kind: ProblemKind,
    /// What happened, for people.
    pub message: String,
    /// What failed, where a registry did not give what it should have: then the resolution is incomplete. `None` for
    /// what is true of the base or its line, and for what cannot be known.
    pub failure: Option<ErrorCode>,
}

/// The sorts of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The registry is not on the allow-list.
    NotAllowed,
    /// The registry refused.
    Denied,
    /// The registry cannot be reached, or fails.
    Unreachable,
    /// The registry throttles.
    Throttled,
    /// The registry answered what it must not.
    Malformed,
    /// The registry has a tag or an index, and not what that points at: a push or a copy that was never finished.
    ContentMissing,
    /// The tag list, and so the line's history, could not be read, or only in part.
    HistoryUnreadable,
    /// The pull-through cache or mirror that is read does not have it; upstream may.
    NotCached,
    /// The answers are those of a pull-through cache or mirror.
    ReadThroughCache,
    /// The base in use is not in its registry any more.
    BaseMissing,
    /// The image records no digest of its base.
    DigestUnrecorded,
    /// The recorded tag carries another digest than the recorded one.
    TagContradicted,
    /// No line is known.
    LineUnknown,
    /// The line's moving tag is not there: it was withdrawn, or never existed.
    LineMissing,
    /// The line has no image for the platform.
    PlatformMissing,
    /// All known releases of the line are held.
    LineHeld,
}

impl Problem {
    /// A problem that is no failure of a registry.
    pub(super) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: clip(message, MESSAGE_BYTES), failure: None }
    }

    /// What a registry's `error` means for what `about` names, a base or a line; `missing` is what it means that the tag
    /// or the manifest with `digest` is not there. That anything else is not there is a fault of the registry, which has
    /// what points at it.
    pub(super) fn from_error(
        error: &registry::Error,
        about: &str,
        digest: Option<&Digest>,
        missing: ProblemKind,
    ) -> Self {
        use registry::Error as E;
        let (kind, failure) = match error {
            E::NotFound { cache: Some(_), .. } => (ProblemKind::NotCached, None),
            E::NotFound { missing: Missing::Tag(_), .. } => (missing, None),
            E::NotFound { missing: Missing::Manifest(gone), .. } if Some(gone) == digest => (missing, None),
            E::NotFound { .. } => {
                let message = format!("{about} is incomplete in its registry: {error}");
                return Self { failure: Some(ErrorCode::NotFound), ..Self::new(ProblemKind::ContentMissing, message) };
            }
            E::NotAllowed { .. } => (ProblemKind::NotAllowed, None),
            E::Denied { .. } | E::Credentials { kind: CredentialsErrorKind::Denied, .. } => {
                (ProblemKind::Denied, Some(ErrorCode::AccessDenied))
            }
            E::RateLimited { .. } | E::Credentials { kind: CredentialsErrorKind::Throttled, .. } => {
                (ProblemKind::Throttled, Some(ErrorCode::Throttled))
            }
            E::Unreachable { .. }
            | E::Status { .. }
            | E::Credentials { kind: CredentialsErrorKind::Unreachable, .. } => {
                (ProblemKind::Unreachable, Some(ErrorCode::Unreachable))
            }
            E::TooLarge { .. } | E::DigestMismatch { .. } | E::Redirected { .. } | E::Malformed { .. } => {
                (ProblemKind::Malformed, Some(ErrorCode::Malformed))
            }
        };
        Self { failure, ..Self::new(kind, error.to_string()) }
    }

    /// That the history of `repository` is not known because of `error`; `None` where a cache has no list of it, which is
    /// no failure of the cache.
    pub(super) fn unreadable_history(repository: &Repository, error: &registry::Error) -> Option<Self> {
        let failure = match error {
            registry::Error::NotFound { cache: Some(_), .. } => return None,
            registry::Error::NotFound { .. } => Some(ErrorCode::NotFound),
            error => Self::from_error(error, "", None, ProblemKind::HistoryUnreadable).failure,
        };
        let message = format!(
            "the release history of {repository} could not be read, so it may be further behind than is known: {error}"
        );
        Some(Self { failure, ..Self::new(ProblemKind::HistoryUnreadable, message) })
    }

    /// That only a part of the history of `repository` is known: `why`.
    pub(super) fn partial_history(repository: &Repository, why: &str) -> Self {
        let message = format!(
            "only a part of the release history of {repository} could be read, so it may be further behind than is \
             known: {why}"
        );
        Self { failure: Some(ErrorCode::Incomplete), ..Self::new(ProblemKind::HistoryUnreadable, message) }
    }

    /// Whether the base could not be read because of it, so that asking once more is of no use.
    pub(super) fn keeps_from_reading(&self) -> bool {
        !matches!(
            self.kind,
            ProblemKind::TagContradicted | ProblemKind::HistoryUnreadable | ProblemKind::ReadThroughCache
        )
    }
}
