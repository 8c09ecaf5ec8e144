//! How does the index change? Through one writer at a time; the commit order lives here, once.
//!
//! 1. The words of the changed items are written out, unseen.
//! 2. One synced RocksDB batch makes the new generation: this is the commit.
//! 3. The word index switches to it.
//!
//! A crash before 2 leaves the old generation, one after it the new one; the words catch up when the next writer opens.
//! Graphs are built by [`IndexWriter::finish`] only.

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod fault_tests;
pub(crate) mod open;
pub(crate) mod successor;
#[cfg(test)]
mod successor_tests;
mod word_index;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::derived::graph_files::{BuildProgress, Due, GraphFiles};
use crate::disk::layout::Layout;
use crate::disk::lock::{Gate, WriteLock};
use crate::disk::manifest::{Binding, Manifest};
use crate::disk::steps::{Step, Steps};
use crate::disk::sweep::sweep;
use crate::error::{IndexError, Within};
use crate::item::{Details, FileRecord, Generation, ItemId, LastRun, Library};
use crate::language::Language;
use crate::records::overlay::Overlay;
use crate::records::read::Records;
use crate::vector::UnitVector;
use crate::words::{WordsError, WordsStamp, WordsWriter};

use open::{open_records, prepare_folder};

/// What a writer may be told beyond the folder and the model.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct WriterOptions {
    /// Fewer items of a kind than this get no graph: all of them are compared with each query. The default, 8,192,
    /// is about where a graph begins to be quicker.
    pub min_graph_items: usize,
    /// The language of captions and names; none, the default, for that which the index has: English for a new one.
    /// Another language makes all words anew.
    pub language: Option<Language>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            min_graph_items: crate::graph::params::MIN_ITEMS,
            language: None,
        }
    }
}

/// What compacting gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// The bytes of all files of the index before.
    pub n_bytes_before: u64,
    /// And after. More than before where graphs are built that were not there.
    pub n_bytes_after: u64,
}

/// Puts items into an index and removes them.
///
/// Changes are held in memory until [`commit`](Self::commit), are seen by the look-ups of this writer at once, and
/// are lost when the writer is dropped before it.
pub struct IndexWriter {
    layout: Layout,
    manifest: Manifest,
    overlay: Overlay,
    /// None after an error of the word index; it is opened anew by the next commit.
    words: Option<WordsWriter>,
    language: Language,
    graphs: GraphFiles,
    generation: Generation,
    steps: Steps,
    wrote: bool,
    _lock: WriteLock,
}

impl IndexWriter {
    /// Opens the index in `dir`, or makes one in a folder that is empty or missing.
    ///
    /// What is derived and missing, behind or damaged is made anew: the words here, the graphs by
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    /// When the folder holds something else, may not be written, or is being written by another; when the index was
    /// made with another model or has another format; when its records are damaged.
    pub fn open_or_create(dir: &Path, binding: &Binding) -> Result<Self, IndexError> {
        Self::open_or_create_with(dir, binding, WriterOptions::default())
    }

    /// [`open_or_create`](Self::open_or_create) with options.
    ///
    /// # Errors
    /// The same.
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
        let layout = Layout::new(dir);
        // Before anything is touched: is this an index, or a place for one, and of the right model?
        match Manifest::read(&layout) {
            Ok(Some(manifest)) => manifest.check_binding(dir, binding)?,
            Ok(None) => prepare_folder(&layout)?,
            Err(IndexError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let lock = WriteLock::take(&layout)?;
        Self::open_locked(&layout, binding, options, steps, lock)
    }

    /// Opens the index for whoever has the lock already.
    pub(crate) fn open_locked(
        layout: &Layout,
        binding: &Binding,
        options: WriterOptions,
        steps: Steps,
        lock: WriteLock,
    ) -> Result<Self, IndexError> {
        let dir = layout.dir();
        let gate = Gate::close(layout)?;
        let (layout, manifest, store) = open_records(layout, binding, steps)?;
        drop(gate);
        sweep(&layout, &manifest, steps)?;
        let generation = store.generation().within(dir)?;
        let mut language = store.language().within(dir)?;
        if let Some(wanted) = options.language.filter(|&wanted| wanted != language) {
            store.write_language(wanted).within(dir)?;
            language = wanted;
        }
        let mut overlay = Overlay::new(store);
        let graphs = GraphFiles::open(
            &layout,
            &manifest,
            &mut overlay,
            generation,
            options.min_graph_items,
        )?;
        let mut writer = Self {
            layout,
            manifest,
            overlay,
            words: None,
            language,
            graphs,
            generation,
            steps,
            wrote: false,
            _lock: lock,
        };
        writer.open_words()?;
        writer.flush_if(writer.overlay.store().is_flush_due())?;
        Ok(writer)
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn file(&self, path: &Path) -> Result<Option<FileRecord>, IndexError> {
        self.overlay.file(path).within(self.dir())
    }

    /// The image whose bytes have this hash.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn image_with_hash(&self, hash: &[u8; 32]) -> Result<Option<ItemId>, IndexError> {
        self.overlay.image_with_hash(hash).within(self.dir())
    }

    /// The known files in `folder` and below, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn files_under(&self, folder: &Path) -> Result<Vec<(PathBuf, FileRecord)>, IndexError> {
        self.overlay.files_under(folder).within(self.dir())
    }

