//! Files that appear under their name complete, or not at all.
//!
//! The content goes to a temporary file in the same folder, which is synced and then renamed; the
//! folder is synced last. Neither a killed process nor a power failure leaves half a file. The
//! temporary file that it leaves is removed by whoever calls [`remove_leftovers`].

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What temporary files are called: this, [`N_RANDOM`] letters and digits, and [`SUFFIX`].
const PREFIX: &str = ".sightline-";
const SUFFIX: &str = ".tmp";
const N_RANDOM: usize = 10;

/// Attempts to lock a new temporary file before another process takes it for a leftover.
const N_ATTEMPTS: usize = 8;

/// A file that is being written. Deleted when dropped, unless [`AtomicFile::commit`] was called.
/// The temporary file is locked meanwhile, where the file system has locks.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: NamedTempFile<fs_err::File>,
    path: PathBuf,
}

impl AtomicFile {
    /// Starts a file that will replace `path`.
    ///
    /// # Errors
    /// When no file can be created in the folder of `path`.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut n_left = N_ATTEMPTS;
        loop {
            let file = Self::new_temporary(path)?;
            let is_locked = file.as_file().file().try_lock().is_ok();
            n_left -= 1;
            // Before it was locked, another process may have removed it.
            if !is_locked || file.path().exists() || n_left == 0 {
                let path = path.to_path_buf();
                return Ok(Self { file, path });
            }
        }
    }

    fn new_temporary(path: &Path) -> io::Result<NamedTempFile<fs_err::File>> {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(N_RANDOM)
            .suffix(SUFFIX)
            .make_in(folder.unwrap_or(Path::new(".")), |temporary| {
                // Opened here, so that the permissions are those of any new file. Errors name the
                // file that it will be.
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(temporary)?;
                Ok(fs_err::File::from_parts(file, path.to_path_buf()))
            })
            .map_err(|error| {
                let message = format!("failed to create file `{}`: {error}", path.display());
                io::Error::new(error.kind(), message)
            })
    }

    /// Gives the file the permissions and, on Unix, the owner of the one that it will replace.
    ///
    /// # Errors
    /// When they cannot be set, as those of another user's file.
    pub(crate) fn take_after(&self, existing: &std::fs::Metadata) -> io::Result<()> {
        let file = self.file.as_file().file();
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (existing.uid(), existing.gid()) {
                std::os::unix::fs::fchown(file, Some(existing.uid()), Some(existing.gid()))?;
            }
        }
        file.set_permissions(existing.permissions())
    }

    /// Puts the file in place, replacing what is there.
    ///
    /// # Errors
    /// When it cannot be synced or renamed.
    pub(crate) fn commit(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        let Self { file, path } = self;
        file.persist(&path).map_err(|failed| {
            let error = failed.error;
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        sync_folder_of(&path)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(to)
    }
}

/// Removes the temporary files of killed processes from a folder: those with the name of one that
/// nobody has locked. What cannot be read, locked or removed stays.
pub(crate) fn remove_leftovers(folder: &Path) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file
            && is_temporary(&entry.file_name())
            // Network file systems lock what is open for writing; a file may be read-only.
            && let Ok(file) = OpenOptions::new()
                .write(true)
                .open(&path)
                .or_else(|_| OpenOptions::new().read(true).open(&path))
            && file.try_lock().is_ok()
        {
            let _ = fs_err::remove_file(&path);
        }
    }
}

/// Whether a file has the name of a temporary file of this program.
fn is_temporary(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    let random = name.and_then(|name| name.strip_suffix(SUFFIX));
    let is_random = |random: &str| {
        random.len() == N_RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    random.is_some_and(is_random)
}

/// Renames a synced file or folder, and syncs the folder that it is in now.
///
/// # Errors
/// When it cannot be renamed or the folder cannot be synced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::rename(from, to)?;
    sync_folder_of(to)
}

/// Makes a new name in a folder durable. Only Unix can open a folder for that.
///
/// # Errors
/// When the folder cannot be synced.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) && folder != Path::new("") => {
            fs_err::File::open(folder)?.sync_all()
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_the_old_one_only_when_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs_err::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(fs_err::read(&path).unwrap(), b"old");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"new");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_temporary_files_that_nobody_writes_are_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let file = AtomicFile::create(&path).unwrap();
        let own = [
            ".sightline-0123456789.tmp",
            ".sightline-012345678.tmp",
            ".sightline-0123456789.tmp.txt",
            ".sightline-01234-6789.tmp",
            "sightline-0123456789.tmp",
            "0123456789.tmp",
        ];
        for name in own {
            fs_err::write(folder.path().join(name), "").unwrap();
        }
        fs_err::create_dir(folder.path().join(".sightline-folder0000.tmp")).unwrap();
        remove_leftovers(folder.path());
        for (number, name) in own.iter().enumerate() {
            let stays = number > 0;
            assert_eq!(folder.path().join(name).exists(), stays, "{name}");
        }
        assert_eq!(own.len(), 6);
        // The folder, the five other files and the one that is being written.
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 7);
        file.commit().unwrap();
        assert!(path.exists());
        let abandoned = AtomicFile::create(&path).unwrap();
        // As the operating system does when it ends a process.
        let (file, kept) = abandoned.file.keep().unwrap();
        drop(file);
        assert!(kept.exists());
        remove_leftovers(folder.path());
        assert!(!kept.exists());
        remove_leftovers(&folder.path().join("missing"));
    }

    #[test]
    fn permissions_are_those_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (usual, atomic) = (folder.path().join("usual"), folder.path().join("atomic"));
        fs_err::write(&usual, "").unwrap();
        AtomicFile::create(&atomic).unwrap().commit().unwrap();
        let permissions = |path| fs_err::metadata(path).unwrap().permissions();
        assert_eq!(permissions(atomic), permissions(usual));
    }
}
