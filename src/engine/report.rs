//! What the engine tells its callers: plain data with public fields.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sightline_index::{
    BuildProgress, Details, GraphState, IndexReader, ItemKind, Language, LastRun, Library, Sizes,
};

use super::{EngineError, ModelChange, UnfinishedChange};

/// A file, or a line of a captions file, that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why, in a few words.
    pub reason: String,
}

/// What an index run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looking for files.
    Walking,
    /// Reading what files say about pictures that an older version indexed.
    Details,
    /// Reading, decoding and encoding pictures.
    Pictures,
    /// Encoding captions.
    Captions,
    /// Building the search graphs.
    Building,
}

/// How far an index run or an evaluation has come.
#[derive(Debug, Clone)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How many of this stage's files or captions are done.
    pub n_done: usize,
    /// How many there are in all.
    pub n_total: usize,
    /// How many were left out so far.
    pub n_skipped: usize,
    /// Time since the stage began.
    pub elapsed: Duration,
}

impl Progress {
    /// Done a second, since the stage began.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.n_done as f64 / self.elapsed.as_secs_f64().max(1e-3)
    }

    /// Time to go at the present rate, once there is one.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let rate = self.rate();
        let n_left = self.n_total.saturating_sub(self.n_done);
        (self.n_done > 0).then(|| Duration::from_secs_f64(n_left as f64 / rate))
    }
}

/// Shown while a search graph is built, which cannot be stopped: it is built whole or not at all.
pub type OnBuilding<'a> = dyn FnMut(&Progress) + 'a;

/// Tells the progress of a graph in the engine's words.
pub(crate) fn building(progress: &mut OnBuilding<'_>) -> impl FnMut(BuildProgress) {
    let began = Instant::now();
    move |build: BuildProgress| {
        progress(&Progress {
            stage: Stage::Building,
            n_done: build.n_done,
            n_total: build.n_total,
            n_skipped: 0,
            elapsed: began.elapsed(),
        });
    }
}

/// How the encoder was kept busy in an index run, by all its lanes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncodingFigures {
    /// Pictures in a batch: given, or found by measuring; `None` when too few were encoded to
    /// find it.
    pub batch_size: Option<usize>,
    /// Pictures encoded.
    pub n_encoded: usize,
    /// Batches they were encoded in.
    pub n_batches: usize,
    /// Batches for which a lane waited, because nothing was prepared and more was to come.
    pub n_starved: usize,
    /// How long all lanes waited together. Meanwhile the decoders have their cores.
    pub waited: Duration,
    /// How long all lanes encoded together.
    pub encoded: Duration,
}

impl EncodingFigures {
    pub(crate) fn note(&mut self, n: usize, took: Duration, waited: Duration) {
        self.n_encoded += n;
        self.n_batches += 1;
        self.n_starved += usize::from(waited > Duration::ZERO);
        self.waited += waited;
        self.encoded += took;
    }

    /// The share of batches for which the encoder waited, 0…1.
    #[must_use]
    pub fn starved(&self) -> f64 {
        self.n_starved as f64 / self.n_batches.max(1) as f64
    }
}

/// What an index run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexReport {
    /// Picture files seen.
    pub n_seen: usize,
    /// New pictures.
    pub n_added: usize,
    /// Files with the size and time they had before: not even opened.
    pub n_unchanged: usize,
    /// Files whose content changed to something new.
    pub n_changed: usize,
    /// Files whose content changed to that of another picture of the index.
    pub n_changed_to_known: usize,
    /// Files found under a new path, their vectors kept.
    pub n_moved: usize,
    /// Files with the same content as another one: one vector, several paths.
    pub n_copies: usize,
    /// Files that are gone.
    pub n_removed: usize,
    /// Captions encoded in this run.
    pub n_captions_added: usize,
    /// Captions taken out in this run.
    pub n_captions_removed: usize,
    /// The files of captions of this run that have more tokens than the model reads: of each
    /// such caption only the beginning was encoded. Keywords are found in all of it.
    pub cut_captions: Vec<PathBuf>,
    /// Files and lines left out.
    pub skipped: Vec<Skipped>,
    /// Library folders in which nothing was found though the index holds files of theirs, as
    /// after a disk was unmounted, with how many. Nothing was removed. When the model is changed,
    /// also those of whose files some could not be looked at.
    pub held_back: Vec<(PathBuf, usize)>,
    /// What became of a change of the model, when the run was one. While files are held back it is
    /// not done.
    pub model_change: Option<ModelChange>,
    /// True when the run was stopped early. What was finished is committed.
    pub interrupted: bool,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Wall time in which pictures were read and encoded.
    pub elapsed_pictures: Duration,
    /// How the encoder was kept busy meanwhile.
    pub encoding: EncodingFigures,
}

