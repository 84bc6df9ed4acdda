//! How a request to AWS or to a registry failed, as a code: the `code` in `errors` of a report.

use std::fmt;

/// How a request to AWS or to a registry failed, in the order of the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The caller is not permitted.
    AccessDenied,
    /// There are no credentials, or they have expired or were refused.
    Credentials,
    /// Any other failure.
    Failed,
    /// The response is incomplete.
    Incomplete,
    /// The response, or a file, cannot be parsed.
    Malformed,
    /// What was requested does not exist.
    NotFound,
    /// The request was throttled, after all retries.
    Throttled,
    /// There was no connection, no response in time, or a server error from a registry.
    Unreachable,
}

impl ErrorCode {
    /// The code in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access-denied",
            Self::Credentials => "credentials",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::Malformed => "malformed",
            Self::NotFound => "not-found",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
