//! Changes the index: one writer at a time. The order of a commit is defined here and nowhere else.
//!
//! 1. The words of the changed items are written, but not committed.
//! 2. One synced RocksDB batch makes the new generation: this is the commit.
//! 3. The word index commits.
//!
//! A crash before 2 leaves the old generation, a crash after it the new one; the words catch up
//! when the next writer opens. Graphs are built only by [`IndexWriter::finish`] and
//! [`IndexWriter::compact`].

mod captions;
#[cfg(test)]
pub(crate) mod crash_tests;
mod facts;
#[cfg(test)]
mod fault_tests;
pub(crate) mod open;
#[cfg(test)]
mod open_tests;
pub(crate) mod successor;
#[cfg(test)]
mod successor_tests;
mod upgrade;
mod word_index;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::derived::building::Place;
use crate::derived::graph_files::{BuildProgress, GraphFiles, OnBuild};
use crate::derived::hub_biases;
use crate::derived::plan::{Due, SegmentSizes};
use crate::disk::layout::Layout;
use crate::disk::lock::WriteLock;
use crate::disk::manifest::{Binding, Manifest};
use crate::disk::steps::{Step, Steps};
use crate::disk::sweep::sweep;
use crate::error::{IndexError, Within};
use crate::item::{FileRecord, Generation, ItemId, LastRun, Library};
use crate::language::Language;
use crate::records::codec::StoredItem;
use crate::records::overlay::Overlay;
use crate::records::read::Records;
use crate::vector::UnitVector;
use crate::words::{WordsError, WordsStamp, WordsWriter};

pub use captions::CaptionRevision;
use open::{check_dimension, open_records, prepare_folder};

/// Options of a writer.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WriterOptions {
    /// Minimum number of items of a kind for which a graph is built. Fewer are all compared with
    /// each query. At the default, 8,192, a graph starts to be faster.
    pub min_graph_items: usize,
    /// Maximum number of items of one graph. More are divided among several, which bounds the
    /// memory of a build: about 5 kB per item.
    pub max_graph_items: usize,
    /// The language of captions and names. The default, none, keeps the language of the index; a
    /// new index is English. Changing the language rebuilds the word index.
    pub language: Option<Language>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            min_graph_items: crate::graph::params::MIN_ITEMS,
            max_graph_items: crate::graph::params::MAX_ITEMS,
            language: None,
        }
    }
}

/// The result of [`IndexWriter::compact`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Size of all files of the index before, in bytes.
    pub n_bytes_before: u64,
    /// Size of all files of the index after, in bytes. Larger than before when graphs were missing
    /// and are built.
    pub n_bytes_after: u64,
}

/// The result of [`IndexWriter::finish_with`]. Everything is committed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// The newest generation.
    pub generation: Generation,
    /// Why graphs, hub biases, words or tables could not be brought into the form in which they are
    /// searched fastest. The next writer tries again. Empty if all went well.
    pub postponed: Vec<IndexError>,
}

/// Puts items into an index and removes them.
///
/// Changes are kept in memory until [`commit`](Self::commit) and lost when the writer is dropped
/// before. The look-ups of this writer see them at once.
pub struct IndexWriter {
    layout: Layout,
    manifest: Manifest,
    overlay: Overlay,
    /// None after an error of the word index. The next commit opens it again.
    words: Option<WordsWriter>,
    language: Language,
    graphs: GraphFiles,
    generation: Generation,
    steps: Steps,
    /// Failed work that can wait, see [`Finished`].
    postponed: Vec<IndexError>,
    _lock: WriteLock,
}

impl IndexWriter {
    /// Opens the index in `dir`, or creates one in a folder that is empty or missing.
    ///
    /// Derived parts that are missing, behind or damaged are rebuilt: the words here, the graphs by
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    /// When the folder contains something else, is not writable, or is locked by another writer;
    /// when the index was made with another model or has an unsupported format; when its records
    /// are damaged.
    pub fn open_or_create(dir: &Path, binding: &Binding) -> Result<Self, IndexError> {
        Self::open_or_create_with(dir, binding, WriterOptions::default())
    }

