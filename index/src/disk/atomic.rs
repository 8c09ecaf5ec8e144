//! Replaces a file as a whole: written beside its path, synced, renamed over it, and the folder synced.
//!
//! The name beside is fixed rather than random, so that the next writer, which holds the lock of the index, finds and
//! removes what an interrupted one has left.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is being written beside `path`. Until [`commit`](Self::commit), `path` is what it was before.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    path: PathBuf,
    file: fs_err::File,
}

impl AtomicFile {
    /// Creates the file beside `path`, or empties one that was left there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: fs_err::File::create(path_beside(path))?,
        })
    }

    /// Syncs the file and renames it to its path. `before_rename` is called in between.
    ///
    /// # Errors
    /// When the file system refuses, or `before_rename` does; the path is then what it was before, or, when only its
    /// folder could not be synced, the new file.
    pub(crate) fn commit(self, before_rename: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.file.sync_all()?;
        before_rename()?;
        rename(&path_beside(&self.path), &self.path)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl io::Seek for AtomicFile {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Where a file is written before it gets this path.
pub(crate) fn path_beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    PathBuf::from(beside)
}

/// Replaces the content of a file as a whole.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit(|| Ok(()))
}

/// Renames a file or folder durably: the folder that holds the new name is synced.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::rename(from, to)?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Makes new names in a folder durable. Only Unix allows a folder to be opened for that; elsewhere this does nothing.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs_err::File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}
