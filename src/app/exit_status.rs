//! The exit status of the process.

use std::process::ExitCode;

/// The exit status of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// No finding is at or above `--fail-on`.
    Clean = 0,
    /// At least one finding is at or above `--fail-on`.
    Failed = 1,
    /// The command could not start: invalid usage or configuration, or no credentials.
    CannotStart = 2,
    /// No finding is at or above `--fail-on`, but the audit is incomplete or most of the fleet is unknown.
    Incomplete = 3,
    /// Interrupted by SIGINT: 128 plus the signal number, as in shells.
    Interrupted = 130,
    /// Terminated by SIGTERM.
    Terminated = 143,
}

impl ExitStatus {
    /// All statuses, in the order of their codes.
    pub const ALL: [Self; 6] =
        [Self::Clean, Self::Failed, Self::CannotStart, Self::Incomplete, Self::Interrupted, Self::Terminated];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(exit: ExitStatus) -> Self {
        exit.code().into()
    }
}
