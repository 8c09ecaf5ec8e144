//! Repairs an index: rebuilds everything derived from the records, keeps everything readable of the
//! records, and reports what is lost.
//!
//! Damaged records are never changed. Everything readable of them is copied to new records beside
//! them, which replace them when complete. An interrupted repair can be run again.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::check::{Problem, check};
use super::reconcile::{Expected, Reconciled, reconcile};
use super::salvage::salvage;
use crate::atomic;
use crate::derived::graph_files::BuildProgress;
use crate::disk::layout::Layout;
use crate::disk::lock::WriteLock;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::graph::header::Header;
use crate::item::{Generation, ItemId, ItemKind};
use crate::records::keys::{self, Column};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::words::Words;
use crate::writer::open::data_without_manifest;
use crate::writer::{IndexWriter, WriterOptions};

/// The result of [`repair`]: what was wrong, and what is lost.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Repair {
    /// Problems before the repair. If empty, nothing was changed.
    pub found: Vec<Problem>,
    /// Problems that remain.
    pub left: Vec<Problem>,
    /// Files that are no longer in the index.
    pub lost_files: Vec<PathBuf>,
    /// Number of images that are no longer in the index, including those of `lost_files`.
    pub n_lost_images: u64,
    /// Number of captions that are no longer in the index.
    pub n_lost_captions: u64,
    /// Files that lost captions came from, as far as known.
    pub lost_caption_sources: Vec<PathBuf>,
    /// Number of library folders whose records could not be read.
    pub n_lost_libraries: u64,
    /// Number of commits that are lost completely.
    pub n_lost_commits: u64,
    /// Number of files in the index whose size and modification time are lost, so that they will be
    /// read again.
    pub n_files_to_read: u64,
    /// The damaged records, kept because they could not be read completely. They may be deleted.
    pub kept: Option<PathBuf>,
}

