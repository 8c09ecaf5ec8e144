//! Many threads prepare, one owner consumes, with a bounded queue between them.
//!
//! The queue's length bounds the memory whatever the number of jobs; the consumer (who owns the
//! encoder session and the index writer) never waits while prepared work remains.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

/// How often the consumer hears [`Event::Idle`] while nothing is ready.
const TICK: Duration = Duration::from_millis(100);

/// What the consumer is told.
pub(super) enum Event<D> {
    /// A job is prepared.
    Ready(D),
    /// Nothing was ready for a moment: a chance to show progress or to stop.
    Idle,
}

/// Runs `prepare` on every job with `n_workers` threads and hands each result to `consume` on the
/// calling thread, in whatever order they come. Stops early, after the jobs under way, when
/// `consume` breaks.
pub(super) fn run<J: Send, D: Send, B>(
    jobs: impl Iterator<Item = J> + Send,
    n_workers: usize,
    queue_length: usize,
    prepare: impl Fn(J) -> D + Sync,
    mut consume: impl FnMut(Event<D>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let jobs = Mutex::new(jobs);
    let (sender, receiver) = crossbeam_channel::bounded(queue_length.max(1));
    std::thread::scope(|scope| {
        for _ in 0..n_workers.max(1) {
            let (jobs, prepare, sender) = (&jobs, &prepare, sender.clone());
            scope.spawn(move || {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(job) = job else { break };
                    // The receiver is gone once the consumer has broken off.
                    if sender.send(prepare(job)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // Owned here, so that it is dropped before the scope joins: a full queue must not hold
        // the workers after the consumer broke off.
        let receiver = receiver;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(done) => consume(Event::Ready(done))?,
                Err(RecvTimeoutError::Timeout) => consume(Event::Idle)?,
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Continue(()),
            }
        }
    })
}

/// One preparing thread a core: they share the cores with the encoder, whose work they feed.
pub(super) fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_arrives_once() {
        let mut seen = vec![0; 1000];
        let flow: ControlFlow<()> = run(
            0..1000,
            3,
            4,
            |job| job,
            |event| {
                if let Event::Ready(job) = event {
                    seen[job] += 1;
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!(flow, ControlFlow::Continue(()));
        assert_eq!(seen, vec![1; 1000]);
    }

    #[test]
    fn breaking_off_frees_workers_that_wait_for_room() {
        let mut n_seen = 0;
        let flow = run(
            0..,
            4,
            1,
            |job: u64| job,
            |event| {
                n_seen += usize::from(matches!(event, Event::Ready(_)));
                if n_seen == 10 {
                    ControlFlow::Break("enough")
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        assert_eq!(flow, ControlFlow::Break("enough"));
        assert_eq!(n_seen, 10);
    }
}
