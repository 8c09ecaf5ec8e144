//! Keeps an index up to date while its library folders change.
//!
//! What the operating system reports about files (`signals`) is only a reason to start an
//! ordinary index run of the library folders concerned, once the files stand still (`pending`).
//! Reports can be lost, and none come from network shares, so everything is also scanned at regular
//! intervals. A folder that is missing is waited for (`roots`); its items stay.

mod pending;
mod roots;
mod signals;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::engine::{
    Engine, EngineError, Generation, IndexError, IndexReport, IndexRequest, Progress,
};

use pending::{Pending, stamp};
use roots::{Look, Roots};
use signals::Signal;

/// How often the listener can stop the watcher while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// How often missing and replaced folders are looked for.
const LOOK: Duration = Duration::from_secs(2);

/// How long a file has to keep its size and time before it is read.
const STILL: Duration = Duration::from_secs(2);

/// How long finished files wait for others that are still being written.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time between attempts while another process writes to the index.
const LOCKED: Duration = Duration::from_secs(2);

/// Shortest and longest time between attempts after another failure; it doubles each time.
const FAILED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(10));

/// After a run, nothing is indexed for as long as it took, but at most this long, so that a folder
/// that never stands still does not keep the machine busy.
const PAUSE: Duration = Duration::from_mins(1);

/// What to keep up to date, and how.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// How to index. Its folders are the library folders to watch; those that the index knows may
    /// be missing. Without any, those of the index are watched, as they are added and removed.
    pub request: IndexRequest,
    /// Whether nobody else searches with the engine, so that its text encoders need not stay in
    /// memory.
    pub is_alone: bool,
    /// Time between two scans of everything.
    pub every: Duration,
    /// After this time without a run, the memory of the image encoder is freed; it is loaded again
    /// by the next run that needs it. [`WatchOptions::FREE_AFTER`] suits files that are added one
    /// by one.
    pub free_after: Duration,
}

impl WatchOptions {
    /// The usual time without a run after which encoders are freed.
    pub const FREE_AFTER: Duration = Duration::from_mins(1);
}

