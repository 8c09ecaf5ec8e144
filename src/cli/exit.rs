//! How a run ends: exit codes, and Ctrl-C.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitStatus {
    /// Something was found or done.
    Found,
    /// Nothing was found.
    Nothing,
    /// An error, reported on stderr.
    Error,
    /// Interrupted by Ctrl-C; committed work is kept.
    Interrupted,
}

impl ExitStatus {
    fn number(self) -> u8 {
        match self {
            Self::Found => 0,
            Self::Nothing => 1,
            Self::Error => 2,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.number())
    }
}

/// Ends the process without an orderly exit, which would unload ONNX Runtime and take a twentieth
/// of the time of a search. Everything must have been written.
pub(super) fn at_once(status: ExitStatus) -> ! {
    signal_hook::low_level::exit(status.number().into())
}

/// What shells report for a process ended by SIGINT.
const INTERRUPTED: u8 = 130;

static STOP_REQUESTED: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C request a stop, and the second exit at once. Without this, Ctrl-C just
/// ends the process, which is safe too: what was committed stays.
pub(super) fn catch_ctrl_c() {
    let _ = ctrlc::set_handler(|| {
        if STOP_REQUESTED.swap(true, Ordering::SeqCst) {
            // An orderly exit would unload libraries while other threads run in them, and may wait
            // for those threads.
            signal_hook::low_level::exit(INTERRUPTED.into());
        }
    });
}

/// Breaks once Ctrl-C was pressed.
pub(super) fn check_ctrl_c() -> ControlFlow<()> {
    if STOP_REQUESTED.load(Ordering::SeqCst) {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Is done once Ctrl-C was pressed.
#[cfg(feature = "serve")]
pub(super) async fn stopped() {
    while check_ctrl_c().is_continue() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
