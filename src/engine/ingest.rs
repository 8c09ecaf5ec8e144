//! The `index` pipeline: walk → changed? → decode → encode → commit.
//!
//! Threads read, hash, decode and preprocess; the calling thread owns the encoder and the writer.
//! Whatever was finished is committed every so often, so a run that is stopped or killed goes on
//! where it was.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sightline_index::{FileRecord, IndexWriter, ItemId, Library, UnitVector};
use sightline_onnx::Pixels;
use sightline_onnx::picture::{self, DecodeLimits};

use super::ledger::Ledger;
use super::pipeline::{self, Event};
use super::report::{IndexReport, Progress, Skipped, Stage};
use super::walk::{Candidate, Walk, walk};
use super::{Encoders, Engine, EngineError};

type Hash = [u8; 32];

/// What to index and how.
#[derive(Debug, Clone)]
pub struct IndexRequest {
    /// Library folders, walked recursively.
    pub folders: Vec<PathBuf>,
    /// Captions files: JSON lines `{"image": …, "captions": […]}` with paths relative to the
    /// file, or plain text with one caption a line. Sidecars (`photo.txt`) are found by the walk.
    pub captions: Vec<PathBuf>,
    /// Also remove what is gone when a whole library folder is missing or empty.
    pub prune: bool,
    /// Refuses pictures that are too large to decode safely.
    pub limits: DecodeLimits,
    /// Pictures encoded at once.
    pub batch_size: usize,
    /// Pictures or captions after which what is finished is committed.
    pub commit_every: usize,
    /// Time after which it is committed all the same.
    pub commit_interval: Duration,
}

impl IndexRequest {
    /// One library folder with the usual settings.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folders: vec![folder.into()],
            ..Self::default()
        }
    }
}

impl Default for IndexRequest {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            captions: Vec::new(),
            prune: false,
            limits: DecodeLimits::default(),
            batch_size: 8,
            commit_every: 1000,
            commit_interval: Duration::from_secs(10),
        }
    }
}

/// A progress callback: breaking stops the run after what is under way.
pub(super) type OnProgress<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// A library folder with what one walk over it saw.
struct Visit {
    folder: PathBuf,
    walk: Walk,
    /// Files the index held under the folder before this run.
    known: Vec<(PathBuf, FileRecord)>,
}

/// What a thread found out about one file.
struct Prepared {
    candidate: Candidate,
    content: Content,
}

enum Content {
    /// An image of the index has this content.
    Known(ItemId),
    /// Another file of this run has the same content and is being prepared already.
    Twin(Hash),
    /// A new picture.
    Fresh {
        hash: Hash,
        width: u32,
        height: u32,
        pixels: Pixels,
    },
    /// Not a picture that can be read.
    Bad { hash: Option<Hash>, reason: String },
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
    /// was made by another model, or the model cannot be run. What was committed before stays.
    pub fn index(
        &self,
        request: &IndexRequest,
        progress: &mut OnProgress<'_>,
    ) -> Result<IndexReport, EngineError> {
        let began = Instant::now();
        // Everything that can be refused is looked at before the index is touched.
        let mut sets = Vec::new();
        for path in &request.captions {
            let path = fs_err::canonicalize(path)?;
            sets.push((path.clone(), super::caption_files::read(&path)?));
        }
        let folders = resolve_folders(self, request)?;
        let writer = IndexWriter::open_or_create(self.folder(), &self.binding())?;
        let mut run = Run {
            request,
            encoders: self.encoders(),
            writer: RwLock::new(writer),
            claimed: Mutex::new(HashMap::new()),
            ledger: Ledger::default(),
            last_commit: Instant::now(),
            progress,
        };
        let outcome = run.all(folders, sets);
        let Run {
            writer, mut ledger, ..
        } = run;
        let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Even after an error what is finished is kept; the first error is the one to report.
        let finished = writer.finish();
        self.forget_reader();
        ledger.report.interrupted = outcome?.is_break();
        finished?;
        ledger.report.elapsed = began.elapsed();
        Ok(ledger.into_report())
    }
}

