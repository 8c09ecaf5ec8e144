//! The numbers a run ends with.

use std::process::ExitCode;

/// How a run ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitStatus {
    /// Something was found or done.
    Found,
    /// Nothing was found.
    Nothing,
    /// Something went wrong; a line on stderr says what.
    Error,
    /// Stopped by Ctrl-C; what was finished is kept.
    Interrupted,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Found => 0,
            ExitStatus::Nothing => 1,
            ExitStatus::Error => 2,
            // What shells report for a process ended by SIGINT.
            ExitStatus::Interrupted => 130,
        })
    }
}
