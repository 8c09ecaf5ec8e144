//! Repairs an index: rebuilds everything derived from the records, keeps everything readable of the
//! records, and reports what is lost.
//!
//! Damaged records are never changed. Everything that can be kept of them is put into new data
//! beside them, by an ordinary writer and under the same ids. One rename of the manifest makes
//! those the data of the index; then the damaged data are renamed to `damaged-1` or the next free
//! number. An interrupted repair can be run again.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::check::check;
use super::problem::Problem;
use super::rules::{Losses, Source, Survey};
use super::salvage::Salvaged;
use crate::atomic;
use crate::derived::graph_files::BuildProgress;
use crate::derived::{self, Seen};
use crate::disk::kept::{self, DamagedData, Noted, Replaced, damaged_data, note_path};
use crate::disk::layout::{Layout, SCRATCH};
use crate::disk::lock::WriteLock;
use crate::disk::manifest::Manifest;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::item::{ItemId, ItemKind};
use crate::records::read::Records;
use crate::records::store::Store;
use crate::words::Words;
use crate::writer::open::data_without_manifest;
use crate::writer::successor::Successor;
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
    /// The damaged data that the repair replaced. They are kept until
    /// [`discard_damaged`](crate::discard_damaged) deletes them.
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

    fn add(&mut self, lost: Losses) {
        self.lost_files.extend(lost.files);
        self.n_lost_images += lost.n_images;
        self.n_lost_captions += lost.n_captions;
        self.lost_caption_sources.extend(lost.sources);
        self.n_lost_libraries += lost.n_libraries;
        self.n_lost_commits += lost.n_generations;
        self.n_files_to_read += lost.n_files_to_read;
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
    finish_old_repair(&layout)?;
    let mut repair = Repair {
        found: check(dir)?,
        ..Repair::default()
    };
    let note = kept::read_note::<Note>(&layout)?;
    let was_replaced = !matches!(note, Noted::Nothing);
    if repair.found.is_empty() && !was_replaced {
        lock.verified();
        return Ok(repair);
    }
    if let Noted::Note(note) = note {
        repair.add(note.losses);
    }
    let derived = |problem: &Problem| {
        matches!(
            problem,
            Problem::Manifest { .. }
                | Problem::Graph { .. }
                | Problem::Words { .. }
                | Problem::Hubs { .. }
        )
    };
    let is_replaced = !repair.found.iter().all(derived);
    if is_replaced {
        let lost = replace(&layout, &repair.found, options, steps, &lock, progress)?;
        repair.add(lost);
    } else {
        rebuild(&layout, &repair.found, options, steps, &lock, progress)?;
    }
    // The lock is still held, so that what a writer commits meanwhile is not taken for a problem.
    repair.left = check(dir)?;
    if repair.left.is_empty() {
        lock.verified();
    }
    if is_replaced || was_replaced {
        repair.kept = damaged_data(dir)?.pop().map(|kept| kept.folder);
    }
    let stopped = |source| IndexError::writing(dir, dir, source);
    steps.reach(Step::RepairChecked).map_err(stopped)?;
    Note::discard(&located(&Layout::new(dir))?)?;
    Ok(repair)
}

/// The layout with the folder of the data, as the manifest or else the records themselves state.
fn located(layout: &Layout) -> Result<Layout, IndexError> {
    Ok(match Manifest::read(layout) {
        Ok(Some(manifest)) => layout.with_data(&manifest.data),
        Ok(None) | Err(IndexError::Damaged { .. }) => {
            layout.with_data(&data_without_manifest(layout)?.folder())
        }
        Err(error) => return Err(error),
    })
}

fn check_exists(layout: &Layout) -> Result<(), IndexError> {
    let has_records = [layout.records(), new_records(layout)]
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
    seen: Seen,
}

impl Known {
    fn read(layout: &Layout) -> Result<Self, IndexError> {
        let manifest = match Manifest::read(layout) {
            Err(IndexError::Damaged { .. }) => None,
            found => found?,
        };
        let seen = derived::seen(layout, manifest.as_ref().map(Manifest::index_id))?;
        Ok(Self { manifest, seen })
    }

    /// The manifest, or else its copy in the records.
    fn manifest_or_copy(
        &self,
        layout: &Layout,
        records: &impl Records,
    ) -> Result<Manifest, IndexError> {
        if let Some(manifest) = &self.manifest {
            return Ok(manifest.clone());
        }
        let copy = records.manifest_copy().within(layout.dir())?;
        let copy = copy.ok_or(IndexError::Damaged {
            path: layout.manifest(),
            what: "neither it nor its copy in the records can be read",
        })?;
        // Records that state otherwise were damaged, or copied by somebody.
        Ok(Manifest::parse(layout, &copy)?.moved_to(&layout.name()))
    }
}