impl Repair {
    /// Whether something is lost that only the original files can restore.
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

/// Repairs an index: rebuilds the graphs, the words, all records that follow from others, and a
/// lost manifest. Incomplete items are removed. A sound index is not changed. `options` are those
/// of the writer that builds the graphs.
///
/// # Errors
/// When there is no index, another process writes to it, it has another format, neither the
/// manifest nor its copy in the records can be read, or the disk fails. The damaged records are
/// then still there.
pub fn repair(
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
    let layout = located(&Layout::new(dir))?;
    // Before the lock, which would create a file in a folder without an index.
    check_exists(&layout)?;
    let lock = WriteLock::take(&layout)?;
    let mut repair = Repair {
        found: check(dir)?,
        ..Repair::default()
    };
    finish_switch(&layout)?;
    let known = Known::read(&layout);
    let unfinished = read_note(&layout);
    if repair.found.is_empty() && unfinished.is_none() {
        layout.discard(&layout.scratch())?;
        layout.discard(&layout.new_records())?;
        return Ok(repair);
    }
    let mut is_replaced = unfinished.is_some();
    if let Some(lost) = unfinished {
        repair.add(lost);
    }
    let (manifest, lost) = if is_readable(&layout, &known) {
        reconcile_in_place(&layout, &known)?
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
    let writer = IndexWriter::open_locked(&layout, &manifest.binding, options, steps, lock)?;
    // A repair is complete only when everything is rebuilt.
    let finished = writer.finish_with(&mut |build| {
        progress(build);
        ControlFlow::Continue(())
    })?;
    finished.postponed.into_iter().try_for_each(Err)?;
    repair.left = check(dir)?;
    if is_replaced && repair.has_losses() {
        repair.kept = Some(layout.damaged_records());
    } else if is_replaced {
        layout.discard(&layout.damaged_records())?;
    }
    layout.discard(&layout.scratch())?;
    layout.discard(&note_path(&layout))?;
    Ok(repair)
}

/// The layout with the folder of the data, as the manifest or else the records themselves state.
fn located(layout: &Layout) -> Result<Layout, IndexError> {
    Ok(match Manifest::read(layout) {
        Ok(Some(manifest)) => layout.with_data(&manifest.data),
        _ => layout.with_data(&data_without_manifest(layout)?),
    })
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

/// What the other parts of the index show about the records.
struct Known {
    manifest: Option<Manifest>,
    generation: Generation,
    last_id: ItemId,
}

impl Known {
    fn read(layout: &Layout) -> Self {
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
        for file in layout.graph_files().unwrap_or_default() {
            let header = Header::read(&file.path).ok().flatten();
            if let Some(header) = header.filter(|header| is_ours(header.stamp.index_id)) {
                generation = generation.max(header.stamp.generation);
                last_id = last_id.max(header.stamp.last_id);
            }
        }
        Self {
            manifest,
            generation: Generation(generation),
            last_id: ItemId(last_id),
        }
    }

    /// What to expect of records that could be read completely or not. `incomplete` are the columns
    /// that have gaps; which columns a truncated log affects is unknown.
    fn expected(
        &self,
        manifest: &Manifest,
        is_incomplete: bool,
        incomplete: &[Column],
    ) -> Expected {
        Expected {
            dimension: manifest.binding.dimension,
            generation: self.generation,
            last_id: self.last_id,
            is_incomplete,
            images_need_paths: incomplete.contains(&Column::Paths),
        }
    }

    /// The manifest, or else its copy in the records.
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

/// Whether every block of the records can be read, and no commit is missing that a table or log
/// might still contain.
fn is_readable(layout: &Layout, known: &Known) -> bool {
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

/// Makes records consistent that are readable but contradict each other.
fn reconcile_in_place(
    layout: &Layout,
    known: &Known,
) -> Result<(Manifest, Reconciled), IndexError> {
    let dir = layout.dir();
    let store = Store::open(&layout.records(), false).within(dir)?;
    let manifest = known.manifest_or_copy(layout, &store)?;
    keep_copy_of_manifest(&store, &manifest, layout)?;
    let reconciled = reconcile(&store, known.expected(&manifest, false, &[])).within(dir)?;
    if reconciled.n_changes > 0 {
        store.flush().within(dir)?;
    }
    Ok((manifest, reconciled))
}

/// Replaces records that cannot be read completely.
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
    let incomplete = salvage(&records, &layout.scratch(), &new, known.generation).within(dir)?;
    let store = Store::open(&new, false).within(dir)?;
    let manifest = known.manifest_or_copy(layout, &store)?;
    keep_copy_of_manifest(&store, &manifest, layout)?;
    let reconciled = reconcile(&store, known.expected(&manifest, true, &incomplete)).within(dir)?;
    store.flush().within(dir)?;
    drop(store);
    write_note(layout, &reconciled)?;
    sync_files_in(&new).map_err(|source| IndexError::writing(dir, &new, source))?;
    steps.reach(Step::RepairCopied).map_err(stopped)?;
    layout.discard(&layout.damaged_records())?;
    rename(layout, &records, &layout.damaged_records())?;
    steps.reach(Step::RepairSetAside).map_err(stopped)?;
    rename(layout, &new, &records)?;
    steps.reach(Step::RepairSwitched).map_err(stopped)?;
    Ok((manifest, reconciled))
}

/// Completes a repair that was interrupted between its two renames.
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

/// Deletes the derived parts that the next writer has to rebuild.
fn discard_derived(layout: &Layout, all: bool) -> Result<(), IndexError> {
    if all {
        layout.discard(&layout.words())?;
        return layout.discard(&layout.graphs());
    }
    for problem in check(layout.dir())? {
        match problem {
            Problem::Graph { kind, .. } => discard_graphs(layout, kind)?,
            Problem::Words { .. } => layout.discard(&layout.words())?,
            _ => {}
        }
    }
    Ok(())
}

fn discard_graphs(layout: &Layout, kind: ItemKind) -> Result<(), IndexError> {
    let files = layout.graph_files().map_err(|source| IndexError::Io {
        path: layout.graphs(),
        source,
    })?;
    for file in files.iter().filter(|file| file.kind == kind) {
        layout.discard(&file.path)?;
    }
    Ok(())
}

/// The losses of an unfinished repair, so that the next one can report them.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The bytes of paths, which need not be UTF-8.
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

/// The note of an unfinished repair whose new records are in place. If they are not, the damaged
/// records are still there, and the losses will be found again.
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