/// Absolute folders, each once; a missing one is an error unless `prune` asks to forget it.
fn resolve_folders(engine: &Engine, request: &IndexRequest) -> Result<Vec<PathBuf>, EngineError> {
    let mut folders = Vec::new();
    for folder in &request.folders {
        let resolved = match fs_err::canonicalize(folder) {
            Ok(resolved) if resolved.is_dir() => resolved,
            Ok(_) => {
                return Err(EngineError::NotAFolder {
                    path: folder.clone(),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let absolute = std::path::absolute(folder)?;
                let n_indexed = engine
                    .reader()
                    .and_then(|reader| Ok(reader.files_under(&absolute)?.len()))
                    .unwrap_or(0);
                if !(request.prune && n_indexed > 0) {
                    return Err(EngineError::FolderMissing {
                        path: folder.clone(),
                        n_indexed,
                    });
                }
                absolute
            }
            Err(error) => return Err(error.into()),
        };
        folders.push(resolved);
    }
    folders.sort();
    // A folder inside another one is walked with it.
    folders.dedup_by(|inner, outer| inner.starts_with(&*outer));
    Ok(folders)
}

/// One index run.
pub(super) struct Run<'a> {
    pub(super) request: &'a IndexRequest,
    pub(super) encoders: &'a Encoders,
    /// Read by the preparing threads, written by the calling thread alone.
    pub(super) writer: RwLock<IndexWriter>,
    /// Contents under preparation, so that of identical files only one is decoded.
    claimed: Mutex<HashMap<Hash, ()>>,
    pub(super) ledger: Ledger,
    last_commit: Instant,
    pub(super) progress: &'a mut OnProgress<'a>,
}

impl Run<'_> {
    fn all(
        &mut self,
        folders: Vec<PathBuf>,
        sets: Vec<(PathBuf, Vec<super::caption_files::CaptionSet>)>,
    ) -> Result<ControlFlow<()>, EngineError> {
        let mut visits = Vec::new();
        for folder in folders {
            if self
                .tell(Stage::Walking, self.ledger.report.n_seen, 0, Instant::now())
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            let walk = walk(&folder);
            self.ledger.report.n_seen += walk.candidates.len();
            self.ledger
                .report
                .skipped
                .extend(walk.unreadable.iter().cloned());
            let known = self.writing().files_under(&folder)?;
            visits.push(Visit {
                folder,
                walk,
                known,
            });
        }
        if self.pictures(&visits)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
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
            let n_files = self.writing().files_under(&visit.folder)?.len() as u64;
            let library = Library {
                folder: visit.folder.clone(),
                n_files,
                last_run_unix_s: std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |since| since.as_secs()),
            };
            self.writing().put_library(library)?;
        }
        self.commit()?;
        // What follows, freezing the graphs, cannot be stopped, only announced.
        let _ = self.tell(Stage::Building, 0, 0, Instant::now());
        Ok(ControlFlow::Continue(()))
    }

    /// The writer, from the thread that owns this run.
    pub(super) fn writing(&mut self) -> &mut IndexWriter {
        self.writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(
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
    pub(super) fn commit_if_due(&mut self) -> Result<(), EngineError> {
        let n_pending = self.writing().n_pending();
        let due = n_pending >= self.request.commit_every
            || (n_pending > 0 && self.last_commit.elapsed() >= self.request.commit_interval);
        if due { self.commit() } else { Ok(()) }
    }

    fn pictures(&mut self, visits: &[Visit]) -> Result<ControlFlow<()>, EngineError> {
        let mut jobs = Vec::new();
        for visit in visits {
            let known: HashMap<&Path, &FileRecord> = visit
                .known
                .iter()
                .map(|(path, record)| (path.as_path(), record))
                .collect();
            for candidate in &visit.walk.candidates {
                match known.get(candidate.path.as_path()) {
                    Some(record)
                        if record.n_bytes == candidate.n_bytes
                            && record.modified_ns == candidate.modified_ns =>
                    {
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
        let mut batch = Batch::default();
        // The threads borrow what they read; the rest of the run stays with this thread. The
        // writer is taken out for that long, since it is shared.
        let Run {
            request,
            encoders,
            writer,
            claimed,
            ledger,
            last_commit,
            progress,
        } = self;
        let (request, encoders, writer, claimed) = (&**request, &**encoders, &*writer, &*claimed);
        let prepare = |candidate| prepare(candidate, request, encoders, writer, claimed);
        let mut encoding = Encoding {
            request,
            encoders,
            writer,
            ledger,
            last_commit,
        };
        let queue = 2 * request.batch_size;
        let workers = pipeline::default_workers();
        let flow = pipeline::run(jobs.into_iter(), workers, queue, prepare, |event| {
            let idle = matches!(event, Event::Idle);
            if let Event::Ready(prepared) = event {
                encoding
                    .take(prepared, &mut batch)
                    .map_or_else(stop_with, go_on)?;
            }
            if batch.ready.len() >= request.batch_size || (idle && !batch.ready.is_empty()) {
                encoding.flush(&mut batch).map_or_else(stop_with, go_on)?;
            }
            encoding.commit_if_due().map_or_else(stop_with, go_on)?;
            let report = &encoding.ledger.report;
            let now = Progress {
                stage: Stage::Pictures,
                n_done: encoding.ledger.n_settled - n_before,
                n_total,
                n_skipped: report.skipped.len(),
                elapsed: began.elapsed(),
            };
            match progress(&now) {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(()) => ControlFlow::Break(None),
            }
        });
        let interrupted = match flow {
            ControlFlow::Break(Some(error)) => return Err(error),
            ControlFlow::Break(None) => true,
            ControlFlow::Continue(()) => false,
        };
        encoding.flush(&mut batch)?;
        let n_done = encoding.ledger.n_settled - n_before;
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
        let seen: std::collections::HashSet<&Path> = walk
            .candidates
            .iter()
            .map(|candidate| candidate.path.as_path())
            .collect();
        for (path, record) in known {
            if !seen.contains(path.as_path()) && !walk.hides(path) {
                self.writing().remove_file(path)?;
                self.ledger.removed(record.image);
            }
        }
        Ok(())
    }
}

fn stop_with<C>(error: EngineError) -> ControlFlow<Option<EngineError>, C> {
    ControlFlow::Break(Some(error))
}

fn go_on(_: ()) -> ControlFlow<Option<EngineError>> {
    ControlFlow::Continue(())
}

/// Reads, hashes and, if its content is new, decodes and preprocesses one file. Runs on many
/// threads.
fn prepare(
    candidate: Candidate,
    request: &IndexRequest,
    encoders: &Encoders,
    writer: &RwLock<IndexWriter>,
    claimed: &Mutex<HashMap<Hash, ()>>,
) -> Prepared {
    let bad = |hash, reason| Content::Bad { hash, reason };
    let content = 'content: {
        if candidate.n_bytes > request.limits.max_bytes {
            let reason = format!("larger than {} MB", request.limits.max_bytes / 1_000_000);
            break 'content bad(None, reason);
        }
        let bytes = match fs_err::read(&candidate.path) {
            Ok(bytes) => bytes,
            Err(error) => break 'content bad(None, unreadable(&error)),
        };
        let hash: Hash = *blake3::hash(&bytes).as_bytes();
        let known = writer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .image_with_hash(&hash);
        match known {
            Ok(Some(image)) => break 'content Content::Known(image),
            Ok(None) => {}
            Err(error) => break 'content bad(None, error.to_string()),
        }
        let mut claims = claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.insert(hash, ()).is_some() {
            break 'content Content::Twin(hash);
        }
        drop(claims);
        match picture::decode(&bytes, &request.limits) {
            Ok(picture) => Content::Fresh {
                hash,
                width: picture.width(),
                height: picture.height(),
                pixels: encoders.image().prepare(&picture),
            },
            Err(error) => bad(Some(hash), error.to_string()),
        }
    };
    Prepared { candidate, content }
}

/// The cause without the path, which the report shows beside it.
fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
        std::io::ErrorKind::NotFound => "gone before it was read".to_owned(),
        kind => kind.to_string(),
    }
}

/// A picture that waits to be encoded.
struct Ready {
    candidate: Candidate,
    hash: Hash,
    width: u32,
    height: u32,
    pixels: Pixels,
}

#[derive(Default)]
struct Batch {
    ready: Vec<Ready>,
    /// Files whose content another file of this run is bringing.
    twins: HashMap<Hash, Vec<Candidate>>,
    /// Contents that turned out to be bad, for twins that come later.
    bad: HashMap<Hash, String>,
}

/// The consumer's side of the pipeline: the encoder, the writer and the books.
struct Encoding<'a, 'w> {
    request: &'a IndexRequest,
    encoders: &'a Encoders,
    writer: &'w RwLock<IndexWriter>,
    ledger: &'a mut Ledger,
    last_commit: &'a mut Instant,
}

impl Encoding<'_, '_> {
    fn take(&mut self, prepared: Prepared, batch: &mut Batch) -> Result<(), EngineError> {
        let Prepared { candidate, content } = prepared;
        match content {
            Content::Known(image) => self.link(candidate, image),
            Content::Twin(hash) => {
                let image = self
                    .writer
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .image_with_hash(&hash)?;
                match (image, batch.bad.get(&hash)) {
                    (Some(image), _) => self.link(candidate, image),
                    (None, Some(reason)) => self.skip(candidate, reason.clone()),
                    (None, None) => {
                        batch.twins.entry(hash).or_default().push(candidate);
                        Ok(())
                    }
                }
            }
            Content::Fresh {
                hash,
                width,
                height,
                pixels,
            } => {
                batch.ready.push(Ready {
                    candidate,
                    hash,
                    width,
                    height,
                    pixels,
                });
                Ok(())
            }
            Content::Bad { hash, reason } => {
                if let Some(hash) = hash {
                    self.skip_all(batch, hash, &reason)?;
                }
                self.skip(candidate, reason)
            }
        }
    }

    /// Encodes what is ready. When a batch fails it is tried one by one, so that one picture the
    /// model chokes on does not take its neighbours along.
    fn flush(&mut self, batch: &mut Batch) -> Result<(), EngineError> {
        if batch.ready.is_empty() {
            return Ok(());
        }
        let (pixels, rest): (Vec<Pixels>, Vec<_>) = std::mem::take(&mut batch.ready)
            .into_iter()
            .map(|ready| {
                (
                    ready.pixels,
                    (ready.candidate, ready.hash, ready.width, ready.height),
                )
            })
            .unzip();
        let embeddings = match self.encoders.image().encode(&pixels) {
            Ok(embeddings) => embeddings.into_iter().map(Ok).collect(),
            Err(error) if pixels.len() == 1 || error.is_runtime() => return Err(error),
            Err(error) => {
                let one = |pixels| self.encoders.image().encode(std::slice::from_ref(pixels));
                let singly: Vec<_> = pixels.iter().map(one).collect();
                if singly.iter().all(Result::is_err) {
                    return Err(error);
                }
                singly
                    .into_iter()
                    .map(|one| one.map(|mut one| one.swap_remove(0)))
                    .collect::<Vec<_>>()
            }
        };
        for ((candidate, hash, width, height), embedding) in rest.into_iter().zip(embeddings) {
            let vector = embedding
                .map_err(|error| error.to_string())
                .and_then(|e| UnitVector::new(e).map_err(|error| error.to_string()));
            match vector {
                Ok(vector) => self.put(batch, candidate, hash, (width, height), vector)?,
                Err(reason) => {
                    self.skip_all(batch, hash, &reason)?;
                    self.skip(candidate, reason)?;
                }
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        batch: &mut Batch,
        candidate: Candidate,
        hash: Hash,
        (width, height): (u32, u32),
        vector: UnitVector,
    ) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let image = writer.put_image(hash, width, height, vector)?;
        writer.put_file(&candidate.path, record(&candidate, image))?;
        drop(writer);
        self.ledger.encoded(&candidate.path);
        for twin in batch.twins.remove(&hash).unwrap_or_default() {
            self.link(twin, image)?;
        }
        Ok(())
    }

    /// Gives a file to an image that is there already.
    fn link(&mut self, candidate: Candidate, image: ItemId) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        writer.put_file(&candidate.path, record(&candidate, image))?;
        drop(writer);
        self.ledger.linked(&candidate.path, image);
        Ok(())
    }

    fn skip_all(&mut self, batch: &mut Batch, hash: Hash, reason: &str) -> Result<(), EngineError> {
        for twin in batch.twins.remove(&hash).unwrap_or_default() {
            self.skip(twin, reason.to_owned())?;
        }
        batch.bad.insert(hash, reason.to_owned());
        Ok(())
    }

    /// Reports a bad file. What the index held under its path is of an older content and leaves.
    fn skip(&mut self, candidate: Candidate, reason: String) -> Result<(), EngineError> {
        if self.ledger.was_known(&candidate.path) {
            let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
            writer.remove_file(&candidate.path)?;
        }
        self.ledger.skipped(Skipped {
            path: candidate.path,
            reason,
        });
        Ok(())
    }

    fn commit_if_due(&mut self) -> Result<(), EngineError> {
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let n_pending = writer.n_pending();
        let in_time = self.last_commit.elapsed() < self.request.commit_interval;
        if n_pending >= self.request.commit_every || (n_pending > 0 && !in_time) {
            writer.commit()?;
            *self.last_commit = Instant::now();
        }
        Ok(())
    }
}

fn record(candidate: &Candidate, image: ItemId) -> FileRecord {
    FileRecord {
        n_bytes: candidate.n_bytes,
        modified_ns: candidate.modified_ns,
        image,
    }
}
