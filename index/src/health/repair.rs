//! How does a damaged index become whole again? What is derived is made anew; of the records all that can be read is
//! kept, and what is lost is named.
//!
//! Damaged records are never changed. What can be read of them goes into new ones beside them, which take their place
//! when they are complete; a repair that is cut short can be run again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::check::{Problem, check};
use super::reconcile::{Expected, Reconciled, reconcile};
use super::salvage::{Salvaged, salvage};
use crate::derived::graph_files::BuildProgress;
use crate::disk::atomic;
use crate::disk::layout::Layout;
use crate::disk::lock::{Gate, WriteLock};
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::graph::file::Graph;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::words::Words;
use crate::writer::open::data_without_manifest;
use crate::writer::{IndexWriter, WriterOptions};

/// What [`repair`] found, and what it could not bring back.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Repair {
    /// What was wrong. Empty: nothing was changed.
    pub found: Vec<Problem>,
    /// What is still wrong.
    pub left: Vec<Problem>,
    /// Files that are not in the index any more.
    pub lost_files: Vec<PathBuf>,
    /// Images that are not in the index any more, with those of `lost_files`.
    pub n_lost_images: u64,
    /// Captions that are not in the index any more.
    pub n_lost_captions: u64,
    /// Files that lost captions came from, where that is known.
    pub lost_caption_sources: Vec<PathBuf>,
    /// Notes about indexed folders that could not be read.
    pub n_lost_libraries: u64,
    /// Commits that were made and of which nothing is left.
    pub n_lost_commits: u64,
    /// Files that are in the index and whose size and time are not known any more, so that they will be read again.
    pub n_files_to_read: u64,
    /// The damaged records, kept because not all of them could be read. They may be deleted.
    pub kept: Option<PathBuf>,
}

impl Repair {
    /// Whether something is gone that only the original files can bring back.
    #[must_use]
    pub fn has_losses(&self) -> bool {
        !self.lost_files.is_empty()
            || self.n_lost_images + self.n_lost_captions > 0
            || self.n_lost_libraries + self.n_lost_commits > 0
    }

    fn add(&mut self, lost: Reconciled) {
        self.lost_files.extend(lost.lost_files);
        self.n_lost_images += lost.n_lost_images;
        self.n_lost_captions += lost.n_lost_captions;
        self.lost_caption_sources.extend(lost.lost_sources);
        self.n_lost_libraries += lost.n_lost_libraries as u64;
        self.n_lost_commits += lost.n_lost_generations;
        self.n_files_to_read += lost.n_files_to_read as u64;
    }
}

/// Puts an index in order: the graphs, the words, and whatever records follow from others are made anew, as is a lost
/// manifest. Items that are not whole any more are removed. A sound index is not changed.
///
/// # Errors
/// When there is no index, somebody else writes to it, it has another format, neither the manifest nor its copy in the
/// records can be read, or the disk refuses. The damaged records are still there then.
pub fn repair(dir: &Path, progress: &mut dyn FnMut(BuildProgress)) -> Result<Repair, IndexError> {
    repair_with(dir, WriterOptions::default(), progress)
}

