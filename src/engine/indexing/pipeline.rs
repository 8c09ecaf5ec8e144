//! A pipeline of threads: many prepare, a few encode, one consumes, with bounded queues in between.
//!
//! The lengths of the queues bound the memory for any number of jobs. An encoding thread waits for
//! decoders only when its queue is empty, and for the consumer only when the queue of results is
//! full. The consumer stays on the calling thread, and with it progress and errors.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

/// How often the consumer gets [`Event::Idle`] while there are no results.
const TICK: Duration = Duration::from_millis(100);

/// How long an encoding thread waits for a batch to fill before it gets [`Next::Pause`].
const PAUSE: Duration = Duration::from_secs(1);

/// Numbers of threads and lengths of the queues between them.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "each is a number of something")]
pub(crate) struct Shape {
    /// Threads that prepare.
    pub(crate) n_workers: usize,
    /// Prepared jobs that may wait to be encoded; each preparing thread may hold one more.
    pub(crate) n_prepared: usize,
    /// Threads that encode.
    pub(crate) n_encoders: usize,
    /// Results that may wait for the consumer.
    pub(crate) n_encoded: usize,
}

/// What the consumer gets.
pub(crate) enum Event<E> {
    /// A result.
    Ready(E),
    /// No result came for a moment: a chance to report progress or to stop.
    Idle,
}

/// Ends a run early: no further job is started, results of those in progress still arrive.
#[derive(Default)]
pub(crate) struct Stop(AtomicBool);

impl Stop {
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an encoding thread takes from its queue.
pub(crate) enum Next<P> {
    /// A prepared job.
    Ready(P),
    /// Nothing came for a while; more will.
    Pause,
    /// All jobs are done.
    End,
    /// The run was stopped: what is not encoded yet is dropped.
    Stopped,
}

/// An encoding thread's end of the queue of prepared jobs.
pub(crate) struct Inlet<'a, P> {
    receiver: Receiver<P>,
    stop: &'a Stop,
    waited: Cell<Duration>,
}

impl<P> Inlet<'_, P> {
    /// Takes the next prepared job; waits when there is none.
    pub(crate) fn next(&self) -> Next<P> {
        if self.stop.is_requested() {
            return Next::Stopped;
        }
        match self.receiver.try_recv() {
            Ok(prepared) => return Next::Ready(prepared),
            Err(TryRecvError::Disconnected) => return Next::End,
            Err(TryRecvError::Empty) => {}
        }
        let began = Instant::now();
        let next = match self.receiver.recv_timeout(PAUSE) {
            Ok(prepared) => Next::Ready(prepared),
            Err(RecvTimeoutError::Timeout) => Next::Pause,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        };
        self.waited.set(self.waited.get() + began.elapsed());
        next
    }

    /// Time spent waiting on an empty queue since the last call.
    pub(crate) fn take_waited(&self) -> Duration {
        self.waited.take()
    }
}