impl IndexReport {
    /// Pictures read and encoded (new and changed).
    #[must_use]
    pub fn n_encoded(&self) -> usize {
        self.n_added + self.n_changed
    }

    /// Pictures encoded a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.n_encoded() as f64 / self.elapsed_pictures.as_secs_f64().max(1e-3)
    }
}

/// One picture found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchHit {
    /// Every file with this content, at least one.
    pub paths: Vec<PathBuf>,
    /// Cosine of query and picture, −1…1, higher is nearer; `None` when no model was asked
    /// (search by words alone).
    pub similarity: Option<f32>,
    /// Place among the nearest by meaning, from 1, when it is among them.
    pub rank_by_meaning: Option<usize>,
    /// Place among the keyword matches, from 1, when it is among them.
    pub rank_by_words: Option<usize>,
    /// The query's words that its captions, file or folder names, camera, date or places hold.
    pub words: Vec<String>,
    /// Its captions, in the order they were given.
    pub captions: Vec<String>,
    /// Size in pixels, upright.
    pub width: u32,
    /// Size in pixels, upright.
    pub height: u32,
    /// What its file says about it.
    pub details: Details,
}

impl SearchHit {
    /// The first of its paths.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

/// One caption found.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionHit {
    /// The caption.
    pub text: String,
    /// Cosine of query and caption, −1…1; `None` when no model was asked.
    pub similarity: Option<f32>,
    /// The query's words it holds.
    pub words: Vec<String>,
    /// The pictures it belongs to; none for a caption of a plain text list.
    pub pictures: Vec<PathBuf>,
    /// The file it came from.
    pub source: PathBuf,
}

/// How the items of a kind are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindStatus {
    /// How many there are.
    pub n_items: u64,
    /// The state of their graph.
    pub graph: GraphState,
    /// Items of the graph that do not exist any more.
    pub n_tombstones: u64,
    /// Vectors that a search of the graph does not reach, and that are compared one by one.
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
            n_tombstones: leftovers.n_tombstones,
            n_loose: leftovers.n_loose,
        })
    }

    /// How many items are in the graph, and how many are compared one by one.
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
    /// The language in which words are brought to their stems.
    pub language: Language,
    /// Number of the last commit.
    pub generation: u64,
    /// Pictures, each content once.
    pub n_images: u64,
    /// Captions.
    pub n_captions: u64,
    /// Captions that describe no picture.
    pub n_captions_alone: u64,
    /// Files.
    pub n_files: u64,
    /// How pictures are searched.
    pub images: KindStatus,
    /// How captions are searched.
    pub captions: KindStatus,
    /// Bytes the index takes on disk.
    pub n_bytes_on_disk: u64,
    /// Bytes of its parts.
    pub sizes: Sizes,
    /// The folders that were indexed.
    pub libraries: Vec<Library>,
    /// A change of the model that was begun and is not complete.
    pub unfinished: Option<UnfinishedChange>,
    /// What the last index run did; `None` when a program made the index that did not note it.
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
            libraries: reader.libraries()?,
            unfinished: UnfinishedChange::read(folder)?,
            last_run: reader.last_run()?,
        })
    }
}
