//! The writing side of an index run: puts results into the index, commits from time to time, and
//! reports progress. All of it stays on the thread that called.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use sightline_index::{BuildProgress, IndexWriter, ItemId, UnitVector};

use super::ledger::Ledger;
use super::prepare::{Content, Hash, NewImage, Prepared};
use super::request::IndexRequest;
use super::walk::Candidate;
use crate::engine::EngineError;
use crate::engine::report::{FirstRuns, OnProgress, Progress, Skipped, Stage};

/// When finished work is committed during a run.
pub(crate) struct CommitPolicy {
    every: usize,
    interval: Duration,
    last: Instant,
    /// Whether graphs are built during the run, until that fails; the end of the run tries again.
    builds: bool,
}

impl CommitPolicy {
    /// Commits when enough has gathered or enough time has passed. Images without a path are kept:
    /// their files may turn up under another name later in the run. Then builds the graphs that
    /// have become due, until `go_on` breaks.
    pub(crate) fn commit_if_due(
        &mut self,
        writer: &mut IndexWriter,
        go_on: &mut dyn FnMut(BuildProgress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, EngineError> {
        let is_late = || self.last.elapsed() >= self.interval;
        let mut flow = ControlFlow::Continue(());
        if writer.n_pending() >= self.every || (writer.is_pending() && is_late()) {
            writer.checkpoint()?;
            if self.builds {
                let built = writer.build_graphs(go_on);
                self.builds = built.is_ok();
                flow = built.unwrap_or(flow);
            }
            self.last = Instant::now();
        }
        Ok(flow)
    }
}

/// Reports the progress of building graphs; breaks when the run is to stop.
pub(crate) fn building(
    progress: &mut OnProgress<'_>,
    n_skipped: usize,
) -> impl FnMut(BuildProgress) -> ControlFlow<()> {
    let began = Instant::now();
    move |build| {
        progress(&Progress {
            stage: Stage::of(build.step),
            n_done: build.n_done,
            n_total: build.n_total,
            n_skipped,
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        })
    }
}

/// What the stages of a run write to.
pub(crate) struct Store<'a> {
    pub(crate) writer: IndexWriter,
    pub(crate) ledger: Ledger,
    pub(crate) commits: CommitPolicy,
    pub(crate) progress: &'a mut OnProgress<'a>,
}

impl<'a> Store<'a> {
    pub(crate) fn new(
        writer: IndexWriter,
        request: &IndexRequest,
        progress: &'a mut OnProgress<'a>,
    ) -> Self {
        Self {
            writer,
            ledger: Ledger::default(),
            commits: CommitPolicy {
                every: request.commit_every,
                interval: request.commit_interval,
                last: Instant::now(),
                builds: true,
            },
            progress,
        }
    }

    /// Commits, and removes the images that are left without a path.
    pub(crate) fn commit(&mut self) -> Result<(), EngineError> {
        self.writer.commit()?;
        self.commits.last = Instant::now();
        Ok(())
    }

    /// Commits if that is due. A stop is noticed by the next [`report`](Self::report).
    pub(crate) fn commit_if_due(&mut self) -> Result<(), EngineError> {
        let n_skipped = self.ledger.report.skipped.len();
        let mut go_on = building(self.progress, n_skipped);
        let _ = self.commits.commit_if_due(&mut self.writer, &mut go_on)?;
        Ok(())
    }

    /// Reports the progress of a stage that began at `began`; breaks when the run is to stop.
    pub(crate) fn report(
        &mut self,
        stage: Stage,
        n_done: usize,
        n_total: usize,
        began: Instant,
    ) -> ControlFlow<()> {
        report(self.progress, &self.ledger, stage, (n_done, n_total), began)
    }
}

/// [`Store::report`] for those who hold parts of the store.
pub(crate) fn report(
    progress: &mut OnProgress<'_>,
    ledger: &Ledger,
    stage: Stage,
    (n_done, n_total): (usize, usize),
    began: Instant,
) -> ControlFlow<()> {
    progress(&Progress {
        stage,
        n_done,
        n_total,
        n_skipped: ledger.report.skipped.len(),
        elapsed: began.elapsed(),
        first_runs: FirstRuns::default(),
    })
}

/// Stores what comes out of the picture pipeline, whose other threads read from the same writer.
pub(crate) struct PictureStore<'a, 'w> {
    writer: &'a RwLock<&'w mut IndexWriter>,
    ledger: &'a mut Ledger,
    commits: &'a mut CommitPolicy,
    /// Files that wait for another one with the same content.
    twins: HashMap<Hash, Vec<Candidate>>,
    /// Why a content is bad, for twins that come later.
    bad: HashMap<Hash, String>,
}

impl<'a, 'w> PictureStore<'a, 'w> {
    pub(crate) fn new(
        writer: &'a RwLock<&'w mut IndexWriter>,
        ledger: &'a mut Ledger,
        commits: &'a mut CommitPolicy,
    ) -> Self {
        Self {
            writer,
            ledger,
            commits,
            twins: HashMap::new(),
            bad: HashMap::new(),
        }
    }

