//! Changes the model of an index: a second index is built beside the old data and then replaces
//! them.
//!
//! The *successor* of an index whose data are in `data-2` (or in the index folder itself, which
//! counts as `data-1`) is an index of its own in `data-3`. While it is being built, readers answer
//! from the old data. If the build is interrupted, everything committed is kept, and the next build
//! continues from there. When it is complete, the manifest is replaced by one that names the new
//! data: this is the switch. Then the old data are deleted, if need be by the next writer.

use std::path::{Path, PathBuf};

use super::{IndexWriter, WriterOptions};
use crate::disk::layout::{GONE, Layout, data_name};
use crate::disk::lock::WriteLock;
use crate::disk::manifest::{Binding, Manifest};
use crate::disk::steps::{Step, Steps};
use crate::disk::sweep::{is_of_other_model, sweep};
use crate::error::{IndexError, Within};
use crate::records::store::Store;

/// An index under construction that is to replace one made with another model.
///
/// While it exists, no other writer can open the old index; readers can. If it is dropped before
/// [`replace`](Self::replace), it stays unfinished, and the next one with the same model continues
/// it.
#[derive(Debug)]
pub struct Successor {
    /// Layout of the old index.
    layout: Layout,
    folder: PathBuf,
    binding: Binding,
    steps: Steps,
    _lock: WriteLock,
}

/// A successor that was begun but not completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its folder, an index of its own. Delete it to abandon the successor.
    pub folder: PathBuf,
    /// The model that makes its vectors.
    pub binding: Binding,
}

/// The unfinished successor of the index in a folder, if any. Reads two small files.
///
/// # Errors
/// When the manifest of the index cannot be read.
pub fn unfinished(dir: &Path) -> Result<Option<Unfinished>, IndexError> {
    let Some(manifest) = Manifest::read(&Layout::new(dir))? else {
        return Ok(None);
    };
    let folder = successor_of(dir, &manifest);
    let found = match Manifest::read(&Layout::new(&folder)) {
        // A damaged one is treated as missing: nothing uses it.
        Err(IndexError::Damaged { .. }) => None,
        found => found?,
    };
    // One of the same model is the leftover of an interrupted repair.
    let found = found.filter(|found| found.binding != manifest.binding);
    Ok(found.map(|found| Unfinished {
        folder,
        binding: found.binding,
    }))
}

impl Successor {
    /// Begins the successor of the index in `dir`, or continues an unfinished one of the same
    /// model. One of another model is deleted. Returns none when the index already uses that model.
    ///
    /// # Errors
    /// When there is no index, another process writes to it, it is not writable, or it has a newer
    /// format.
    pub fn begin(dir: &Path, binding: &Binding) -> Result<Option<Self>, IndexError> {
        Self::begin_stepwise(dir, binding, Steps::default())
    }

    pub(crate) fn begin_stepwise(
        dir: &Path,
        binding: &Binding,
        steps: Steps,
    ) -> Result<Option<Self>, IndexError> {
        let top = Layout::new(dir);
        let no_index = || IndexError::NoIndex {
            dir: dir.to_owned(),
        };
        // Before anything is changed.
        Manifest::read(&top)?.ok_or_else(no_index)?;
        let lock = WriteLock::take(&top)?;
        let manifest = Manifest::read(&top)?.ok_or_else(no_index)?;
        if manifest.check_binding(dir, binding).is_ok() {
            return Ok(None);
        }
        let layout = top.with_data(&manifest.data);
        sweep(&layout, &manifest, steps)?;
        let successor = Self {
            folder: successor_of(dir, &manifest),
            layout,
            binding: binding.clone(),
            steps,
            _lock: lock,
        };
        match Manifest::read(&Layout::new(&successor.folder)) {
            Ok(Some(found)) if found.binding == *binding => {}
            // Of another model; or nothing was committed, or it cannot be known what.
            Ok(_) | Err(IndexError::Damaged { .. }) => successor.discard()?,
            Err(error) => return Err(error),
        }
        Ok(Some(successor))
    }

