//! What the engine returns to its callers: plain data with public fields.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sightline_index::{
    Binding, BuildProgress, BuildStep, DamagedData, GraphState, IndexError, IndexReader, ItemKind,
    Language, LastRun, Library, Sizes,
};

use sightline_onnx::Language as TextLanguage;

use crate::engine::EngineError;

/// A file, or a line of a captions file, that was skipped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why, in a few words.
    pub reason: String,
}

/// What a model makes of a text as a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The language that it is taken for; `None` of a model with one text tower, and of a text that
    /// could be in any.
    pub language: Option<TextLanguage>,
    /// Which of the model's text towers encodes it, from 0; `None` of a model with one.
    pub tower: Option<usize>,
    /// Whether the vocabulary has any part of it. A search by both rankings for a text without one
    /// is by words alone.
    pub is_known: bool,
    /// Number of tokens at its end that the model ignores because it is too long.
    pub n_tokens_dropped: usize,
}

/// What an index run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for another run of the same engine.
    Waiting,
    /// Looking for files.
    Walking,
    /// Reading the metadata of pictures that an older version indexed without it.
    Details,
    /// Reading, decoding and encoding pictures.
    Pictures,
    /// Encoding captions.
    Captions,
    /// Building the search graphs.
    Building,
    /// Computing how near pictures are to everything.
    Biases,
    /// Comparing pictures with those near them.
    Comparing,
    /// Encoding a picture with parts of it masked.
    Masking,
    /// Encoding the phrases of the bank, once per model.
    Phrases,
    /// Encoding the tags of the bank, once per model.
    Labels,
    /// Tagging pictures.
    Tagging,
}

impl Stage {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Walking => "walking",
            Self::Details => "details",
            Self::Pictures => "pictures",
            Self::Captions => "captions",
            Self::Building => "building",
            Self::Biases => "biases",
            Self::Comparing => "comparing",
            Self::Masking => "masking",
            Self::Phrases => "phrases",
            Self::Labels => "labels",
            Self::Tagging => "tagging",
        }
    }

    pub(crate) fn of(step: BuildStep) -> Self {
        match step {
            BuildStep::HubBiases => Self::Biases,
            _ => Self::Building,
        }
    }
}

/// Progress of an index run or an evaluation.
#[derive(Debug, Clone)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How many of this stage's files or captions are done.
    pub n_done: usize,
    /// How many there are in all.
    pub n_total: usize,
    /// How many were skipped so far.
    pub n_skipped: usize,
    /// Time since the stage began.
    pub elapsed: Duration,
    /// What of it the rate leaves out.
    pub first_runs: FirstRuns,
}

/// The first batch of each size on a device other than the processor. The device is set up for that
/// size meanwhile, which may take longer than the rest of the run, so rates leave it out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstRuns {
    /// Pictures in these batches.
    pub n_pictures: usize,
    /// Time that they took.
    pub took: Duration,
}

impl FirstRuns {
    /// Pictures per second without the first runs, unless there is nothing else.
    fn rate(&self, n_pictures: usize, elapsed: Duration) -> f64 {
        let rate = |n: usize, elapsed: Duration| n as f64 / elapsed.as_secs_f64().max(1e-3);
        match n_pictures.checked_sub(self.n_pictures) {
            Some(n @ 1..) => rate(n, elapsed.saturating_sub(self.took)),
            _ => rate(n_pictures, elapsed),
        }
    }
}

/// Receives progress; breaking stops the run after what is in progress.
pub type OnProgress<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

impl Progress {
    /// How far tagging is.
    pub(super) fn tagging(n_done: usize, n_total: usize, n_skipped: usize, began: Instant) -> Self {
        Self {
            stage: Stage::Tagging,
            n_done,
            n_total,
            n_skipped,
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        }
    }

    /// Files or captions per second since the stage began, without the first runs on a device.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.first_runs.rate(self.n_done, self.elapsed)
    }

    /// Estimated time left; `None` until something is done.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let rate = self.rate();
        let n_left = self.n_total.saturating_sub(self.n_done);
        (self.n_done > 0).then(|| Duration::from_secs_f64(n_left as f64 / rate))
    }
}

/// Receives the progress of building a graph. Whoever kills the process meanwhile loses nothing but
/// that graph.
pub type OnBuilding<'a> = dyn FnMut(&Progress) + 'a;

/// Passes the progress of building a graph on to `progress`.
pub(crate) fn building(
    progress: &mut OnBuilding<'_>,
) -> impl FnMut(BuildProgress) -> ControlFlow<()> {
    let began = Instant::now();
    move |build: BuildProgress| {
        progress(&Progress {
            stage: Stage::of(build.step),
            n_done: build.n_done,
            n_total: build.n_total,
            n_skipped: 0,
            elapsed: began.elapsed(),
            first_runs: FirstRuns::default(),
        });
        ControlFlow::Continue(())
    }
}

/// Why work was postponed that does not change what is found: each error with its causes.
pub(crate) fn reasons(postponed: &[IndexError]) -> Vec<String> {
    let reason = |error: &IndexError| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    };
    postponed.iter().map(reason).collect()
}