    /// Commits if that is due, and builds graphs, until `go_on` breaks.
    pub(crate) fn commit_if_due(
        &mut self,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        self.commits.commit_if_due(&mut writer, &mut |_| go_on())
    }

    /// How far a picture stage of `n_total` files has come that began at `began`.
    pub(crate) fn progress(
        &self,
        n_total: usize,
        began: Instant,
        first_runs: FirstRuns,
    ) -> Progress {
        Progress {
            stage: Stage::Pictures,
            n_done: self.ledger.n_settled,
            n_total,
            n_skipped: self.ledger.report.skipped.len(),
            elapsed: began.elapsed(),
            first_runs,
        }
    }

    pub(crate) fn put(&mut self, prepared: Prepared<UnitVector>) -> Result<(), EngineError> {
        match prepared {
            Prepared::New(image, vector) => self.put_new(image, vector),
            Prepared::Other(file, Content::Known(image, details)) => {
                if let Some(details) = details {
                    let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
                    writer.set_details(image, details)?;
                }
                self.link(&file, image)
            }
            Prepared::Other(file, Content::Twin(hash)) => self.put_twin(file, hash),
            Prepared::Other(file, Content::Bad { hash, reason }) => {
                if let Some(hash) = hash {
                    for twin in self.twins.remove(&hash).unwrap_or_default() {
                        self.skip(twin, reason.clone())?;
                    }
                    self.bad.insert(hash, reason.clone());
                }
                self.skip(file, reason)
            }
            // Its content is unknown, so what the index holds under its path stays.
            Prepared::Other(Candidate { path, .. }, Content::Unreadable { reason }) => {
                self.ledger.skipped(Skipped { path, reason });
                Ok(())
            }
        }
    }

    fn put_new(&mut self, image: NewImage, vector: UnitVector) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let id = writer.put_image(image.hash, image.width, image.height, vector)?;
        writer.set_details(id, image.details)?;
        writer.put_file(&image.file.path, image.file.confirmed(false).record(id))?;
        drop(writer);
        self.ledger.encoded(&image.file.path);
        for twin in self.twins.remove(&image.hash).unwrap_or_default() {
            self.link(&twin, id)?;
        }
        Ok(())
    }

    fn put_twin(&mut self, file: Candidate, hash: Hash) -> Result<(), EngineError> {
        let writer = self.writer.read().unwrap_or_else(PoisonError::into_inner);
        let image = writer.image_with_hash(&hash)?;
        drop(writer);
        match (image, self.bad.get(&hash)) {
            (Some(image), _) => self.link(&file, image),
            (None, Some(reason)) => self.skip(file, reason.clone()),
            (None, None) => {
                self.twins.entry(hash).or_default().push(file);
                Ok(())
            }
        }
    }

    /// Gives a file to an image of the index.
    fn link(&mut self, file: &Candidate, image: ItemId) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = self.ledger.is_of(&file.path, image);
        writer.put_file(&file.path, file.confirmed(is_same).record(image))?;
        drop(writer);
        self.ledger.linked(&file.path, image);
        Ok(())
    }

    /// Reports a bad file. What the index held under its path had other content and is removed.
    fn skip(&mut self, file: Candidate, reason: String) -> Result<(), EngineError> {
        let path = file.path;
        if self.ledger.was_known(&path) {
            let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
            writer.remove_file(&path)?;
        }
        self.ledger.skipped(Skipped { path, reason });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sightline_index::{Binding, IndexReader, ItemKind, WriterOptions};

    use super::*;

    #[test]
    fn a_long_run_builds_graphs_after_its_commits_until_that_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let binding = Binding {
            dimension: 2,
            fingerprint: "f00d".into(),
            model: "toy".into(),
        };
        let mut options = WriterOptions::default();
        options.min_graph_items = 4;
        let mut writer = IndexWriter::open_or_create_with(dir.path(), &binding, options).unwrap();
        let put = |writer: &mut IndexWriter, numbers: std::ops::Range<u8>| {
            for number in numbers {
                let angle = f32::from(number);
                let vector = UnitVector::new(vec![angle.cos(), angle.sin()]).unwrap();
                writer.put_image([number; 32], 1, 1, vector).unwrap();
            }
        };
        let mut commits = CommitPolicy {
            every: 3,
            interval: Duration::MAX,
            last: Instant::now(),
            builds: true,
        };
        let n_graphs = || {
            let reader = IndexReader::open(dir.path(), None).unwrap();
            (reader.counts().n_images, reader.n_graphs(ItemKind::Image))
        };
        let mut go_on = |_: BuildProgress| ControlFlow::Continue(());
        put(&mut writer, 0..2);
        assert!(
            commits
                .commit_if_due(&mut writer, &mut go_on)
                .unwrap()
                .is_continue()
        );
        put(&mut writer, 2..5);
        assert!(
            commits
                .commit_if_due(&mut writer, &mut go_on)
                .unwrap()
                .is_continue()
        );
        assert_eq!(n_graphs(), (5, 1));
        put(&mut writer, 5..10);
        let stopped = commits.commit_if_due(&mut writer, &mut |_| ControlFlow::Break(()));
        assert!(stopped.unwrap().is_break());
        assert_eq!(n_graphs(), (10, 1), "committed, but not built");
    }
}