    /// [`open_or_create`](Self::open_or_create) with options.
    ///
    /// # Errors
    /// As [`open_or_create`](Self::open_or_create).
    pub fn open_or_create_with(
        dir: &Path,
        binding: &Binding,
        options: WriterOptions,
    ) -> Result<Self, IndexError> {
        Self::open_stepwise(dir, binding, options, Steps::default())
    }

    pub(crate) fn open_stepwise(
        dir: &Path,
        binding: &Binding,
        options: WriterOptions,
        steps: Steps,
    ) -> Result<Self, IndexError> {
        check_dimension(binding)?;
        let layout = Layout::new(dir);
        // Before anything is changed: is this an index of the right model, or a place for one?
        match Manifest::read(&layout) {
            Ok(Some(manifest)) => manifest.check_binding(dir, binding)?,
            Ok(None) => prepare_folder(&layout)?,
            Err(IndexError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let lock = WriteLock::take(&layout)?;
        Self::open_locked(&layout, binding, options, steps, lock)
    }

    /// Opens the index for a caller that holds the lock.
    pub(crate) fn open_locked(
        layout: &Layout,
        binding: &Binding,
        options: WriterOptions,
        steps: Steps,
        lock: WriteLock,
    ) -> Result<Self, IndexError> {
        let dir = layout.dir();
        let (layout, manifest, store) = open_records(layout, binding, steps)?;
        sweep(&layout, &manifest, steps)?;
        let generation = store.generation().within(dir)?;
        let mut language = store.language().within(dir)?;
        if let Some(wanted) = options.language.filter(|&wanted| wanted != language) {
            store.write_language(wanted).within(dir)?;
            language = wanted;
        }
        let mut overlay = Overlay::new(store);
        let place = Place {
            layout: &layout,
            manifest: &manifest,
            generation,
            steps,
        };
        let min = options.min_graph_items.max(1);
        let sizes = SegmentSizes {
            min,
            max: options.max_graph_items.max(min),
        };
        let graphs = GraphFiles::open(&place, &mut overlay, sizes, lock.is_after_crash())?;
        lock.verified();
        let mut writer = Self {
            layout,
            manifest,
            overlay,
            words: None,
            language,
            graphs,
            generation,
            steps,
            postponed: Vec::new(),
            _lock: lock,
        };
        writer.open_words()?;
        Ok(writer)
    }

    /// The record of a file, if it is indexed.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn file(&self, path: &Path) -> Result<Option<FileRecord>, IndexError> {
        self.overlay.file(path).within(self.dir())
    }

    /// The image with this content hash, if any.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn image_with_hash(&self, hash: &[u8; 32]) -> Result<Option<ItemId>, IndexError> {
        self.overlay.image_with_hash(hash).within(self.dir())
    }

