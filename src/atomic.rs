//! Files that appear under their name complete, or not at all.
//!
//! The content goes to a temporary file in the same folder, which is synced and then renamed; the
//! folder is synced last. Neither a killed process nor a power failure leaves half a file.

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is being written. Deleted when dropped, unless [`AtomicFile::commit`] was called.
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
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".tmp")
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
            })?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
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
    fn permissions_are_those_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (usual, atomic) = (folder.path().join("usual"), folder.path().join("atomic"));
        fs_err::write(&usual, "").unwrap();
        AtomicFile::create(&atomic).unwrap().commit().unwrap();
        let permissions = |path| fs_err::metadata(path).unwrap().permissions();
        assert_eq!(permissions(atomic), permissions(usual));
    }
}
