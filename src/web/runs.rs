//! Index runs of the server, one at a time, and the generation of its index, seen by any number of
//! pages. A run that a page asks for is on a thread of its own; those of a watcher are reported.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::locking::lock;
use super::problem::with_causes;
use crate::answers::RunAnswer;
use crate::engine::{Engine, EngineError, Generation, IndexReport, IndexRequest, Progress};

/// The shortest time between two reports of progress.
const EVERY: Duration = Duration::from_millis(100);

/// The index runs of one engine.
pub struct Runs {
    engine: Arc<Engine>,
    feed: watch::Sender<Feed>,
    generation: watch::Sender<Option<Generation>>,
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
    is_watcher: bool,
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
        let progress = self.progress.as_ref();
        RunAnswer::new(self.number, self.is_watcher, &self.folders, progress, ended)
    }

    pub(super) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    /// Returns false when the progress is reported too soon after the last.
    fn progressed(&mut self, progress: &Progress) -> bool {
        let is_early = self.progress.as_ref().is_some_and(|last| {
            last.stage == progress.stage && progress.elapsed < last.elapsed + EVERY
        });
        if !is_early {
            self.progress = Some(progress.clone());
        }
        !is_early
    }

    pub(super) fn is_watcher(&self) -> bool {
        self.is_watcher
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
            generation: watch::Sender::new(None),
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
            is_watcher: false,
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
        let report = self.engine.index(&request, &mut |progress| {
            self.feed.send_if_modified(|feed| {
                let run = feed.run.as_mut();
                run.is_some_and(|run| Arc::make_mut(run).progressed(progress))
            });
            if self.stop.load(Ordering::SeqCst) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        report.map(Arc::new).map_err(|error| with_causes(&error))
    }

    /// Shows a run of a watcher over these folders, unless a run that was asked for is in progress.
    pub fn show(&self, folders: &[PathBuf], progress: &Progress) {
        self.feed.send_if_modified(|feed| match &mut feed.run {
            Some(run) if run.is_running() => {
                run.is_watcher && Arc::make_mut(run).progressed(progress)
            }
            last => {
                *last = Some(Arc::new(ServedRun {
                    number: last.as_ref().map_or(1, |run| run.number + 1),
                    is_watcher: true,
                    folders: folders.to_vec(),
                    progress: Some(progress.clone()),
                    ended: None,
                }));
                true
            }
        });
    }

    /// Shows how the run of the watcher ended, if it was shown. `Err(None)`: it failed again, for
    /// the reason that the watcher gave before.
    pub fn show_end(&self, ended: Result<&IndexReport, Option<&EngineError>>) {
        let is_shown = |run: &ServedRun| run.is_watcher && run.is_running();
        self.feed.send_if_modified(|feed| {
            let Some(run) = feed.run.as_mut().filter(|run| is_shown(run)) else {
                return false;
            };
            let ended = ended.map(|report| Arc::new(report.clone()));
            let again = || "the index run failed again".to_owned();
            let ended = ended.map_err(|error| error.map_or_else(again, |error| with_causes(error)));
            Arc::make_mut(run).ended = Some(ended);
            true
        });
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

    /// The generation that queries are answered from, as it changes.
    pub(super) fn watch_generation(&self) -> watch::Receiver<Option<Generation>> {
        self.generation.subscribe()
    }

    /// Passes on which generation queries are answered from.
    pub(super) fn note_generation(&self, generation: Option<Generation>) {
        self.generation.send_if_modified(|known| {
            let is_new = generation.is_some() && *known != generation;
            if is_new {
                *known = generation;
            }
            is_new
        });
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