/// What became of the file with the vectors of the phrase bank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BankReport {
    /// The file was there and could not be used, and why: all was encoded again.
    pub unusable: Option<(PathBuf, &'static str)>,
    /// Why the vectors could not be kept. The next process encodes them again.
    pub not_kept: Option<String>,
}

/// Throughput of the encoder in an index run, over all its lanes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncodingFigures {
    /// Pictures per batch: as given, or as measured; `None` when too few were encoded to measure
    /// it.
    pub batch_size: Option<usize>,
    /// Pictures encoded.
    pub n_encoded: usize,
    /// Batches they were encoded in.
    pub n_batches: usize,
    /// Batches for which a lane waited because nothing was prepared yet.
    pub n_starved: usize,
    /// Total waiting time of all lanes. Their cores are free for the decoders meanwhile.
    pub waited: Duration,
    /// Total encoding time of all lanes.
    pub encoded: Duration,
    /// The part of it that rates leave out.
    pub first_runs: FirstRuns,
}

impl EncodingFigures {
    pub(crate) fn note(&mut self, n: usize, took: Duration, waited: Duration) {
        self.n_encoded += n;
        self.n_batches += 1;
        self.n_starved += usize::from(waited > Duration::ZERO);
        self.waited += waited;
        self.encoded += took;
    }

    pub(crate) fn note_first_run(&mut self, n: usize, took: Duration) {
        self.first_runs.n_pictures += n;
        self.first_runs.took += took;
    }

    /// Share of batches for which the encoder waited, 0…1.
    #[must_use]
    pub fn starved(&self) -> f64 {
        self.n_starved as f64 / self.n_batches.max(1) as f64
    }
}

/// A change of the model of an index, planned or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChange {
    /// Name of the old model; followed by the start of its fingerprint if both have the same name.
    pub from: String,
    /// Name of the new model, likewise.
    pub to: String,
    /// Images of the index.
    pub n_images: u64,
    /// Images that an earlier run has already embedded again.
    pub n_before: u64,
    /// Name of the model of an unfinished change that is discarded for this one.
    pub discarded: Option<String>,
    /// Whether the index uses the new model now. If not, the next run continues the change.
    pub is_done: bool,
}

/// A change of the model that is not complete: searches use the old model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedChange {
    /// What exists of the new index. Deleting this folder cancels the change.
    pub folder: PathBuf,
    /// Name of the new model.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Length of its vectors.
    pub dimension: usize,
    /// Images embedded again so far.
    pub n_images: u64,
}

impl UnfinishedChange {
    /// The unfinished change of an index, if there is one.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn read(index: &Path) -> Result<Option<Self>, EngineError> {
        let Some(found) = sightline_index::unfinished(index)? else {
            return Ok(None);
        };
        let Binding {
            dimension,
            fingerprint,
            model,
        } = found.binding;
        // If nothing is committed yet, or it is damaged, the change starts over.
        let reader = IndexReader::open(&found.folder, None);
        Ok(Some(Self {
            n_images: reader.map_or(0, |reader| reader.counts().n_images),
            folder: found.folder,
            model,
            fingerprint,
            dimension,
        }))
    }
}

/// What an index run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexReport {
    /// Picture files found.
    pub n_seen: usize,
    /// New pictures.
    pub n_added: usize,
    /// Files with the same content as before. Those of the same size and times are not opened.
    pub n_unchanged: usize,
    /// Unchanged files that were read to find that out, since their times differ or
    /// [`IndexRequest::reread`](crate::IndexRequest) asks for it.
    pub n_reread: usize,
    /// Files whose content changed to something new.
    pub n_changed: usize,
    /// Files whose content changed to that of another picture of the index.
    pub n_changed_to_known: usize,
    /// Files found under a new path; they keep their vectors.
    pub n_moved: usize,
    /// Files with the same content as another one; they share its vector.
    pub n_copies: usize,
    /// Files that were deleted.
    pub n_removed: usize,
    /// Captions added.
    pub n_captions_added: usize,
    /// Captions removed.
    pub n_captions_removed: usize,
    /// For each added caption that is too long for the model, the file it came from. Only its first
    /// tokens were encoded; keyword search covers all of it.
    pub cut_captions: Vec<PathBuf>,
    /// Skipped files, captions, and lines of captions files. The reason begins with the line.
    pub skipped: Vec<Skipped>,
    /// Captions and lines among them.
    pub n_captions_skipped: usize,
    /// Text files beside pictures none of which has their name, so that they are nobody's captions.
    pub unused_texts: Vec<PathBuf>,
    /// Library folders that were empty or missing although the index holds files from them (as when
    /// a disk is not mounted), and folders in them of which the same is likely, and how many files.
    /// None of these was removed. In a change of the model also library folders with files that
    /// could not be read.
    pub held_back: Vec<(PathBuf, usize)>,
    /// The change of the model, if the run was one. It is not done while folders are held back.
    pub model_change: Option<ModelChange>,
    /// Work after the last commit that failed, and why: the next run does it. Searches may be
    /// slower until then.
    pub postponed: Vec<String>,
    /// Images that were tagged; `None` if that was not asked for.
    pub n_tagged: Option<usize>,
    /// What became of the file of vectors of the phrase bank.
    pub bank: BankReport,
    /// Whether the run was stopped early. Finished work is committed.
    pub interrupted: bool,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Wall time of reading and encoding pictures.
    pub(crate) elapsed_pictures: Duration,
    /// Throughput of the encoder.
    pub encoding: EncodingFigures,
}

