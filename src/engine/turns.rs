//! Index runs of one engine take turns: two at once would meet at the writer's lock, and the second
//! would fail.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::report::{FirstRuns, OnProgress, Progress, Stage};

/// How often a run that waits asks whether it is to be stopped.
const INTERVAL: Duration = Duration::from_millis(50);

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns(Mutex<()>);

impl Turns {
    /// Waits until no other run is in progress, reporting [`Stage::Waiting`]. `None` when
    /// `progress` stops it meanwhile.
    pub(super) fn wait(&self, progress: &mut OnProgress<'_>) -> Option<MutexGuard<'_, ()>> {
        let began = Instant::now();
        loop {
            match self.0.try_lock() {
                Ok(turn) => return Some(turn),
                // A run that panicked has ended.
                Err(TryLockError::Poisoned(turn)) => return Some(turn.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            let waiting = Progress {
                stage: Stage::Waiting,
                n_done: 0,
                n_total: 0,
                n_skipped: 0,
                elapsed: began.elapsed(),
                first_runs: FirstRuns::default(),
            };
            if progress(&waiting).is_break() {
                return None;
            }
            thread::sleep(INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::mpsc;

    use super::*;
    use crate::engine::quietly;

    #[test]
    fn a_run_waits_for_the_one_before_and_can_be_stopped_meanwhile() {
        let turns = Turns::default();
        let first = turns.wait(&mut quietly).expect("the first turn");
        let mut n_asked = 0;
        let stopped = turns.wait(&mut |progress| {
            assert_eq!(progress.stage, Stage::Waiting);
            n_asked += 1;
            if n_asked < 2 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        assert!(stopped.is_none());
        assert_eq!(n_asked, 2);
        let (waits, is_waiting) = mpsc::channel();
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let turn = turns.wait(&mut |_| {
                    let _ = waits.send(());
                    ControlFlow::Continue(())
                });
                turn.is_some()
            });
            is_waiting.recv().expect("the second waits");
            drop(first);
            assert!(second.join().expect("no panic"));
        });
    }
}