    /// The texts that `image` (or nobody) has from `source`, in the order in which they were put.
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

    /// Whose captions came from `source`: images by number, and none for captions on their own.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn caption_owners(&self, source: &Path) -> Result<Vec<Option<ItemId>>, IndexError> {
        self.overlay.caption_owners(source).within(self.dir())
    }

    /// Adds an image. Where one with the same hash is known, its number is given back and nothing changes.
    ///
    /// # Errors
    /// When the vector has another dimension than the index, or the records cannot be read.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a vector is put once; nothing is gained by keeping it"
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

    /// Notes what the file of an image says about it; the words of it are found, too. A new image has no details yet.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn set_details(&mut self, image: ItemId, details: Details) -> Result<(), IndexError> {
        self.overlay
            .set_details(image, details)
            .within(self.layout.dir())
    }

    /// The committed images without details, as an older version of this program left them. An empty answer is
    /// remembered, and images that are put without details later are not found by it.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn images_without_details(&self) -> Result<Vec<ItemId>, IndexError> {
        self.overlay.images_without_details().within(self.dir())
    }

    /// The language in which words are brought to their stems.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// Says what a path holds. If it held another image, that one loses the path; without any path at the next commit
    /// it is removed with its captions.
    ///
    /// # Errors
    /// When there is no such image, or the records cannot be read.
    pub fn put_file(&mut self, path: &Path, file: FileRecord) -> Result<(), IndexError> {
        self.overlay.put_file(path, &file).within(self.layout.dir())
    }

    /// Forgets a path; the image that it held is removed with its captions when it has no path at the next commit. A
    /// path that is not known is no error.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn remove_file(&mut self, path: &Path) -> Result<(), IndexError> {
        self.overlay.remove_file(path).within(self.layout.dir())
    }

    /// Replaces the captions that `image` (or nobody) has from `source`; an empty list removes them. The same texts
    /// in the same order change nothing, not even their numbers.
    ///
    /// # Errors
    /// When there is no such image, a vector has another dimension than the index, or the records cannot be read.
    pub fn set_captions(
        &mut self,
        image: Option<ItemId>,
        source: &Path,
        captions: Vec<(String, UnitVector)>,
    ) -> Result<(), IndexError> {
        for (_, vector) in &captions {
            self.check_dimension(vector)?;
        }
        self.overlay
            .set_captions(image, source, captions)
            .within(self.layout.dir())
    }

    /// Notes an indexed folder. Best put before the files in it: the words of an image are the names in its path from
    /// the library folder down.
    ///
    /// # Errors
    /// When the path cannot be stored on this system.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "as with all that is put into the index"
    )]
    pub fn put_library(&mut self, library: Library) -> Result<(), IndexError> {
        self.overlay.put_library(&library).within(self.layout.dir())
    }

    /// The indexed folders, sorted by the bytes of their paths.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn libraries(&self) -> Result<Vec<Library>, IndexError> {
        self.overlay.libraries().within(self.dir())
    }

    /// Forgets that a folder was indexed; what was found in it stays. A folder that is not known is no error.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn remove_library(&mut self, folder: &Path) -> Result<(), IndexError> {
        self.overlay
            .remove_library(folder)
            .within(self.layout.dir())
    }

    /// The files in `folder` and below, or `folder` itself, that captions came from; each with the images that it has
    /// captions for, and with none for captions on their own.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn caption_sources_under(
        &self,
        folder: &Path,
    ) -> Result<Vec<(PathBuf, Option<ItemId>)>, IndexError> {
        let mut sources = self.overlay.caption_sources().within(self.dir())?;
        sources.retain(|(source, _)| source.starts_with(folder));
        Ok(sources)
    }

    /// Notes what a run did; the note of the run before goes.
    pub fn put_last_run(&mut self, run: &LastRun) {
        self.overlay.put_last_run(run);
    }

    /// How many items were put, changed or removed since the last commit.
    #[must_use]
    pub fn n_pending(&self) -> usize {
        self.overlay.touched().len()
    }

    /// The newest committed generation.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Makes all changes last, or none. Without changes there is no new generation.
    ///
    /// # Durability
    /// When this returns, the changes outlive the end of this process by any means, a crash of the system, and a
    /// power cut: the log that holds them is on the disk (`fdatasync`), and so are the names of all files that they
    /// need. It takes the disk to keep what it says that it has; `FORMAT.md` has the details and `benches/RESULTS.md`
    /// of the project what it costs.
    ///
    /// # Errors
    /// When the records or the words cannot be written, for instance because the disk is full. The changes are then
    /// still pending, unless [`generation`](Self::generation) has grown: then they are committed, and the words catch
    /// up later. Where the records themselves failed, this writer can write no more: once there is room, open another
    /// one. It holds all that was committed before, and either all or nothing of the changes that failed.
    pub fn commit(&mut self) -> Result<Generation, IndexError> {
        if self.words.is_none() {
            self.open_words()?;
        }
        if self.overlay.is_empty() {
            return Ok(self.generation);
        }
        self.overlay.drop_pathless().within(self.layout.dir())?;
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
            // The documents must not come along with the next commit as if they were true.
            if prepared.abort().is_err() {
                self.give_up_words();
            }
            return Err(error);
        }
        self.generation = next;
        self.wrote = true;
        let switched = self
            .steps
            .reach(Step::RecordsCommitted)
            .map_err(stopped)
            .and_then(|()| prepared.commit().within(&dir));
        if let Err(error) = switched {
            self.give_up_words();
            return Err(error);
        }
        self.steps.reach(Step::WordsCommitted).map_err(stopped)?;
        self.flush_if(self.overlay.store().is_flush_due())?;
        Ok(next)
    }

    /// Commits, builds the graphs that are due, and lets the next writer in.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit), and when a graph cannot be built or written; what was committed stays.
    pub fn finish(self) -> Result<Generation, IndexError> {
        self.finish_with(&mut |_| {})
    }

    /// [`finish`](Self::finish), telling how the building of graphs gets on.
    ///
    /// # Errors
    /// The same.
    pub fn finish_with(
        mut self,
        progress: &mut dyn FnMut(BuildProgress),
    ) -> Result<Generation, IndexError> {
        let generation = self.commit()?;
        self.build_graphs(Due::WhenWorthIt, progress)?;
        if let Some(words) = self.words.take() {
            words.close().within(self.layout.dir())?;
        }
        // Readers have to replay what is only in the log.
        self.flush_if(self.wrote)?;
        Ok(generation)
    }

    /// Commits, then writes the derived parts and the tables of the records anew: graphs that have fresh, removed or
    /// loose items are built, with which all tombstones go; RocksDB's tables are freed of what was removed or
    /// replaced; the word index becomes one segment. The answers stay the same, and readers beside this are not
    /// disturbed.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit), and when something cannot be built or written; nothing is lost then, and
    /// compacting can be done again.
    pub fn compact(
        &mut self,
        progress: &mut dyn FnMut(BuildProgress),
    ) -> Result<Compacted, IndexError> {
        let n_bytes_before = self.layout.n_bytes();
        let dir = self.layout.dir().to_owned();
        let stopped = |source| IndexError::Io {
            path: dir.clone(),
            source,
        };
        self.commit()?;
        self.build_graphs(Due::WhenAnythingIsLoose, progress)?;
        {
            // Only here do records move from the log to tables. Afterwards tables are replaced by others that say the
            // same; a reader that misses one of them opens again.
            let _closed = Gate::close(&self.layout)?;
            self.overlay.store().flush().within(&dir)?;
        }
        self.steps.reach(Step::CompactFlushed).map_err(stopped)?;
        self.overlay.store().compact().within(&dir)?;
        self.steps.reach(Step::CompactTables).map_err(stopped)?;
        if let Some(words) = &mut self.words
            && let Err(source) = words.merge()
        {
            self.give_up_words();
            return Err(IndexError::Words { dir, source });
        }
        self.steps.reach(Step::CompactWords).map_err(stopped)?;
        self.wrote = false;
        Ok(Compacted {
            n_bytes_before,
            n_bytes_after: self.layout.n_bytes(),
        })
    }

    fn build_graphs(
        &mut self,
        due: Due,
        progress: &mut dyn FnMut(BuildProgress),
    ) -> Result<(), IndexError> {
        self.graphs.build_due(
            &self.layout,
            &self.manifest,
            &mut self.overlay,
            self.generation,
            due,
            self.steps,
            progress,
        )
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
        let (expected, found) = (self.manifest.dimension(), vector.dimension());
        if expected == found {
            Ok(())
        } else {
            Err(IndexError::WrongDimension { expected, found })
        }
    }

    fn flush_if(&self, due: bool) -> Result<(), IndexError> {
        if due {
            let stopped = |source| IndexError::writing(self.dir(), self.dir(), source);
            let _closed = Gate::close(&self.layout)?;
            self.steps.reach(Step::GateClosed).map_err(stopped)?;
            self.overlay.store().flush().within(self.dir())?;
            self.steps.reach(Step::TablesFlushed).map_err(stopped)?;
        }
        Ok(())
    }
}

impl From<WordsError> for IndexError {
    /// For documents held in memory, which belong to no folder.
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