impl IndexReport {
    /// Pictures read and encoded (new and changed).
    #[must_use]
    pub fn n_encoded(&self) -> usize {
        self.n_added + self.n_changed
    }

    /// Pictures encoded per second, without the first runs on a device.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let first_runs = self.encoding.first_runs;
        first_runs.rate(self.n_encoded(), self.elapsed_pictures)
    }
}

/// How the items of a kind are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindStatus {
    /// How many there are.
    pub n_items: u64,
    /// The state of their graphs.
    pub graph: GraphState,
    /// Number of graphs, each of a range of items.
    pub n_graphs: u64,
    /// Items of the graph that were removed from the index.
    pub n_tombstones: u64,
    /// Vectors that a walk of the graph does not reach; every search compares them one by one.
    pub n_loose: u64,
}

impl KindStatus {
    fn read(
        reader: &IndexReader,
        kind: ItemKind,
        n_items: u64,
        graph: GraphState,
    ) -> Result<Self, EngineError> {
        let leftovers = reader.leftovers(kind)?;
        Ok(Self {
            n_items,
            graph,
            n_graphs: reader.n_graphs(kind),
            n_tombstones: leftovers.n_tombstones,
            n_loose: leftovers.n_loose,
        })
    }

    /// Number of items searched by the graph, and of those compared one by one.
    #[must_use]
    pub fn in_graph_and_fresh(&self) -> (u64, u64) {
        match self.graph {
            GraphState::Ready { n_items, n_fresh } => (n_items, n_fresh),
            _ => (0, self.n_items),
        }
    }
}

/// What an index holds.
#[derive(Debug, Clone)]
pub struct Status {
    /// The index folder.
    pub folder: PathBuf,
    /// Name of the model that made the vectors.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Length of the vectors.
    pub dimension: usize,
    /// The language for stemming.
    pub language: Language,
    /// Number of the last commit.
    pub generation: u64,
    /// Images: pictures with different content.
    pub n_images: u64,
    /// Captions.
    pub n_captions: u64,
    /// Captions without a picture.
    pub n_captions_alone: u64,
    /// Files.
    pub n_files: u64,
    /// How pictures are searched.
    pub images: KindStatus,
    /// How captions are searched.
    pub captions: KindStatus,
    /// Size on disk, in bytes.
    pub n_bytes_on_disk: u64,
    /// Sizes of its parts, in bytes.
    pub sizes: Sizes,
    /// Damaged data that repairs have kept.
    pub damaged: Vec<DamagedData>,
    /// The library folders.
    pub libraries: Vec<Library>,
    /// An unfinished change of the model.
    pub unfinished: Option<UnfinishedChange>,
    /// What the last index run did; `None` if an older version did it.
    pub last_run: Option<LastRun>,
}

impl Status {
    pub(crate) fn read(folder: &Path, reader: &IndexReader) -> Result<Self, EngineError> {
        let (binding, counts) = (reader.binding(), reader.counts());
        Ok(Self {
            folder: folder.to_path_buf(),
            model: binding.model.clone(),
            fingerprint: binding.fingerprint.clone(),
            dimension: binding.dimension,
            language: reader.language(),
            generation: reader.generation().0,
            n_images: counts.n_images,
            n_captions: counts.n_captions,
            n_captions_alone: reader.n_captions_alone()?,
            n_files: counts.n_files,
            images: KindStatus::read(reader, ItemKind::Image, counts.n_images, counts.image_graph)?,
            captions: KindStatus::read(
                reader,
                ItemKind::Caption,
                counts.n_captions,
                counts.caption_graph,
            )?,
            n_bytes_on_disk: counts.n_bytes_on_disk,
            sizes: reader.sizes(),
            damaged: sightline_index::damaged_data(folder)?,
            libraries: libraries(reader)?,
            unfinished: UnfinishedChange::read(folder)?,
            last_run: reader.last_run()?,
        })
    }
}

/// The library folders. A run that was killed has not recorded how many files it got to.
fn libraries(reader: &IndexReader) -> Result<Vec<Library>, EngineError> {
    let ended_unix_s = reader.last_run()?.map_or(0, |run| run.ended_unix_s);
    let mut libraries = reader.libraries()?;
    for library in &mut libraries {
        if library.last_run_unix_s > ended_unix_s {
            library.n_files = reader.files_under(&library.folder)?.len() as u64;
        }
    }
    Ok(libraries)
}
