//! Index runs of the server: one at a time, on a thread of its own, watched by any number of pages.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::locking::lock;
use super::problem::with_causes;
use crate::answers::RunAnswer;
use crate::engine::{Engine, IndexReport, IndexRequest, Progress};

/// The shortest time between two reports of progress.
const EVERY: Duration = Duration::from_millis(100);

/// The index runs of one engine.
pub struct Runs {
    engine: Arc<Engine>,
    feed: watch::Sender<Feed>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: AtomicBool,
}

/// What watchers see.
#[derive(Clone, Default)]
pub(super) struct Feed {
    /// The run in progress, or else the last one.
    pub(super) run: Option<Arc<ServedRun>>,
    /// Whether the server is about to end.
    pub(super) is_closing: bool,
}

/// A run and what it has come to.
#[derive(Clone)]
pub(super) struct ServedRun {
    number: u64,
    folders: Vec<PathBuf>,
    progress: Option<Progress>,
    ended: Option<Result<Arc<IndexReport>, String>>,
}

impl ServedRun {
    pub(super) fn answer(&self) -> RunAnswer<'_> {
        let ended = self.ended.as_ref().map(|ended| match ended {
            Ok(report) => Ok(&**report),
            Err(error) => Err(error.as_str()),
        });
        RunAnswer::new(self.number, &self.folders, self.progress.as_ref(), ended)
    }

    pub(super) fn is_running(&self) -> bool {
        self.ended.is_none()
    }
}

/// A run is in progress, so another one cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an index run is in progress")]
pub struct RunInProgress;

impl Runs {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            feed: watch::Sender::new(Feed::default()),
            thread: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }

    /// Starts to bring the index up to date with these folders.
    ///
    /// # Errors
    /// When a run is in progress.
    pub fn start(self: &Arc<Self>, folders: Vec<PathBuf>) -> Result<(), RunInProgress> {
        let mut thread = lock(&self.thread);
        let last = self.feed.borrow().run.clone();
        if last.as_ref().is_some_and(|run| run.is_running()) {
            return Err(RunInProgress);
        }
        self.stop.store(false, Ordering::SeqCst);
        let run = ServedRun {
            number: last.map_or(1, |run| run.number + 1),
            folders: folders.clone(),
            progress: None,
            ended: None,
        };
        self.feed.send_modify(|feed| feed.run = Some(Arc::new(run)));
        let runs = Arc::clone(self);
        *thread = Some(thread::spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(|| runs.run(folders)));
            let done = done.unwrap_or_else(|_| Err("the run failed unexpectedly".to_owned()));
            runs.change(|run| run.ended = Some(done));
        }));
        Ok(())
    }

    fn run(&self, folders: Vec<PathBuf>) -> Result<Arc<IndexReport>, String> {
        let request = IndexRequest {
            folders,
            ..IndexRequest::default()
        };
        let mut last: Option<(Instant, Progress)> = None;
        let report = self.engine.index(&request, &mut |progress| {
            let is_due = last
                .as_ref()
                .is_none_or(|(at, before)| at.elapsed() >= EVERY || before.stage != progress.stage);
            if is_due {
                last = Some((Instant::now(), progress.clone()));
                self.change(|run| run.progress = Some(progress.clone()));
            }
            if self.stop.load(Ordering::SeqCst) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        report.map(Arc::new).map_err(|error| with_causes(&error))
    }

    fn change(&self, change: impl FnOnce(&mut ServedRun)) {
        self.feed.send_modify(|feed| {
            if let Some(run) = &mut feed.run {
                change(Arc::make_mut(run));
            }
        });
    }

    /// Asks the run in progress, if any, to stop after what it is doing. What it has finished is
    /// committed.
    pub fn cancel(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// The run in progress, or else the last one.
    pub(super) fn last(&self) -> Option<Arc<ServedRun>> {
        self.feed.borrow().run.clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Feed> {
        self.feed.subscribe()
    }

    /// Ends the streams of those that watch, so that their connections can be closed.
    pub(super) fn close(&self) {
        self.feed.send_modify(|feed| feed.is_closing = true);
    }

    /// Stops the run in progress and waits for its commit.
    pub(super) fn finish(&self) {
        self.cancel();
        let mut thread = lock(&self.thread);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}