/// Rebuilds the derived parts of sound records, and a lost manifest.
fn rebuild(
    layout: &Layout,
    found: &[Problem],
    options: WriterOptions,
    steps: Steps,
    lock: &WriteLock,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<(), IndexError> {
    let store = Store::open_read_only(&layout.records()).within(layout.dir())?;
    let manifest = Known::read(layout)?.manifest_or_copy(layout, &store)?;
    drop(store);
    for problem in found {
        match problem {
            Problem::Graph { kind, .. } => discard_graphs(layout, *kind)?,
            Problem::Words { .. } => layout.discard(&layout.words())?,
            Problem::Hubs { .. } => layout.discard(&layout.hubs())?,
            _ => {}
        }
    }
    let writer = IndexWriter::open_locked(layout, &manifest.binding, options, steps, lock.clone())?;
    finish(writer, progress)
}

/// Finishes the writer of a repair, which is complete only when everything is rebuilt.
fn finish(writer: IndexWriter, progress: &mut dyn FnMut(BuildProgress)) -> Result<(), IndexError> {
    let finished = writer.finish_with(&mut |build| {
        progress(build);
        ControlFlow::Continue(())
    })?;
    finished.postponed.into_iter().try_for_each(Err)
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

/// Replaces the data by new ones with everything that can be kept of the records.
fn replace(
    layout: &Layout,
    found: &[Problem],
    options: WriterOptions,
    steps: Steps,
    lock: &WriteLock,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<Losses, IndexError> {
    let known = Known::read(layout)?;
    let is_unreadable = |problem: &Problem| matches!(problem, Problem::Records { .. });
    let scratch = scratch(layout);
    layout.discard(&scratch)?;
    let replacement = Replacement {
        layout,
        known: &known,
        options,
        steps,
        lock: lock.clone(),
        progress,
    };
    if !found.iter().any(is_unreadable) {
        let store = Store::open_read_only(&layout.records()).within(layout.dir())?;
        return replacement.replay(&store);
    }
    let records = layout.records();
    let salvaged =
        Salvaged::open(&records, &scratch, known.seen.generation).within(layout.dir())?;
    let lost = replacement.replay(&salvaged)?;
    drop(salvaged);
    layout.discard(&scratch)?;
    Ok(lost)
}

/// What a repair needs to build new data.
struct Replacement<'a> {
    layout: &'a Layout,
    known: &'a Known,
    options: WriterOptions,
    steps: Steps,
    lock: WriteLock,
    progress: &'a mut dyn FnMut(BuildProgress),
}

impl Replacement<'_> {
    fn replay(self, records: &impl Source) -> Result<Losses, IndexError> {
        let Self {
            layout,
            known,
            steps,
            ..
        } = self;
        let dir = layout.dir();
        let manifest = known.manifest_or_copy(layout, records)?;
        let survey = Survey::of(records, manifest.binding.dimension).within(dir)?;
        let successor = Successor::of_damaged(layout, &manifest, steps, self.lock)?;
        let filled = (|| {
            let mut options = self.options;
            options.language = options.language.or(records.language().ok());
            let mut writer = successor.writer(options)?;
            let last_id = known.seen.last_id.max(last_id_in_words(layout)?);
            survey.replay(&mut writer, last_id, steps, dir)?;
            finish(writer, self.progress)
        })();
        if let Err(error) = filled {
            // The disk may be full of it.
            let _ = successor.discard();
            return Err(error);
        }
        let found = records.generation().map_or(0, |found| found.0);
        let mut losses = survey.losses;
        losses.n_generations = known.seen.generation.0.saturating_sub(found);
        let note = Note {
            about: Replaced {
                replaced: Some((manifest.data_number(), kept::free_name(dir)?)),
            },
            losses,
        };
        note.write(layout, successor.folder())?;
        let stopped = |source| IndexError::writing(dir, dir, source);
        steps.reach(Step::RepairCopied).map_err(stopped)?;
        successor.replace()?;
        Ok(note.losses)
    }
}

/// The highest id in the words, which may be newer than the records. Damaged words know none.
fn last_id_in_words(layout: &Layout) -> Result<ItemId, IndexError> {
    match Words::last_id_in(&layout.words()) {
        Err(error) if error.is_damage() => Ok(ItemId(0)),
        found => found.map(ItemId).within(layout.dir()),
    }
}

/// What a repair did. Kept in the new data until it is reported.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    about: Replaced,
    #[serde(flatten)]
    losses: Losses,
}

impl Note {
    fn write(&self, layout: &Layout, data: &Path) -> Result<(), IndexError> {
        let path = note_path(data);
        serde_json::to_vec(self)
            .map_err(io::Error::from)
            .and_then(|bytes| atomic::write(&path, &bytes))
            .map_err(|source| IndexError::writing(layout.dir(), &path, source))
    }

    fn discard(layout: &Layout) -> Result<(), IndexError> {
        layout.discard_file(&note_path(layout.data()))
    }
}

/// A temporary folder for reading damaged records. It is not beside them, since it must not be kept
/// with them.
fn scratch(layout: &Layout) -> PathBuf {
    layout.dir().join(SCRATCH)
}

/// Where a repair of format 2 made new records.
fn new_records(layout: &Layout) -> PathBuf {
    layout.data().join("records.new")
}

/// Completes an interrupted repair of format 2 whose damaged records are renamed, and discards one
/// whose are not: those losses will be found again.
fn finish_old_repair(layout: &Layout) -> Result<(), IndexError> {
    let new = new_records(layout);
    if new.is_dir() {
        if layout.records().exists() {
            layout.discard(&new)?;
            Note::discard(layout)?;
        } else {
            atomic::rename(&new, &layout.records())
                .map_err(|source| IndexError::writing(layout.dir(), &new, source))?;
        }
    }
    for folder in [layout.dir(), layout.data()] {
        layout.discard(&folder.join(SCRATCH))?;
    }
    if layout.records().exists() {
        kept::keep_old(layout)?;
    }
    Ok(())
}

/// Deletes the damaged data that repairs have kept, and returns them.
///
/// # Errors
/// When another process writes to the index, or something cannot be deleted.
pub fn discard_damaged(dir: &Path) -> Result<Vec<DamagedData>, IndexError> {
    let damaged = damaged_data(dir)?;
    if !damaged.is_empty() {
        let layout = Layout::new(dir);
        let _lock = WriteLock::take(&layout)?;
        for data in &damaged {
            layout.discard(&data.folder)?;
        }
    }
    Ok(damaged)
}