/// What a watcher does; see [`Watcher::run`].
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent<'a> {
    /// Nothing, at the moment.
    Idle,
    /// It watches these library folders now. Others are not there.
    Watching(&'a [PathBuf]),
    /// A library folder is missing. It is waited for.
    Missing(&'a Path),
    /// The system's limit for watched folders is reached: the others are only scanned.
    Limited,
    /// A folder cannot be watched, and why: it is only scanned.
    Unwatched(&'a str),
    /// An index run of these library folders is about to start.
    Indexing(&'a [PathBuf]),
    /// An index run is in progress.
    Progress(&'a Progress),
    /// Another process writes to the index, so the run is tried again later.
    Waiting(&'a EngineError),
    /// An index run ended.
    Indexed(&'a IndexReport),
    /// An index run failed. It is tried again later.
    Failed(&'a EngineError),
}

/// Receives what a watcher does, several times per second; breaking stops the watcher, an index run
/// in progress after what is in work.
pub type WatchListener<'a> = dyn FnMut(&WatchEvent<'_>) -> ControlFlow<()> + 'a;

/// Keeps an index up to date with its library folders.
pub struct Watcher {
    engine: Arc<Engine>,
    options: WatchOptions,
}

impl Watcher {
    /// Shares the engine with whoever answers queries. Touches no file.
    #[must_use]
    pub fn new(engine: Arc<Engine>, options: WatchOptions) -> Self {
        Self { engine, options }
    }

    /// Scans the library folders, then indexes what changes in them, until the listener breaks.
    ///
    /// # Errors
    /// When the first index run fails; later failures are passed to the listener. When a named
    /// folder is a file, or is missing and unknown to the index, or the library folders of the
    /// index cannot be read.
    pub fn run(&self, listener: &mut WatchListener<'_>) -> Result<(), EngineError> {
        for folder in &self.options.request.folders {
            self.check(folder)?;
        }
        let mut watching = Watching::new(self);
        loop {
            if watching.step(listener)?.is_break() {
                return Ok(());
            }
        }
    }
}

impl Watcher {
    /// Refuses a file, and a folder that never was a library folder and is not there: nobody waits
    /// for a name with a typing error.
    fn check(&self, folder: &Path) -> Result<(), EngineError> {
        let path = || folder.to_path_buf();
        if folder.is_dir() {
            return Ok(());
        }
        if folder.exists() {
            return Err(EngineError::NotAFolder { path: path() });
        }
        // A link to what is not mounted is no such error.
        if folder.is_symlink() || self.engine.is_library(folder)? {
            return Ok(());
        }
        Err(EngineError::FolderMissing {
            path: path(),
            n_indexed: 0,
        })
    }
}

/// A watcher that runs.
struct Watching<'a> {
    engine: &'a Engine,
    options: &'a WatchOptions,
    signals: Receiver<Signal>,
    roots: Roots,
    pending: Pending,
    /// Why nothing can be watched, until that is reported.
    trouble: Option<Signal>,
    next_look: Instant,
    next_scan: Instant,
    /// No run starts before.
    not_before: Instant,
    /// When the encoders are freed, if no run comes before.
    free_at: Option<Instant>,
    /// The folders that were reported as watched.
    reported: Vec<PathBuf>,
    /// What could not be watched, as it was reported.
    known_trouble: Vec<Signal>,
    is_waiting: bool,
    has_indexed: bool,
    /// The last failure and the time to the next attempt.
    failure: Option<(String, Duration)>,
    /// The generation that the library folders were read from.
    generation: Option<Generation>,
}

impl<'a> Watching<'a> {
    fn new(watcher: &'a Watcher) -> Self {
        let (sender, signals) = mpsc::channel();
        let (roots, trouble) = Roots::new(sender);
        let now = Instant::now();
        Self {
            engine: &watcher.engine,
            options: &watcher.options,
            signals,
            roots,
            pending: Pending::new(STILL, PATIENCE),
            trouble,
            next_look: now,
            next_scan: now,
            not_before: now,
            free_at: None,
            reported: Vec::new(),
            known_trouble: Vec::new(),
            is_waiting: false,
            has_indexed: false,
            failure: None,
            generation: None,
        }
    }

    /// Takes in what happened, and indexes what is due.
    fn step(&mut self, listener: &mut WatchListener<'_>) -> Result<ControlFlow<()>, EngineError> {
        if listener(&WatchEvent::Idle).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let mut trouble: Vec<Signal> = self.trouble.take().into_iter().collect();
        let now = Instant::now();
        if now >= self.next_scan {
            self.next_scan = now.checked_add(self.options.every).unwrap_or(now + LOOK);
            self.roots.renew();
            self.generation = None;
            self.next_look = now;
        }
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.read_libraries()?;
            for found in self.roots.look() {
                match found {
                    Look::Unwatched(signal) => trouble.push(signal),
                    Look::Missing(folder) => {
                        if listener(&WatchEvent::Missing(&folder)).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
            }
        }
        let flow = self.report(trouble, listener);
        if flow.is_break() {
            return Ok(flow);
        }
        for path in self.pending.settle(now, stamp) {
            self.roots.note_changed(&path);
        }
        if now >= self.not_before {
            let flow = self.index(listener)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        if self.free_at.is_some_and(|free_at| now >= free_at) {
            self.free_at = None;
            self.engine.unload(self.options.is_alone);
        }
        let trouble = self.receive();
        Ok(self.report(trouble, listener))
    }

    /// Waits for signals, and takes in all that came.
    fn receive(&mut self) -> Vec<Signal> {
        let first = match self.signals.recv_timeout(TICK) {
            Ok(signal) => Some(signal),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            // Nothing can be watched.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                std::thread::sleep(TICK);
                None
            }
        };
        let mut trouble = Vec::new();
        let now = Instant::now();
        for signal in first.into_iter().chain(self.signals.try_iter()) {
            match signal {
                Signal::Changed(path) => {
                    self.roots.renew_at(&path);
                    let library = self.roots.folder_of(&path);
                    if library.is_some_and(|library| self.engine.concerns(library, &path)) {
                        let stamp = stamp(&path);
                        self.pending.add(path, stamp, now);
                    }
                }
                Signal::Lost => {
                    self.roots.renew();
                    self.next_look = now;
                }
                signal => trouble.push(signal),
            }
        }
        trouble
    }

    /// Reports the folders that are watched, if they are others than before, and what cannot be
    /// watched.
    fn report(
        &mut self,
        trouble: Vec<Signal>,
        listener: &mut WatchListener<'_>,
    ) -> ControlFlow<()> {
        let available = self.roots.available();
        if available != self.reported {
            listener(&WatchEvent::Watching(&available))?;
            self.reported = available;
        }
        for signal in trouble {
            if self.known_trouble.contains(&signal) {
                continue;
            }
            match &signal {
                Signal::Limit => listener(&WatchEvent::Limited)?,
                Signal::Failed(reason) => listener(&WatchEvent::Unwatched(reason))?,
                Signal::Changed(_) | Signal::Lost => {}
            }
            self.known_trouble.push(signal);
        }
        ControlFlow::Continue(())
    }

    /// Watches the library folders of the index, unless others were named.
    fn read_libraries(&mut self) -> Result<(), EngineError> {
        let named = &self.options.request.folders;
        if !named.is_empty() {
            self.roots.set(named);
            return Ok(());
        }
        let generation = self.engine.generation().ok();
        if generation.is_some() && generation == self.generation {
            return Ok(());
        }
        let folders = match self.engine.libraries() {
            Ok(folders) => folders,
            // It may be made later.
            Err(EngineError::Index(IndexError::NoIndex { .. })) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.roots.set(&folders);
        self.generation = generation;
        Ok(())
    }

    /// Indexes the folders in which something changed.
    fn index(&mut self, listener: &mut WatchListener<'_>) -> Result<ControlFlow<()>, EngineError> {
        let folders = self.roots.take_changed();
        if folders.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let request = IndexRequest {
            folders,
            being_written: self.pending.unsettled(),
            ..self.options.request.clone()
        };
        if listener(&WatchEvent::Indexing(&request.folders)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let mut is_stopped = false;
        let outcome = self.engine.index(&request, &mut |progress| {
            let flow = listener(&WatchEvent::Progress(progress));
            is_stopped |= flow.is_break();
            flow
        });
        let now = Instant::now();
        self.free_at = Some(now + self.options.free_after);
        let flow = match outcome {
            Ok(report) => {
                self.has_indexed = true;
                self.is_waiting = false;
                self.failure = None;
                self.not_before = now + report.elapsed.min(PAUSE);
                listener(&WatchEvent::Indexed(&report))
            }
            Err(error) => {
                for folder in &request.folders {
                    self.roots.note_changed(folder);
                }
                self.failed(error, now, listener)?
            }
        };
        Ok(if is_stopped {
            ControlFlow::Break(())
        } else {
            flow
        })
    }

    /// Plans the next attempt, and reports a failure unless it is the same as before.
    fn failed(
        &mut self,
        error: EngineError,
        now: Instant,
        listener: &mut WatchListener<'_>,
    ) -> Result<ControlFlow<()>, EngineError> {
        Ok(match error {
            EngineError::Index(IndexError::Locked { .. }) => {
                self.not_before = now + LOCKED;
                if std::mem::replace(&mut self.is_waiting, true) {
                    ControlFlow::Continue(())
                } else {
                    listener(&WatchEvent::Waiting(&error))
                }
            }
            // It disappeared just now; the next look will see that.
            EngineError::FolderMissing { .. } => {
                self.next_look = now;
                ControlFlow::Continue(())
            }
            error if !self.has_indexed => return Err(error),
            error => {
                let (shortest, longest) = FAILED;
                let message = error.to_string();
                let (is_known, delay) = match &self.failure {
                    Some((before, delay)) => (*before == message, (*delay * 2).min(longest)),
                    None => (false, shortest),
                };
                self.failure = Some((message, delay));
                self.not_before = now + delay;
                if is_known {
                    ControlFlow::Continue(())
                } else {
                    listener(&WatchEvent::Failed(&error))
                }
            }
        })
    }
}
