//! The folder of a word index, as tantivy sees it.
//!
//! The files are tantivy's own. What differs: the list of files, `meta.json`, is replaced durably
//! and with the permissions of any other file. Files that no list names, as after a kill, are known
//! to tantivy's garbage collector by listing the folder; tantivy would write a list of them
//! (`.managed.json`) before each new file. There are no locks: the lock of the index keeps out
//! other writers, and readers that miss a file open the newer list.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::Directory;
use tantivy::directory::error::{
    DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError,
};
use tantivy::directory::{
    DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use crate::atomic;

/// The name by which tantivy asks for the list of all files that it ever created.
const MANAGED: &str = ".managed.json";

/// Files that tantivy's own directory would create, and older versions of this program did.
const OBSOLETE: [&str; 3] = [MANAGED, ".tantivy-writer.lock", ".tantivy-meta.lock"];

/// The length of the name of a segment, a UUID in hex digits.
const NAME_LENGTH: usize = 32;

/// The folder of a word index, read-only unless opened by the writer.
#[derive(Debug, Clone)]
pub(super) struct WordsFolder {
    files: MmapDirectory,
    path: PathBuf,
    is_writable: bool,
}

impl WordsFolder {
    /// A folder of which nothing is changed.
    pub(super) fn read_only(path: &Path) -> Result<Self, OpenDirectoryError> {
        Self::open(path, false)
    }

    /// A folder that the caller alone may change.
    pub(super) fn writable(path: &Path) -> Result<Self, OpenDirectoryError> {
        let folder = Self::open(path, true)?;
        for name in OBSOLETE {
            // Nothing depends on it.
            let _ = fs_err::remove_file(path.join(name));
        }
        Ok(folder)
    }

    fn open(path: &Path, is_writable: bool) -> Result<Self, OpenDirectoryError> {
        Ok(Self {
            files: MmapDirectory::open(path)?,
            path: path.to_owned(),
            is_writable,
        })
    }

    /// The files of segments in the folder, whether a list names them or not.
    fn segment_files(&self) -> io::Result<HashSet<String>> {
        let mut names = HashSet::new();
        for entry in fs_err::read_dir(&self.path)? {
            let name = entry?.file_name();
            names.extend(
                name.to_str()
                    .filter(|name| is_segment(name))
                    .map(String::from),
            );
        }
        Ok(names)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_writable {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::ReadOnlyFilesystem,
            "opened read-only",
        ))
    }
}

/// Whether this is the name of a file of a segment. Other files in the folder are not ours.
fn is_segment(name: &str) -> bool {
    let id = name.split('.').next().unwrap_or_default();
    id.len() == NAME_LENGTH && id.len() < name.len() && id.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Directory for WordsFolder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.check_writable()
            .map_err(|error| DeleteError::IoError {
                io_error: Arc::new(error),
                filepath: path.to_owned(),
            })?;
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.check_writable()
            .map_err(|error| OpenWriteError::wrap_io_error(error, path.to_owned()))?;
        self.files.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        if path != Path::new(MANAGED) {
            return self.files.atomic_read(path);
        }
        let names = self.segment_files();
        let list = names.and_then(|names| Ok(serde_json::to_vec(&names)?));
        list.map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }

    fn atomic_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        if path == Path::new(MANAGED) {
            return Ok(());
        }
        atomic::write(&self.path.join(path), bytes)
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.is_writable {
            atomic::sync_folder(&self.path)?;
        }
        Ok(())
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