    /// An empty successor of the same model, which a repair fills. The leftover of an interrupted
    /// repair is deleted; an unfinished change of the model keeps its folder.
    ///
    /// # Errors
    /// When the leftover cannot be deleted.
    pub(crate) fn of_damaged(
        layout: &Layout,
        manifest: &Manifest,
        steps: Steps,
        lock: WriteLock,
    ) -> Result<Self, IndexError> {
        let next = successor_of(layout.dir(), manifest);
        let is_other = is_of_other_model(&next, manifest);
        let number = manifest.data_number().saturating_add(2);
        let successor = Self {
            layout: layout.clone(),
            folder: if is_other {
                layout.dir().join(data_name(number))
            } else {
                next
            },
            binding: manifest.binding.clone(),
            steps,
            _lock: lock,
        };
        successor.discard()?;
        Ok(successor)
    }

    /// Its folder: an index of its own, which can be read like any other.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens it for writing. A damaged one is deleted and begun again.
    ///
    /// # Errors
    /// When it is not writable.
    pub fn writer(&self, options: WriterOptions) -> Result<IndexWriter, IndexError> {
        let open = || IndexWriter::open_or_create_with(&self.folder, &self.binding, options);
        match open() {
            // Any other error may pass, and years of embedding are in there.
            Err(error) if error.is_damage() => {
                self.discard()?;
                open()
            }
            opened => opened,
        }
    }

    /// Switches the index to its successor and deletes the old data. Call it after its writer has
    /// [finished](IndexWriter::finish).
    ///
    /// # Errors
    /// When the successor does not exist or is not writable. The index is then the old one, or the
    /// new one with the old data still there, which the next writer deletes.
    pub fn replace(self) -> Result<(), IndexError> {
        let dir = self.layout.dir();
        let own = Layout::new(&self.folder);
        let missing = || IndexError::NoIndex {
            dir: self.folder.clone(),
        };
        let made = Manifest::read(&own)?.ok_or_else(missing)?;
        made.check_binding(&self.folder, &self.binding)?;
        let name = self.folder.file_name().unwrap_or_default();
        let manifest = made.moved_to(&name.to_string_lossy());
        let layout = self.layout.with_data(&manifest.data);
        let stopped = |source| IndexError::Io {
            path: dir.to_owned(),
            source,
        };
        let bytes = manifest.to_bytes().map_err(stopped)?;
        let own_lock = WriteLock::take(&own)?;
        let store = Store::open(&layout.records(), false).within(dir)?;
        store.write_manifest_copy(&bytes).within(dir)?;
        store.flush().within(dir)?;
        drop((store, own_lock));
        self.steps.reach(Step::SuccessorCopied).map_err(stopped)?;
        manifest.write(&layout)?;
        self.steps.reach(Step::SuccessorSwitched).map_err(stopped)?;
        sweep(&layout, &manifest, self.steps)
    }

    /// Deletes the successor, if any. Its folder is renamed first, so that a half-deleted folder is
    /// never mistaken for a successor.
    pub(crate) fn discard(&self) -> Result<(), IndexError> {
        if !self.folder.exists() {
            return Ok(());
        }
        let mut gone = self.folder.clone().into_os_string();
        gone.push(GONE);
        let gone = PathBuf::from(gone);
        let delete = || {
            if gone.exists() {
                fs_err::remove_dir_all(&gone)?;
            }
            fs_err::rename(&self.folder, &gone)
        };
        delete().map_err(|source| IndexError::writing(self.layout.dir(), &self.folder, source))?;
        // The next writer deletes what remains.
        let _ = fs_err::remove_dir_all(&gone);
        Ok(())
    }
}

fn successor_of(dir: &Path, manifest: &Manifest) -> PathBuf {
    dir.join(data_name(manifest.data_number().saturating_add(1)))
}
