//! Ctrl-C: the first one asks the run to stop after what is under way, the second quits at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);

/// Starts listening. Without a handler Ctrl-C simply ends the process, which is safe too: what
/// was committed stays.
pub(super) fn listen() {
    let _ = ctrlc::set_handler(|| {
        if ASKED_TO_STOP.swap(true, Ordering::SeqCst) {
            // Now, whatever the other threads are doing: an orderly exit would take the libraries
            // apart under their feet, and may wait for them. What was committed is on disk.
            signal_hook::low_level::exit(130);
        }
    });
}

/// Breaks once Ctrl-C was pressed.
pub(super) fn check() -> ControlFlow<()> {
    if ASKED_TO_STOP.load(Ordering::SeqCst) {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
