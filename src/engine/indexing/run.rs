//! The `index` pipeline: walk → changed? → decode → encode → commit.
//!
//! Threads read, hash, decode and preprocess; one or two threads own a lane of the encoder each; the
//! calling thread owns the writer.
//! Whatever was finished is committed every so often, so a run that is stopped or killed goes on
//! where it was.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use sightline_index::{FileRecord, IndexReader, IndexWriter, LastRun, Library, WriterOptions};

use super::batch_size::{BatchFinder, DEVICE_SIZES, PART_SIZES, SIZES};
use super::caption_files::CaptionSet;
use super::encode::Encoding;
use super::ledger::Ledger;
use super::pipeline::{self, Event, Shape};
use super::prepare::{Hash, Preparing};
use super::request::{IndexRequest, resolve_folders};
use super::store::Storing;
use super::walk::{Candidate, Walk, walk};
use crate::engine::decode::{DecodeOptions, Decoding};
use crate::engine::encoder::Lane;
use crate::engine::report::{IndexReport, Progress, Stage};
use crate::engine::{Encoders, Engine, EngineError};

/// A progress callback: breaking stops the run after what is under way.
pub(crate) type OnProgress<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// A library folder with what one walk over it saw.
pub(crate) struct Visit {
    folder: PathBuf,
    walk: Walk,
    /// Files the index held under the folder before this run.
    known: Vec<(PathBuf, FileRecord)>,
}

impl Visit {
    /// The files that the walk saw, and what the index held of each.
    fn files(&self) -> impl Iterator<Item = (&Candidate, Option<&FileRecord>)> {
        let known: HashMap<&Path, &FileRecord> = self
            .known
            .iter()
            .map(|(path, record)| (path.as_path(), record))
            .collect();
        let files = self.walk.candidates.iter();
        files.map(move |candidate| (candidate, known.get(candidate.path.as_path()).copied()))
    }

    /// The files that look as they did.
    pub(crate) fn unchanged(&self) -> impl Iterator<Item = (&Candidate, &FileRecord)> {
        self.files().filter_map(|(candidate, record)| {
            let record = record.filter(|record| is_unchanged(candidate, record))?;
            Some((candidate, record))
        })
    }
}

fn is_unchanged(candidate: &Candidate, record: &FileRecord) -> bool {
    record.n_bytes == candidate.n_bytes && record.modified_ns == candidate.modified_ns
}

impl Engine {
    /// Brings the index up to date with the folders and captions of the request.
    ///
    /// Files with unchanged size and time are not opened; files whose content is known (moved,
    /// renamed, copied) keep their vector and are not decoded; what is gone leaves the index. A
    /// file that cannot be read is skipped and reported. `progress` is called often and can stop
    /// the run: what is finished by then is committed.
    ///
    /// # Errors
    /// When a folder or captions file is missing or malformed, the index is locked, read-only or
    /// was made by another model (unless that is to be changed), or the model cannot be run. What
    /// was committed before stays.
    pub fn index(
        &self,
        request: &IndexRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<IndexReport, EngineError> {
        let began = Instant::now();
        // Everything that can be refused is looked at before the index is touched.
        let mut sets = Vec::new();
        for path in &request.captions {
            // A missing one is an error about the name that was given.
            fs_err::File::open(path)?;
            let path = fs_err::canonicalize(path)?;
            sets.push((path.clone(), super::caption_files::read(&path)?));
        }
        let folders = resolve_folders(self, request)?;
        let job = Job {
            request,
            folders,
            sets,
            before: None,
        };
        let mut report = if request.change_model
            && let Some(change) = self.planned_change()?
        {
            self.change_model(job, change, progress)?
        } else {
            let mut options = WriterOptions::default();
            options.language = request.language;
            let writer = IndexWriter::open_or_create_with(self.folder(), &self.binding(), options)?;
            self.run(job, writer, progress)?
        };
        report.elapsed = began.elapsed();
        Ok(report)
    }

    /// Does all that there is to do with a writer.
    pub(crate) fn run(
        &self,
        job: Job<'_>,
        writer: IndexWriter,
        progress: &mut OnProgress<'_>,
    ) -> Result<IndexReport, EngineError> {
        let Job {
            request,
            folders,
            sets,
            before,
        } = job;
        let mut run = Run {
            before,
            request,
            encoders: self.encoders(),
            decode: self.decode_options(),
            writer: RwLock::new(writer),
            claimed: Mutex::new(HashSet::new()),
            ledger: Ledger::default(),
            last_commit: Instant::now(),
            progress,
        };
        let outcome = run.all(folders, sets);
        if let Ok(ControlFlow::Break(())) = outcome {
            run.note_run(true);
        }
        let Run {
            writer,
            mut ledger,
            progress,
            ..
        } = run;
        let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let n_skipped = ledger.report.skipped.len();
        let building = Instant::now();
        // Even after an error what is finished is kept; the first error is the one to report.
        let finished = writer.finish_with(&mut |build| {
            // A graph is built whole or not at all, so this can be watched but not stopped.
            let _ = progress(&Progress {
                stage: Stage::Building,
                n_done: build.n_done,
                n_total: build.n_total,
                n_skipped,
                elapsed: building.elapsed(),
            });
        });
        self.forget_reader();
        ledger.report.interrupted = outcome?.is_break();
        finished?;
        Ok(ledger.into_report())
    }
}

/// What is to be indexed in one run.
pub(crate) struct Job<'a> {
    pub(crate) request: &'a IndexRequest,
    /// Absolute, each once.
    pub(crate) folders: Vec<PathBuf>,
    /// What the captions files say.
    pub(crate) sets: Vec<(PathBuf, Vec<CaptionSet>)>,
    /// The index that is embedded again with another model.
    pub(crate) before: Option<&'a IndexReader>,
}

