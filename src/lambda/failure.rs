//! Errors of invocations.

use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::image::clip;

/// The maximum length of a message, in bytes. A configuration may have many problems.
const MESSAGE_BYTES: usize = 16 * 1024;

/// The response of an invocation.
pub(super) type InvocationResult = Result<Value, InvocationFailure>;

/// A failed invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvocationFailure {
    pub(super) kind: InvocationFailureKind,
    pub(super) message: String,
}

/// The error type that Lambda reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvocationFailureKind {
    /// The event is not supported. A retry does not help.
    UnknownEvent,
    /// The configuration cannot be read or is invalid.
    Configuration,
    /// The run failed.
    Failed,
    /// The invocation timed out; the next one continues.
    Unfinished,
}

impl InvocationFailureKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEvent => "Basewatch.UnknownEvent",
            Self::Configuration => "Basewatch.Configuration",
            Self::Failed => "Basewatch.Failed",
            Self::Unfinished => "Basewatch.Unfinished",
        }
    }
}

impl InvocationFailure {
    pub(super) fn new(kind: InvocationFailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: clip(message, MESSAGE_BYTES) }
    }

    /// `error` with its causes.
    pub(super) fn from_error(kind: InvocationFailureKind, error: &anyhow::Error) -> Self {
        Self::new(kind, format!("{error:#}"))
    }

    /// The invocation timed out before `what`.
    pub(super) fn timed_out(what: &str) -> Self {
        let message = format!(
            "timed out before {what}; the next invocation continues. If this happens repeatedly, increase the timeout \
            or memory of the function"
        );
        Self::new(InvocationFailureKind::Unfinished, message)
    }
}

impl From<InvocationFailure> for Diagnostic {
    fn from(failure: InvocationFailure) -> Self {
        Self { error_type: failure.kind.as_str().to_owned(), error_message: failure.message }
    }
}
