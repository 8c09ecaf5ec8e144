//! Replaces a file atomically: writes a temporary file beside it, syncs that, renames it over the
//! file, and syncs the folder.
//!
//! The temporary name is fixed rather than random, so that the next writer, which holds the lock of
//! the index, finds and removes the leftover of an interrupted one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A temporary file beside `path`, which stays unchanged until [`commit`](Self::commit).
#[derive(Debug)]
pub(crate) struct AtomicFile {
    path: PathBuf,
    file: fs_err::File,
}

impl AtomicFile {
    /// Creates the temporary file, or truncates a leftover.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: fs_err::File::create(temporary_path(path))?,
        })
    }

    /// Syncs the file and renames it to its path. `before_rename` is called in between.
    ///
    /// # Errors
    /// When the file cannot be synced or renamed, or `before_rename` fails: `path` is then
    /// unchanged. When the folder cannot be synced: `path` is then the new file.
    pub(crate) fn commit(self, before_rename: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.file.sync_all()?;
        before_rename()?;
        rename(&temporary_path(&self.path), &self.path)
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

/// The path of the temporary file for `path`.
pub(crate) fn temporary_path(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    PathBuf::from(beside)
}

/// Replaces the content of a file atomically.
///
/// # Errors
/// When the file cannot be written or renamed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit(|| Ok(()))
}

/// Renames a file or folder and syncs the folder that contains the new name.
///
/// # Errors
/// When it cannot be renamed, or the folder cannot be synced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::rename(from, to)?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Makes new names in a folder durable. Does nothing outside Unix, where a folder cannot be opened.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs_err::File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}