/// [`repair`] with the options of the writer that builds the graphs.
///
/// # Errors
/// The same.
pub fn repair_with(
    dir: &Path,
    options: WriterOptions,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<Repair, IndexError> {
    repair_stepwise(dir, options, Steps::default(), progress)
}

pub(crate) fn repair_stepwise(
    dir: &Path,
    options: WriterOptions,
    steps: Steps,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<Repair, IndexError> {
    let layout = located(&Layout::new(dir));
    // Before the lock, which would make a file in a folder that is no index.
    check_exists(&layout)?;
    let lock = WriteLock::take(&layout)?;
    let mut repair = Repair {
        found: check(dir)?,
        ..Repair::default()
    };
    finish_switch(&layout)?;
    let known = Known::look(&layout);
    let unfinished = read_note(&layout);
    if repair.found.is_empty() && unfinished.is_none() {
        discard(&layout, &layout.scratch())?;
        discard(&layout, &layout.new_records())?;
        return Ok(repair);
    }
    let mut is_replaced = unfinished.is_some();
    if let Some(lost) = unfinished {
        repair.add(lost);
    }
    let (manifest, lost) = if are_readable(&layout, &known) {
        mend_in_place(&layout, &known)?
    } else {
        is_replaced = true;
        replace(&layout, &known, steps)?
    };
    let changed = lost.n_changes > 0;
    repair.add(lost);
    if !matches!(Manifest::read(&layout), Ok(Some(_))) {
        manifest.write(&layout)?;
    }
    discard_derived(&layout, changed)?;
    let writer = IndexWriter::open_locked(&layout, &manifest.binding(), options, steps, lock)?;
    writer.finish_with(progress)?;
    repair.left = check(dir)?;
    if is_replaced && repair.has_losses() {
        repair.kept = Some(layout.damaged_records());
    } else if is_replaced {
        discard(&layout, &layout.damaged_records())?;
    }
    discard(&layout, &layout.scratch())?;
    discard(&layout, &note_path(&layout))?;
    Ok(repair)
}

/// The index with its data where the manifest, or else the records themselves, say that they are.
fn located(layout: &Layout) -> Layout {
    match Manifest::read(layout) {
        Ok(Some(manifest)) => layout.with_data(manifest.data()),
        _ => layout.with_data(&data_without_manifest(layout)),
    }
}

fn check_exists(layout: &Layout) -> Result<(), IndexError> {
    let has_records = [layout.records(), layout.new_records()]
        .iter()
        .any(|path| path.is_dir());
    match Manifest::read(layout) {
        Ok(None) if !has_records => Err(IndexError::NoIndex {
            dir: layout.dir().to_owned(),
        }),
        Ok(_) | Err(IndexError::Damaged { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What the other parts of the index know of the records.
struct Known {
    manifest: Option<Manifest>,
    generation: Generation,
    last_id: ItemId,
}

impl Known {
    fn look(layout: &Layout) -> Self {
        let manifest = Manifest::read(layout).ok().flatten();
        let is_ours = |index_id: [u8; 16]| {
            manifest
                .as_ref()
                .is_none_or(|manifest| manifest.index_id() == index_id)
        };
        let mut generation = Words::stamp_in(&layout.words())
            .filter(|stamp| is_ours(stamp.index_id))
            .map_or(0, |stamp| stamp.generation);
        let mut last_id = 0;
        for kind in ItemKind::ALL {
            let graph = Graph::open(&layout.graph(kind)).ok().flatten();
            if let Some(graph) = graph.filter(|graph| is_ours(graph.stamp().index_id)) {
                generation = generation.max(graph.stamp().generation);
                last_id = last_id.max(graph.stamp().last_id);
            }
        }
        Self {
            manifest,
            generation: Generation(generation),
            last_id: ItemId(last_id),
        }
    }

    /// The terms for records that could be read in whole, or not, with the columns where places were passed over. Of
    /// what is missing in the log nobody knows the column.
    fn expected(&self, manifest: &Manifest, is_incomplete: bool, passed: &[Column]) -> Expected {
        Expected {
            dimension: manifest.dimension(),
            generation: self.generation,
            last_id: self.last_id,
            is_incomplete,
            images_need_paths: passed.contains(&Column::Paths),
        }
    }

    /// The manifest, or the one that the records keep a copy of.
    fn manifest_or_copy(&self, layout: &Layout, store: &Store) -> Result<Manifest, IndexError> {
        if let Some(manifest) = &self.manifest {
            return Ok(manifest.clone());
        }
        let copy = store.manifest_copy().within(layout.dir())?;
        let copy = copy.ok_or(IndexError::Damaged {
            path: layout.manifest(),
            what: "neither it nor its copy in the records can be read",
        })?;
        Manifest::parse(layout, &copy)
    }
}

/// Whether every block of the records can be read and no commit is missing for which there would be a place to look.
fn are_readable(layout: &Layout, known: &Known) -> bool {
    let path = layout.records();
    let Ok(store) = Store::open_read_only(&path) else {
        return false;
    };
    if Column::ALL
        .into_iter()
        .any(|column| store.verify(column).is_err())
    {
        return false;
    }
    let generation = store.generation().unwrap_or(Generation(0));
    generation >= known.generation || !store.has_more_than_it_knows(&path)
}

fn keep_copy_of_manifest(
    store: &Store,
    manifest: &Manifest,
    layout: &Layout,
) -> Result<(), IndexError> {
    if store.manifest_copy().within(layout.dir())?.is_none() {
        let bytes = manifest.to_bytes().map_err(|source| IndexError::Io {
            path: layout.manifest(),
            source,
        })?;
        store.write_manifest_copy(&bytes).within(layout.dir())?;
    }
    Ok(())
}

/// Records that can all be read, but contradict each other.
fn mend_in_place(layout: &Layout, known: &Known) -> Result<(Manifest, Reconciled), IndexError> {
    let dir = layout.dir();
    let _closed = Gate::close(layout)?;
    let store = Store::open(&layout.records(), false).within(dir)?;
    let manifest = known.manifest_or_copy(layout, &store)?;
    keep_copy_of_manifest(&store, &manifest, layout)?;
    let reconciled = reconcile(&store, known.expected(&manifest, false, &[])).within(dir)?;
    if reconciled.n_changes > 0 {
        store.flush().within(dir)?;
    }
    Ok((manifest, reconciled))
}

/// Records that cannot all be read: puts new ones in their place.
fn replace(
    layout: &Layout,
    known: &Known,
    steps: Steps,
) -> Result<(Manifest, Reconciled), IndexError> {
    let dir = layout.dir();
    let stopped = |source| IndexError::Io {
        path: dir.to_owned(),
        source,
    };
    let (records, new) = (layout.records(), layout.new_records());
    let Salvaged { incomplete, .. } =
        salvage(&records, &layout.scratch(), &new, known.generation).within(dir)?;
    let store = Store::open(&new, false).within(dir)?;
    let manifest = known.manifest_or_copy(layout, &store)?;
    keep_copy_of_manifest(&store, &manifest, layout)?;
    let reconciled = reconcile(&store, known.expected(&manifest, true, &incomplete)).within(dir)?;
    store.flush().within(dir)?;
    drop(store);
    write_note(layout, &reconciled)?;
    sync_files_in(&new).map_err(|source| IndexError::writing(dir, &new, source))?;
    steps.reach(Step::RepairCopied).map_err(stopped)?;
    let _closed = Gate::close(layout)?;
    discard(layout, &layout.damaged_records())?;
    rename(layout, &records, &layout.damaged_records())?;
    steps.reach(Step::RepairSetAside).map_err(stopped)?;
    rename(layout, &new, &records)?;
    steps.reach(Step::RepairSwitched).map_err(stopped)?;
    Ok((manifest, reconciled))
}

/// After a repair that ended between its two renames.
fn finish_switch(layout: &Layout) -> Result<(), IndexError> {
    if !layout.records().exists()
        && layout.new_records().is_dir()
        && layout.damaged_records().is_dir()
    {
        rename(layout, &layout.new_records(), &layout.records())?;
    }
    Ok(())
}

fn rename(layout: &Layout, from: &Path, to: &Path) -> Result<(), IndexError> {
    atomic::rename(from, to).map_err(|source| IndexError::writing(layout.dir(), to, source))
}

fn sync_files_in(folder: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs_err::File::open(entry.path())?.sync_all()?;
        }
    }
    atomic::sync_folder(folder)
}

/// Deletes what the next writer has to make anew.
fn discard_derived(layout: &Layout, all: bool) -> Result<(), IndexError> {
    if all {
        discard(layout, &layout.words())?;
        return discard(layout, &layout.graphs());
    }
    for problem in check(layout.dir())? {
        match problem {
            Problem::Graph { kind, .. } => discard(layout, &layout.graph(kind))?,
            Problem::Words { .. } => discard(layout, &layout.words())?,
            _ => {}
        }
    }
    Ok(())
}

/// Removes a file or a folder, if it is there.
fn discard(layout: &Layout, path: &Path) -> Result<(), IndexError> {
    let removed = if path.is_dir() {
        fs_err::remove_dir_all(path)
    } else {
        fs_err::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(IndexError::writing(layout.dir(), path, error))
        }
        _ => Ok(()),
    }
}

/// The losses of a repair that has not ended yet, so that the next one can tell them.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The bytes of the paths, which need not be UTF-8.
    files: Vec<Vec<u8>>,
    n_images: u64,
    n_captions: u64,
    sources: Vec<Vec<u8>>,
    n_libraries: usize,
    n_generations: u64,
    n_files_to_read: usize,
}

fn note_path(layout: &Layout) -> PathBuf {
    layout.data().join("repair.json")
}

fn write_note(layout: &Layout, lost: &Reconciled) -> Result<(), IndexError> {
    let path = note_path(layout);
    let bytes = |paths: &[PathBuf]| -> Vec<Vec<u8>> {
        let of = |path: &PathBuf| {
            keys::path_bytes(path)
                .ok()
                .map(std::borrow::Cow::into_owned)
        };
        paths.iter().filter_map(of).collect()
    };
    let note = Note {
        files: bytes(&lost.lost_files),
        n_images: lost.n_lost_images,
        n_captions: lost.n_lost_captions,
        sources: bytes(&lost.lost_sources),
        n_libraries: lost.n_lost_libraries,
        n_generations: lost.n_lost_generations,
        n_files_to_read: lost.n_files_to_read,
    };
    let write = || -> io::Result<()> {
        fs_err::write(&path, serde_json::to_vec(&note)?)?;
        fs_err::File::open(&path)?.sync_all()
    };
    write().map_err(|source| IndexError::writing(layout.dir(), &path, source))
}

/// The note of a repair whose new records are in place. One that was never read to the end told nobody anything, but
/// its damaged records are still there and will tell it again.
fn read_note(layout: &Layout) -> Option<Reconciled> {
    if layout.new_records().exists() {
        return None;
    }
    let note: Note = serde_json::from_slice(&fs_err::read(note_path(layout)).ok()?).ok()?;
    let paths = |all: Vec<Vec<u8>>| -> Vec<PathBuf> {
        all.iter()
            .filter_map(|bytes| keys::path_from(bytes).ok())
            .collect()
    };
    Some(Reconciled {
        n_changes: 0,
        lost_files: paths(note.files),
        n_files_to_read: note.n_files_to_read,
        n_lost_images: note.n_images,
        n_lost_captions: note.n_captions,
        lost_sources: paths(note.sources),
        n_lost_libraries: note.n_libraries,
        n_lost_generations: note.n_generations,
    })
}