/// Runs `prepare` on every job, on many threads, and `encode` on one or more others, numbered from
/// 0, which take prepared jobs from their [`Inlet`] and send results. `consume` gets the results on
/// the calling thread. When it breaks, everything ends after what is in progress, and further
/// results are dropped; after [`Stop::stop`] they are not.
pub(crate) fn run<J: Send, P: Send, E: Send, B>(
    jobs: impl Iterator<Item = J> + Send,
    shape: Shape,
    prepare: impl Fn(J) -> P + Sync,
    encode: impl Fn(usize, &Inlet<'_, P>, &Sender<E>) + Sync,
    mut consume: impl FnMut(Event<E>, &Stop) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let stop = Stop::default();
    let jobs = Mutex::new(jobs);
    let (sender, receiver) = crossbeam_channel::bounded(shape.n_prepared.max(1));
    let (results, encoded) = crossbeam_channel::bounded(shape.n_encoded.max(1));
    std::thread::scope(|scope| {
        for _ in 0..shape.n_workers.max(1) {
            let (jobs, prepare, sender, stop) = (&jobs, &prepare, sender.clone(), &stop);
            scope.spawn(move || {
                while !stop.is_requested() {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(job) = job else { break };
                    // Disconnected once all encoding threads have ended.
                    if sender.send(prepare(job)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for number in 0..shape.n_encoders.max(1) {
            let inlet = Inlet {
                receiver: receiver.clone(),
                stop: &stop,
                waited: Cell::default(),
            };
            let (encode, results) = (&encode, results.clone());
            // These threads own both ends: once they have ended, preparing threads that wait for
            // room are released, and the consumer's queue is disconnected.
            scope.spawn(move || {
                let (inlet, results) = (inlet, results);
                encode(number, &inlet, &results);
            });
        }
        drop((receiver, results));
        // Owned here, so that it is dropped before the scope joins: a full queue must not block an
        // encoding thread after the consumer broke.
        let encoded = encoded;
        loop {
            match encoded.recv_timeout(TICK) {
                Ok(result) => consume(Event::Ready(result), &stop)?,
                Err(RecvTimeoutError::Timeout) => consume(Event::Idle, &stop)?,
                Err(RecvTimeoutError::Disconnected) => return ControlFlow::Continue(()),
            }
        }
    })
}

/// [`run`] without encoding: `consume` gets what was prepared.
pub(crate) fn prepare_all<J: Send, P: Send, B>(
    jobs: impl Iterator<Item = J> + Send,
    shape: Shape,
    prepare: impl Fn(J) -> P + Sync,
    mut consume: impl FnMut(Event<P>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    run(jobs, shape, prepare, pass, |event, _| consume(event))
}

/// Passes prepared jobs on.
fn pass<P>(_: usize, inlet: &Inlet<'_, P>, results: &Sender<P>) {
    loop {
        match inlet.next() {
            Next::Ready(prepared) => {
                if results.send(prepared).is_err() {
                    break;
                }
            }
            Next::Pause => {}
            Next::End | Next::Stopped => break,
        }
    }
}

/// One preparing thread per core. They share the cores with the encoder.
pub(crate) fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const SHAPE: Shape = Shape {
        n_workers: 3,
        n_prepared: 4,
        n_encoders: 2,
        n_encoded: 5,
    };

    #[test]
    fn every_job_is_consumed_once() {
        let mut seen = vec![0; 1000];
        let flow: ControlFlow<()> = run(
            0..1000,
            SHAPE,
            |job| job,
            pass,
            |event, _| {
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
    fn queues_bound_the_number_of_jobs_in_progress() {
        let (n_in_progress, n_most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut n_seen = 0;
        let flow: ControlFlow<()> = run(
            0..500,
            SHAPE,
            |job: usize| {
                let n = n_in_progress.fetch_add(1, Ordering::SeqCst) + 1;
                n_most.fetch_max(n, Ordering::SeqCst);
                job
            },
            pass,
            |event, _| {
                if let Event::Ready(_) = event {
                    n_in_progress.fetch_sub(1, Ordering::SeqCst);
                    n_seen += 1;
                    // A slow consumer, so that all queues fill up.
                    if n_seen % 100 == 0 {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!((flow, n_seen), (ControlFlow::Continue(()), 500));
        // Both queues, and one job held by each thread.
        let n_bound = SHAPE.n_workers + SHAPE.n_prepared + SHAPE.n_encoders + SHAPE.n_encoded + 1;
        let n_most = n_most.into_inner();
        assert!(n_most <= n_bound, "{n_most} were in progress at once");
        assert!(n_most > SHAPE.n_workers, "the queues were never used");
    }

    #[test]
    fn a_break_releases_threads_that_wait_for_room() {
        let mut n_seen = 0;
        let flow = run(
            0..,
            Shape {
                n_workers: 4,
                n_prepared: 1,
                n_encoders: 3,
                n_encoded: 1,
            },
            |job: u64| job,
            pass,
            |event, _| {
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

    #[test]
    fn a_stop_starts_no_job_and_loses_no_result() {
        let (n_encoded, mut n_seen) = (AtomicUsize::new(0), 0);
        let flow: ControlFlow<()> = run(
            0..,
            SHAPE,
            |job: u64| job,
            |_, inlet, results| {
                while let Next::Ready(prepared) = inlet.next() {
                    results.send(prepared).unwrap();
                    n_encoded.fetch_add(1, Ordering::SeqCst);
                }
            },
            |event, stop| {
                n_seen += usize::from(matches!(event, Event::Ready(_)));
                if n_seen == 10 {
                    stop.stop();
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!(flow, ControlFlow::Continue(()));
        assert_eq!(n_seen, n_encoded.into_inner());
        assert!((10..100).contains(&n_seen), "{n_seen}");
    }

    #[test]
    fn a_run_ends_when_its_encoders_end() {
        let mut seen = Vec::new();
        let flow: ControlFlow<()> = run(
            0..,
            SHAPE,
            |job: u64| job,
            |number, _, results| results.send(u64::MAX - number as u64).unwrap(),
            |event, _| {
                if let Event::Ready(result) = event {
                    seen.push(result);
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!(flow, ControlFlow::Continue(()));
        seen.sort_unstable();
        assert_eq!(seen, [u64::MAX - 1, u64::MAX]);
    }

    #[test]
    fn waiting_time_is_measured() {
        let waited = Mutex::new(Duration::ZERO);
        let flow: ControlFlow<()> = run(
            0..3,
            Shape {
                n_workers: 1,
                n_encoders: 1,
                ..SHAPE
            },
            |job: u64| {
                std::thread::sleep(Duration::from_millis(10));
                job
            },
            |_, inlet, results| {
                while let Next::Ready(prepared) = inlet.next() {
                    results.send(prepared).unwrap();
                }
                *waited.lock().unwrap() = inlet.take_waited();
            },
            |_, _| ControlFlow::Continue(()),
        );
        assert_eq!(flow, ControlFlow::Continue(()));
        assert!(waited.into_inner().unwrap() > Duration::ZERO);
    }
}