/// Each folder once, without those inside another one, which are walked with it.
pub(crate) fn outermost(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    folders.sort();
    folders.dedup_by(|inner, outer| inner.starts_with(&*outer));
    folders
}

/// One index run.
pub(crate) struct Run<'a> {
    pub(crate) request: &'a IndexRequest,
    pub(crate) encoders: &'a Encoders,
    pub(crate) decode: &'a DecodeOptions,
    /// Read by the preparing threads, written by the calling thread alone.
    pub(crate) writer: RwLock<IndexWriter>,
    /// Contents under preparation, so that of identical files only one is decoded.
    claimed: Mutex<HashSet<Hash>>,
    pub(crate) ledger: Ledger,
    last_commit: Instant,
    pub(crate) progress: &'a mut OnProgress<'a>,
    /// The index that is embedded again with another model.
    pub(crate) before: Option<&'a IndexReader>,
}

impl Run<'_> {
    fn all(
        &mut self,
        folders: Vec<PathBuf>,
        sets: Vec<(PathBuf, Vec<CaptionSet>)>,
    ) -> Result<ControlFlow<()>, EngineError> {
        let mut visits = Vec::new();
        for folder in folders {
            if self
                .tell(Stage::Walking, self.ledger.report.n_seen, 0, Instant::now())
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            // With `prune` all of a missing folder is gone. When the model is changed, it holds the
            // change back.
            let walk = if folder.exists() {
                walk(&folder)
            } else {
                Walk::default()
            };
            self.ledger.report.n_seen += walk.candidates.len();
            self.ledger
                .report
                .skipped
                .extend(walk.unreadable.iter().cloned());
            let known = self.writing().files_under(&folder)?;
            // Before its files: an image's words are the names from its library folder down.
            self.note_library(&folder, known.len())?;
            visits.push(Visit {
                folder,
                walk,
                known,
            });
        }
        if self.read_missing_details(&visits)?.is_break() || self.pictures(&visits)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.drop_captions_of_old_content()?;
        for visit in &visits {
            self.remove_gone(visit)?;
        }
        self.commit()?;
        let texts = visits
            .iter()
            .flat_map(|visit| &visit.walk.texts)
            .cloned()
            .collect();
        let pictures = visits.iter().flat_map(|visit| &visit.walk.candidates);
        let pictures: Vec<&Path> = pictures.map(|candidate| candidate.path.as_path()).collect();
        if self.captions(&pictures, &texts, sets)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        for visit in &visits {
            let n_files = self.writing().files_under(&visit.folder)?.len();
            self.note_library(&visit.folder, n_files)?;
        }
        // Folders inside others that were indexed on their own once.
        let before = self.before.map_or(Ok(Vec::new()), IndexReader::libraries)?;
        for library in before {
            if visits.iter().all(|visit| visit.folder != library.folder) {
                let n_files = self.writing().files_under(&library.folder)?.len() as u64;
                self.writing().put_library(Library { n_files, ..library })?;
            }
        }
        self.note_run(false);
        self.commit()?;
        Ok(ControlFlow::Continue(()))
    }

    /// What `sightline status` tells of this run.
    fn note_run(&mut self, interrupted: bool) {
        let report = &self.ledger.report;
        let run = LastRun {
            ended_unix_s: unix_s(),
            n_seen: report.n_seen as u64,
            n_added: report.n_added as u64,
            n_changed: (report.n_changed + report.n_changed_to_known) as u64,
            n_removed: report.n_removed as u64,
            n_skipped: report.skipped.len() as u64,
            interrupted,
        };
        self.writing().put_last_run(&run);
    }

    fn note_library(&mut self, folder: &Path, n_files: usize) -> Result<(), EngineError> {
        let last_run_unix_s = unix_s();
        let folder = folder.to_path_buf();
        Ok(self.writing().put_library(Library {
            folder,
            n_files: n_files as u64,
            last_run_unix_s,
        })?)
    }

    /// The writer, from the thread that owns this run.
    pub(crate) fn writing(&mut self) -> &mut IndexWriter {
        self.writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(
        &mut self,
        stage: Stage,
        n_done: usize,
        n_total: usize,
        began: Instant,
    ) -> ControlFlow<()> {
        let n_skipped = self.ledger.report.skipped.len();
        let elapsed = began.elapsed();
        (self.progress)(&Progress {
            stage,
            n_done,
            n_total,
            n_skipped,
            elapsed,
        })
    }

    fn commit(&mut self) -> Result<(), EngineError> {
        self.writing().commit()?;
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Commits when enough has gathered or enough time has passed.
    pub(crate) fn commit_if_due(&mut self) -> Result<(), EngineError> {
        let n_pending = self.writing().n_pending();
        let due = n_pending >= self.request.commit_every
            || (n_pending > 0 && self.last_commit.elapsed() >= self.request.commit_interval);
        if due { self.commit() } else { Ok(()) }
    }

    fn pictures(&mut self, visits: &[Visit]) -> Result<ControlFlow<()>, EngineError> {
        let mut jobs = Vec::new();
        for visit in visits {
            for (candidate, record) in visit.files() {
                match record {
                    Some(record) if is_unchanged(candidate, record) => {
                        self.ledger.report.n_unchanged += 1;
                    }
                    before => {
                        if let Some(record) = before {
                            self.ledger.note_known(&candidate.path, record.image);
                        }
                        jobs.push(candidate.clone());
                    }
                }
            }
        }
        let began = Instant::now();
        let flow = self.prepare_and_encode(jobs, began)?;
        self.ledger.report.elapsed_pictures = began.elapsed();
        Ok(flow)
    }

    fn prepare_and_encode(
        &mut self,
        jobs: Vec<Candidate>,
        began: Instant,
    ) -> Result<ControlFlow<()>, EngineError> {
        let n_total = jobs.len();
        let n_before = self.ledger.n_settled;
        // The threads borrow what they read; the rest of the run stays with this thread. The
        // writer is taken out for that long, since it is shared.
        let Run {
            request,
            encoders,
            decode,
            writer,
            claimed,
            ledger,
            last_commit,
            progress,
            before: _,
        } = self;
        let (request, encoders, writer) = (&**request, &**encoders, &*writer);
        let preparing = Preparing {
            encoders,
            decoding: Decoding::new(decode, encoders),
            writer,
            claimed,
        };
        let mut storing = Storing {
            request,
            preparing: &preparing,
            writer,
            ledger,
            last_commit,
            twins: HashMap::new(),
            bad: HashMap::new(),
        };
        let lanes = lanes(request, encoders, jobs.len());
        let finder = finder(request, encoders, &lanes);
        let shape = shape(request, &finder, &lanes);
        let encoding = Encoding::new(encoders, finder);
        let mut interrupted = false;
        let flow = pipeline::run(
            jobs.into_iter(),
            shape,
            |candidate| preparing.prepare(candidate),
            |number, inlet, findings| encoding.run(lanes[number], inlet, findings),
            |event, stop| {
                if let Event::Ready(finding) = event {
                    storing
                        .take(finding)
                        .map_or_else(ControlFlow::Break, go_on)?;
                }
                storing
                    .commit_if_due()
                    .map_or_else(ControlFlow::Break, go_on)?;
                // What is encoded already is still written after a stop; it is not asked again.
                let now = Progress {
                    stage: Stage::Pictures,
                    n_done: storing.ledger.n_settled - n_before,
                    n_total,
                    n_skipped: storing.ledger.report.skipped.len(),
                    elapsed: began.elapsed(),
                };
                if !interrupted && progress(&now).is_break() {
                    interrupted = true;
                    stop.stop();
                }
                ControlFlow::Continue(())
            },
        );
        if let ControlFlow::Break(error) = flow {
            return Err(error);
        }
        self.ledger.report.encoding = encoding.into_figures();
        let n_done = self.ledger.n_settled - n_before;
        if interrupted
            || self
                .tell(Stage::Pictures, n_done, n_total, began)
                .is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes out of the index what the walk did not see, unless it could not see it, or the whole
    /// folder seems to be away.
    fn remove_gone(&mut self, visit: &Visit) -> Result<(), EngineError> {
        let Visit {
            folder,
            walk,
            known,
        } = visit;
        if walk.candidates.is_empty() && !known.is_empty() && !self.request.prune {
            self.ledger
                .report
                .held_back
                .push((folder.clone(), known.len()));
            return Ok(());
        }
        let seen: HashSet<&Path> = walk
            .candidates
            .iter()
            .map(|candidate| candidate.path.as_path())
            .collect();
        for (path, record) in known {
            if !seen.contains(path.as_path()) && !walk.hides(path) {
                // A text beside a picture belongs to this path; the image may live on under another.
                self.drop_sidecar_captions(path, record.image)?;
                self.writing().remove_file(path)?;
                self.ledger.removed(record.image);
            }
        }
        Ok(())
    }
}

/// Now, in seconds since 1970.
fn unix_s() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn go_on(_: ()) -> ControlFlow<EngineError> {
    ControlFlow::Continue(())
}

/// From so many pictures on it pays to load the image tower once more for a second lane.
pub(crate) const MANY: usize = 100;

/// The lanes of a run over so many pictures.
pub(crate) fn lanes(request: &IndexRequest, encoders: &Encoders, n_pictures: usize) -> Vec<Lane> {
    let is_split = !request.no_split && n_pictures >= MANY;
    Lane::all(if is_split {
        encoders.image().n_parts()
    } else {
        1
    })
}

/// How the batch size of a run is come by.
pub(crate) fn finder(request: &IndexRequest, encoders: &Encoders, lanes: &[Lane]) -> BatchFinder {
    match request.batch_size {
        Some(size) => BatchFinder::fixed(size),
        None if encoders.image().has_own_device() => BatchFinder::among(DEVICE_SIZES),
        None if lanes.len() > 1 => BatchFinder::among(PART_SIZES),
        None => BatchFinder::among(SIZES),
    }
}

/// Two full batches may wait for each lane, and more results than that for the writer, so that
/// encoding goes on while the writer waits for the disk. A result is small, a prepared picture
/// is not.
pub(crate) fn shape(request: &IndexRequest, finder: &BatchFinder, lanes: &[Lane]) -> Shape {
    let n_at_once = finder.largest() * lanes.len();
    Shape {
        n_workers: request.n_decoders.unwrap_or_else(pipeline::default_workers),
        n_prepared: 2 * n_at_once,
        n_encoders: lanes.len(),
        n_encoded: 4 * n_at_once,
    }
}
