//! What kept something from being known, or contradicts something else.

use crate::{
    image::{MESSAGE_BYTES, clip},
    registry,
};

/// Something that could not be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort of problem.
    pub kind: ProblemKind,
    /// What happened, for people.
    pub message: String,
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
    /// The base in use is not in its registry any more.
    BaseMissing,
    /// The image records no digest of its base.
    DigestUnrecorded,
    /// The recorded tag carries another digest than the recorded one.
    TagContradicted,
    /// No line could be told, or none that exists.
    LineUnknown,
    /// The line has no image for the platform.
    PlatformMissing,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: clip(message, MESSAGE_BYTES) }
    }

    /// The problem of a registry's `error`; `missing` is what it means that something is not there.
    pub(super) fn of(error: &registry::Error, missing: ProblemKind) -> Self {
        use registry::Error as E;
        let kind = match error {
            E::NotFound { .. } => missing,
            E::NotAllowed { .. } => ProblemKind::NotAllowed,
            E::Denied { .. } | E::Credentials { .. } => ProblemKind::Denied,
            E::RateLimited { .. } => ProblemKind::Throttled,
            E::Unreachable { .. } | E::Status { .. } => ProblemKind::Unreachable,
            E::TooLarge { .. } | E::DigestMismatch { .. } | E::Malformed { .. } => ProblemKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}