    /// The indexed files in `folder` and its subfolders, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn files_under(&self, folder: &Path) -> Result<Vec<(PathBuf, FileRecord)>, IndexError> {
        self.overlay.files_under(folder).within(self.dir())
    }

    /// The first `n` of those files after the path `after`.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn some_files_under(
        &self,
        folder: &Path,
        after: Option<&Path>,
        n: usize,
    ) -> Result<Vec<(PathBuf, FileRecord)>, IndexError> {
        let mut files = Vec::new();
        let mut visit = |path, file| {
            files.push((path, file));
            Ok(files.len() < n)
        };
        if n > 0 {
            self.overlay
                .scan_files_under(folder, after, &mut visit)
                .within(self.dir())?;
        }
        Ok(files)
    }

    /// The number of indexed files in `folder` and its subfolders.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn n_files_under(&self, folder: &Path) -> Result<u64, IndexError> {
        let mut n_files = 0;
        let mut visit = |_, _| {
            n_files += 1;
            Ok(true)
        };
        let scan = self.overlay.scan_files_under(folder, None, &mut visit);
        scan.within(self.dir())?;
        Ok(n_files)
    }

    /// The paths of an image, sorted by their bytes.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn paths_of(&self, image: ItemId) -> Result<Vec<PathBuf>, IndexError> {
        self.overlay.paths_of(image).within(self.dir())
    }

    /// The captions that `image` (or none) has from the file `source`, in order.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn captions_from(
        &self,
        image: Option<ItemId>,
        source: &Path,
    ) -> Result<Vec<String>, IndexError> {
        let captions = self
            .overlay
            .captions_from(image, source)
            .within(self.dir())?;
        Ok(captions.into_iter().map(|caption| caption.text).collect())
    }

    /// The files that `image` (or none) has captions from, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn caption_sources_of(&self, image: Option<ItemId>) -> Result<Vec<PathBuf>, IndexError> {
        self.overlay.caption_sources_of(image).within(self.dir())
    }

    /// Visits all files, by path.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn for_each_file(
        &self,
        visit: &mut dyn FnMut(PathBuf, FileRecord),
    ) -> Result<(), IndexError> {
        let mut visit = |path, file| {
            visit(path, file);
            Ok(())
        };
        self.overlay.scan_files(&mut visit).within(self.dir())
    }

    /// The images with captions from the file `source`, by id; none for captions without an image.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn caption_owners(&self, source: &Path) -> Result<Vec<Option<ItemId>>, IndexError> {
        self.overlay.caption_owners(source).within(self.dir())
    }

    /// Adds an image and returns its id. If an image with the same hash exists, returns that one's
    /// id and changes nothing.
    ///
    /// # Errors
    /// When the vector has another dimension than the index, or the records cannot be read.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller has no use for the vector afterwards"
    )]
    pub fn put_image(
        &mut self,
        hash: [u8; 32],
        width: u32,
        height: u32,
        vector: UnitVector,
    ) -> Result<ItemId, IndexError> {
        self.check_dimension(&vector)?;
        let id = self.overlay.put_image(hash, width, height, &vector);
        id.within(self.layout.dir())
    }

    /// The committed images without metadata, as written by an older version of this program. An
    /// empty result is recorded in the index, and images that are put without metadata afterwards
    /// are not reported.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn images_without_details(&self) -> Result<Vec<ItemId>, IndexError> {
        self.overlay.images_without_details().within(self.dir())
    }

    /// Records that a path contains an image. If it contained another one, that image loses the
    /// path; an image without any path at the next commit is removed with its captions.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn put_file(&mut self, path: &Path, file: FileRecord) -> Result<(), IndexError> {
        self.overlay.put_file(path, &file).within(self.layout.dir())
    }

    /// Removes a path. Its image is removed with its captions if it has no other path at the next
    /// commit. An unknown path is not an error.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn remove_file(&mut self, path: &Path) -> Result<(), IndexError> {
        self.overlay.remove_file(path).within(self.layout.dir())
    }

    /// Puts an item back under the id that it had before a repair. Ids must ascend, so that none
    /// falls into the range of a graph that lacks it.
    pub(crate) fn restore(
        &mut self,
        id: ItemId,
        item: &StoredItem,
        vector: &UnitVector,
    ) -> Result<(), IndexError> {
        let restored = self.overlay.insert(id, item, vector);
        restored.within(self.layout.dir())?;
        self.reserve_ids(ItemId(id.0.saturating_add(1)))
    }

    /// Makes the next new item get at least the id `next`.
    pub(crate) fn reserve_ids(&mut self, next: ItemId) -> Result<(), IndexError> {
        // The highest number marks an empty slot in graphs and is never assigned.
        let next = next.min(ItemId(u32::MAX - 1));
        self.overlay.reserve_ids(next).within(self.layout.dir())
    }

    /// Lets the next commit remove these images if they have no path.
    pub(crate) fn expect_paths(&mut self, images: impl IntoIterator<Item = ItemId>) {
        self.overlay.expect_paths(images);
    }

    /// Records a library folder. Put it before the files in it: the words of an image are the names
    /// in its path from the outermost library folder down.
    ///
    /// A new outermost folder changes the words of all images with files in it. The next commit
    /// puts them again, which takes as long as rebuilding the words of that many images; until
    /// then, each takes about 20 bytes of memory.
    ///
    /// # Errors
    /// When the path cannot be stored on this system.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "consistent with the other methods that put something"
    )]
    pub fn put_library(&mut self, library: Library) -> Result<(), IndexError> {
        self.overlay.put_library(&library).within(self.layout.dir())
    }

    /// The library folders, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn libraries(&self) -> Result<Vec<Library>, IndexError> {
        self.overlay.libraries().within(self.dir())
    }

    /// Removes the record of a library folder, but not the files in it. Their images get other
    /// words, as with [`put_library`](Self::put_library). An unknown folder is not an error.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn remove_library(&mut self, folder: &Path) -> Result<(), IndexError> {
        self.overlay
            .remove_library(folder)
            .within(self.layout.dir())
    }

    /// The first `n` caption files in `folder` and its subfolders, or `folder` itself, after the
    /// one given, once for each image that they have captions for, and once with none for captions
    /// without an image; by the length of their paths, then by their bytes.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn caption_sources_under(
        &self,
        folder: &Path,
        after: Option<&(PathBuf, Option<ItemId>)>,
        n: usize,
    ) -> Result<Vec<(PathBuf, Option<ItemId>)>, IndexError> {
        let mut sources = Vec::new();
        let mut visit = |source| {
            sources.push(source);
            Ok(sources.len() < n)
        };
        if n > 0 {
            self.overlay
                .scan_caption_sources(Some(folder), after, &mut visit)
                .within(self.dir())?;
        }
        Ok(sources)
    }

    /// Visits all caption files, as often as [`caption_sources_under`](Self::caption_sources_under)
    /// has them.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn for_each_caption_source(
        &self,
        visit: &mut dyn FnMut(PathBuf),
    ) -> Result<(), IndexError> {
        let mut visit = |(source, _)| {
            visit(source);
            Ok(true)
        };
        self.overlay
            .scan_caption_sources(None, None, &mut visit)
            .within(self.dir())
    }

    /// Records the statistics of a run, replacing those of the last one.
    pub fn put_last_run(&mut self, run: &LastRun) {
        self.overlay.put_last_run(run);
    }

    /// Number of items put, changed or removed since the last commit.
    #[must_use]
    pub fn n_pending(&self) -> usize {
        self.overlay.touched.len()
    }

    /// Whether there is anything to commit, be it only the size or time of a file.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// The newest committed generation.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Commits all changes, atomically. Without changes there is no new generation.
    ///
    /// # Durability
    /// When this returns, the changes survive the end of this process, a crash of the system, and a
    /// power failure: the log that contains them is synced (`fdatasync`), and so are the names of
    /// all files that they need. This assumes that the disk keeps what it has acknowledged.
    /// `FORMAT.md` has the details, `benches/RESULTS.md` of the project the cost.
    ///
    /// # Errors
    /// When the records or the words cannot be written, for instance because the disk is full. The
    /// changes are then still pending. If the records could not be written, this writer cannot
    /// write any more: once there is space, open another one. It has everything committed before,
    /// and either all or none of the failed changes.
    ///
    /// If only the words cannot be switched to the new generation after that, the changes are
    /// committed and this is no error: [`finish_with`](Self::finish_with) returns it, readers
    /// complete the words in memory, and the next commit or writer completes them on disk.
    pub fn commit(&mut self) -> Result<Generation, IndexError> {
        self.overlay.drop_pathless().within(self.layout.dir())?;
        self.write_generation()
    }

    /// [`commit`](Self::commit) in the middle of a run: an image without a path is kept, since its
    /// file may turn up under another path. The next `commit` removes those that still have none;
    /// after a kill, that of the next writer.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn checkpoint(&mut self) -> Result<Generation, IndexError> {
        self.overlay.note_pathless().within(self.layout.dir())?;
        self.write_generation()
    }

    fn write_generation(&mut self) -> Result<Generation, IndexError> {
        let is_unchanged = self.overlay.is_empty();
        if self.words.is_none() {
            let opened = self.open_words();
            if is_unchanged {
                self.postpone(opened);
            } else {
                opened?;
            }
        }
        if is_unchanged {
            return Ok(self.generation);
        }
        let next = Generation(self.generation.0 + 1);
        let dir = self.layout.dir().to_owned();
        let stopped = |source| IndexError::writing(&dir, &dir, source);
        let stamp = self.stamp(next);
        if let Err(error) = self.write_words() {
            self.give_up_words();
            return Err(error);
        }
        let Some(words) = self.words.as_mut() else {
            return Err(IndexError::Busy { dir });
        };
        let prepared = match words.prepare(stamp) {
            Ok(prepared) => prepared,
            Err(source) => {
                self.give_up_words();
                return Err(source).within(&dir);
            }
        };
        let written = self
            .steps
            .reach(Step::WordsPrepared)
            .map_err(stopped)
            .and_then(|()| self.overlay.commit(next, self.generation).within(&dir));
        if let Err(error) = written {
            // The next commit must not include these documents.
            drop(prepared);
            if words.rollback().is_err() {
                self.give_up_words();
            }
            return Err(error);
        }
        self.generation = next;
        let switched = self
            .steps
            .reach(Step::RecordsCommitted)
            .map_err(stopped)
            .and_then(|()| prepared.commit().within(&dir));
        if switched.is_err() {
            self.give_up_words();
            self.postpone(switched);
            return Ok(next);
        }
        let flushed = self
            .steps
            .reach(Step::WordsCommitted)
            .map_err(stopped)
            .and_then(|()| self.flush_if_due(false));
        self.postpone(flushed);
        Ok(next)
    }

    /// Builds graphs of committed items that are in none yet, if there are at least
    /// [`min_graph_items`](WriterOptions::min_graph_items) of a kind, and merges small graphs. To
    /// be called after the commits of a long run, so that neither a search nor
    /// [`finish`](Self::finish) has to deal with all of its items. Stops when `progress` breaks;
    /// graphs that are complete stay.
    ///
    /// # Errors
    /// When a graph cannot be built or written. Everything committed is kept.
    pub fn build_graphs(
        &mut self,
        progress: &mut dyn FnMut(BuildProgress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, IndexError> {
        self.build_due(Due::Fresh, progress)
    }

    /// Commits, builds and merges the graphs that are due, and releases the lock. If a graph cannot
    /// be built, the next writer tries again; [`finish_with`](Self::finish_with) reports why.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub fn finish(self) -> Result<Generation, IndexError> {
        self.finish_with(&mut |_| ControlFlow::Continue(()))
            .map(|finished| finished.generation)
    }

    /// [`finish`](Self::finish), reporting the progress of building graphs, and what could not be
    /// done after the commit. When `progress` breaks, building ends, and the next writer builds
    /// what is missing.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_with(
        mut self,
        progress: &mut dyn FnMut(BuildProgress) -> ControlFlow<()>,
    ) -> Result<Finished, IndexError> {
        let generation = self.commit()?;
        let built = self.build_due(Due::Worthwhile, progress);
        if !matches!(built, Ok(ControlFlow::Break(()))) {
            let biased = self.update_hubs(progress);
            self.postpone(biased);
        }
        self.postpone(built.map(drop));
        let merged = self.finish_words();
        self.postpone(merged);
        let flushed = self.flush_if_due(true);
        self.postpone(flushed);
        Ok(Finished {
            generation,
            postponed: self.postponed,
        })
    }

    /// Keeps the error of work after a commit that can wait. Often the same one repeats with each
    /// commit, so only the first of each kind is kept.
    fn postpone(&mut self, done: Result<(), IndexError>) {
        let kind = std::mem::discriminant::<IndexError>;
        if let Err(error) = done
            && !self
                .postponed
                .iter()
                .any(|known| kind(known) == kind(&error))
        {
            self.postponed.push(error);
        }
    }

    /// Commits, then rewrites the derived parts and the tables of the records. Graphs are merged
    /// into as few as possible, and those with removed items are built again, which drops all
    /// tombstones. RocksDB's tables are freed of removed and replaced records. The word index is
    /// merged into one segment. The answers stay the same, and concurrent readers are not affected.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit), and when something cannot be built or written. Nothing is
    /// lost then, and compacting can be repeated.
    pub fn compact(
        &mut self,
        progress: &mut dyn FnMut(BuildProgress) -> ControlFlow<()>,
    ) -> Result<Compacted, IndexError> {
        let n_bytes_before = self.layout.n_bytes();
        let dir = self.layout.dir().to_owned();
        let stopped = |source| IndexError::Io {
            path: dir.clone(),
            source,
        };
        self.commit()?;
        let _ = self.build_due(Due::Outdated, progress)?;
        self.update_hubs(progress)?;
        self.overlay.store.flush().within(&dir)?;
        self.steps.reach(Step::CompactFlushed).map_err(stopped)?;
        self.overlay.store.compact().within(&dir)?;
        self.steps.reach(Step::CompactTables).map_err(stopped)?;
        self.compact_words()?;
        self.steps.reach(Step::CompactWords).map_err(stopped)?;
        Ok(Compacted {
            n_bytes_before,
            n_bytes_after: self.layout.n_bytes(),
        })
    }

    fn update_hubs(&self, progress: &mut OnBuild<'_>) -> Result<(), IndexError> {
        let store = &self.overlay.store;
        hub_biases::update(&self.layout, &self.manifest, store, self.steps, progress)
    }

    fn build_due(
        &mut self,
        due: Due,
        progress: &mut OnBuild<'_>,
    ) -> Result<ControlFlow<()>, IndexError> {
        let place = Place {
            layout: &self.layout,
            manifest: &self.manifest,
            generation: self.generation,
            steps: self.steps,
        };
        self.graphs
            .build_due(&place, &mut self.overlay, due, progress)
    }

    fn dir(&self) -> &Path {
        self.layout.dir()
    }

    fn stamp(&self, generation: Generation) -> WordsStamp {
        WordsStamp {
            index_id: self.manifest.index_id(),
            generation: generation.0,
        }
    }

    fn check_dimension(&self, vector: &UnitVector) -> Result<(), IndexError> {
        let (expected, found) = (self.manifest.binding.dimension, vector.dimension());
        if expected == found {
            Ok(())
        } else {
            Err(IndexError::WrongDimension { expected, found })
        }
    }

    /// Moves the log to tables if opening the index would otherwise take long, and merges tables if
    /// there are too many.
    fn flush_if_due(&self, at_end: bool) -> Result<(), IndexError> {
        let stopped = |source| IndexError::writing(self.dir(), self.dir(), source);
        let store = &self.overlay.store;
        if store.is_flush_due(at_end) {
            store.flush().within(self.dir())?;
            self.steps.reach(Step::TablesFlushed).map_err(stopped)?;
        }
        if at_end {
            store.merge_tables().within(self.dir())?;
        }
        Ok(())
    }
}

impl From<WordsError> for IndexError {
    /// For documents in memory, which belong to no folder.
    fn from(source: WordsError) -> Self {
        Self::Words {
            dir: PathBuf::new(),
            source,
        }
    }
}

impl fmt::Debug for IndexWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IndexWriter")
            .field("dir", &self.dir())
            .field("generation", &self.generation)
            .field("n_pending", &self.n_pending())
            .finish_non_exhaustive()
    }
}
