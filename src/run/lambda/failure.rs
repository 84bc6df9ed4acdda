//! Why did an invocation fail, as Lambda and whoever invoked it are told?

use lambda_runtime::Diagnostic;

use crate::image::clip;

/// How much of what went wrong is told, in bytes: configurations may have many mistakes at once.
const MESSAGE_BYTES: usize = 16 * 1024;

/// A failed invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
}

/// What sort of failure it is: the error type that Lambda shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The event is none that is understood. Trying again changes nothing.
    UnknownEvent,
    /// The configuration cannot be read, or is wrong.
    Configuration,
    /// It could not be done.
    Failed,
    /// The time was over; the next try goes on.
    Unfinished,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEvent => "Basewatch.UnknownEvent",
            Self::Configuration => "Basewatch.Configuration",
            Self::Failed => "Basewatch.Failed",
            Self::Unfinished => "Basewatch.Unfinished",
        }
    }
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: clip(message, MESSAGE_BYTES) }
    }

    /// `error` with its causes.
    pub(super) fn of(kind: Kind, error: &anyhow::Error) -> Self {
        Self::new(kind, format!("{error:#}"))
    }

    /// The time was over before `what` was done.
    pub(super) fn unfinished(what: &str) -> Self {
        let message = format!(
            "unfinished: the time of this invocation was over before {what}; what was learned is kept, and the next \
             one goes on from there. If that happens again and again, give the function more time or memory"
        );
        Self::new(Kind::Unfinished, message)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.kind.as_str().to_owned(), error_message: failure.message }
    }
}
