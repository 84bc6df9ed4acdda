//! Problems of a resolution: what could not be read, and what contradicts something else.

use crate::{
    image::{Digest, ErrorCode, MESSAGE_BYTES, Repository, clip},
    registry::{self, CredentialsErrorKind, MissingContent},
};

/// One problem of a resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolutionProblem {
    /// The kind, which becomes a reason code.
    pub kind: ProblemKind,
    /// The message for people.
    pub message: String,
    /// The failure of the registry that makes the resolution incomplete; `None` for a property of the base or its line.
    pub failure: Option<ErrorCode>,
}

/// The kinds of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The registry is not on the allow-list.
    NotAllowed,
    /// The registry refused.
    Denied,
    /// The registry cannot be reached, or responds with a server error.
    Unreachable,
    /// The registry throttles.
    Throttled,
    /// The registry returned a malformed response.
    Malformed,
    /// The registry has a tag or an index, but not the manifest that it points at: an unfinished push or copy.
    ContentMissing,
    /// The tag list, and with it the line's history, could not be read completely.
    HistoryUnreadable,
    /// The pull-through cache or mirror does not have it; upstream may.
    NotCached,
    /// The responses come from a pull-through cache or mirror.
    ReadThroughCache,
    /// The base in use was deleted from its registry.
    BaseMissing,
    /// The image records no digest of its base.
    DigestUnrecorded,
    /// The recorded tag points at a digest other than the recorded one.
    TagContradicted,
    /// The release line is unknown.
    LineUnknown,
    /// The line's moving tag does not exist: it was withdrawn or never published.
    LineMissing,
    /// The line has no image for the platform.
    PlatformMissing,
    /// All known releases of the line are held.
    LineHeld,
}

impl ResolutionProblem {
    /// A problem that is not a failure of a registry.
    pub(super) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: clip(message, MESSAGE_BYTES), failure: None }
    }

    /// The problem that a registry's `error` is for `about`, a base or a line. `missing` is the kind if the tag or the
    /// manifest `digest` is not found; if anything else is not found, the registry itself is incomplete.
    pub(super) fn from_error(
        error: &registry::Error,
        about: &str,
        digest: Option<&Digest>,
        missing: ProblemKind,
    ) -> Self {
        use registry::Error as E;
        let (kind, failure) = match error {
            E::NotFound { cache: Some(_), .. } => (ProblemKind::NotCached, None),
            E::NotFound { missing: MissingContent::Tag(_), .. } => (missing, None),
            E::NotFound { missing: MissingContent::Manifest(gone), .. } if Some(gone) == digest => (missing, None),
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

    /// The problem that the history of `repository` cannot be read because of `error`; `None` if a pull-through cache
    /// has no tag list, which is normal.
    pub(super) fn unreadable_history(repository: &Repository, error: &registry::Error) -> Option<Self> {
        let failure = match error {
            registry::Error::NotFound { cache: Some(_), .. } => return None,
            registry::Error::NotFound { .. } => Some(ErrorCode::NotFound),
            error => Self::from_error(error, "", None, ProblemKind::HistoryUnreadable).failure,
        };
        let message = format!(
            "the release history of {repository} could not be read, so the base may be further behind than shown: {error}"
        );
        Some(Self { failure, ..Self::new(ProblemKind::HistoryUnreadable, message) })
    }

    /// The problem that only a part of the history of `repository` could be read.
    pub(super) fn partial_history(repository: &Repository, why: &str) -> Self {
        let message = format!(
            "only a part of the release history of {repository} could be read, so the base may be further behind than \
             shown: {why}"
        );
        Self { failure: Some(ErrorCode::Incomplete), ..Self::new(ProblemKind::HistoryUnreadable, message) }
    }

    /// Whether the base could not be read because of it, so that another request would not help.
    pub(super) fn keeps_from_reading(&self) -> bool {
        !matches!(
            self.kind,
            ProblemKind::TagContradicted | ProblemKind::HistoryUnreadable | ProblemKind::ReadThroughCache
        )
    }
}
