//! How does an index change its model? A second index is made beside the old data and takes their place.
//!
//! The *successor* of an index whose data lie in `data-2` (or in the index folder itself, which counts as the first) is
//! an index of its own in `data-3`. While it is being made, readers answer from the old data; whatever cuts it short,
//! what it has committed stays and is gone on from. When it is complete, the manifest is replaced by one that names its
//! data: that is the switch. Then the old data are deleted, by the next writer if need be.

use std::path::{Path, PathBuf};

use super::{IndexWriter, WriterOptions};
use crate::disk::layout::{GONE, Layout, data_name};
use crate::disk::lock::WriteLock;
use crate::disk::manifest::{Binding, Manifest};
use crate::disk::steps::{Step, Steps};
use crate::disk::sweep::sweep;
use crate::error::{IndexError, Within};
use crate::records::store::Store;

/// An index in the making that takes the place of another one made with another model.
///
/// While it exists no other writer opens the old one; readers do. Dropped before [`replace`](Self::replace), it stays
/// unfinished, and the next one with the same model goes on with it.
#[derive(Debug)]
pub struct Successor {
    /// Of the old index.
    layout: Layout,
    folder: PathBuf,
    binding: Binding,
    discarded: Option<Binding>,
    steps: Steps,
    _lock: WriteLock,
}

/// A successor that was begun and not completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its folder, an index of its own. Deleting it gives it up.
    pub folder: PathBuf,
    /// The model that makes its vectors.
    pub binding: Binding,
}

/// The unfinished successor of the index in a folder, if there is one. Only two small files are read.
///
/// # Errors
/// When the manifest of the index cannot be read.
pub fn unfinished(dir: &Path) -> Result<Option<Unfinished>, IndexError> {
    let Some(manifest) = Manifest::read(&Layout::new(dir))? else {
        return Ok(None);
    };
    let folder = successor_of(dir, &manifest);
    // Whatever is wrong with it, it is not used by anyone.
    let found = Manifest::read(&Layout::new(&folder)).ok().flatten();
    Ok(found.map(|found| Unfinished {
        folder,
        binding: found.binding(),
    }))
}

impl Successor {
    /// Begins the successor of the index in `dir`, or goes on with an unfinished one of the same model; one of
    /// another model is deleted. Nothing comes back when the index is of that model already.
    ///
    /// # Errors
    /// When there is no index, it is being written by another, may not be written, or has a newer format.
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
        // Before anything is touched.
        Manifest::read(&top)?.ok_or_else(no_index)?;
        let lock = WriteLock::take(&top)?;
        let manifest = Manifest::read(&top)?.ok_or_else(no_index)?;
        if manifest.check_binding(dir, binding).is_ok() {
            return Ok(None);
        }
        let layout = top.with_data(manifest.data());
        sweep(&layout, &manifest, steps)?;
        let mut successor = Self {
            folder: successor_of(dir, &manifest),
            layout,
            binding: binding.clone(),
            discarded: None,
            steps,
            _lock: lock,
        };
        match Manifest::read(&Layout::new(&successor.folder)) {
            Ok(Some(found)) if found.binding() == *binding => {}
            Ok(Some(found)) => {
                successor.discard()?;
                successor.discarded = Some(found.binding());
            }
            // Nothing was committed, or nobody knows what.
            Ok(None) | Err(IndexError::Damaged { .. }) => successor.discard()?,
            Err(error) => return Err(error),
        }
        Ok(Some(successor))
    }

    /// Where it is made: an index of its own, to be read like any other.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The model of an unfinished successor that was deleted for this one.
    #[must_use]
    pub fn discarded(&self) -> Option<&Binding> {
        self.discarded.as_ref()
    }

    /// Opens it for writing. One that is damaged is begun anew: all of it can be made again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn writer(&self, options: WriterOptions) -> Result<IndexWriter, IndexError> {
        let open = || IndexWriter::open_or_create_with(&self.folder, &self.binding, options);
        match open() {
            Err(IndexError::Damaged { .. } | IndexError::Records { .. }) => {
                self.discard()?;
                open()
            }
            opened => opened,
        }
    }

    /// Switches the index to it: from here on it is the index, and the old data are deleted. To be called when its
    /// writer has [finished](IndexWriter::finish).
    ///
    /// # Errors
    /// When it does not exist or cannot be written; then the index is the old one, or the new one with the old data
    /// still there, which the next writer deletes.
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
        let layout = self.layout.with_data(manifest.data());
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

    /// Deletes what is there of it. The new name comes first: what has it is never taken for a successor.
    fn discard(&self) -> Result<(), IndexError> {
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
        // What is left of it is rubbish for the next writer.
        let _ = fs_err::remove_dir_all(&gone);
        Ok(())
    }
}

fn successor_of(dir: &Path, manifest: &Manifest) -> PathBuf {
    dir.join(data_name(manifest.data_number().saturating_add(1)))
}
