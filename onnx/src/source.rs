//! Where the bytes of a model's files are.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::ModelError;

/// One of a model's files.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// For messages only, if it is built in.
    pub(crate) path: PathBuf,
    /// Files that hold weights too large for it.
    pub(crate) beside: Vec<PathBuf>,
    /// The content, if it is built into the program.
    pub(crate) built_in: Option<&'static [u8]>,
}

impl Source {
    /// The file on disk; `None` when it is built in.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.built_in.is_none().then_some(&self.path)
    }

    pub(crate) fn bytes(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        match self.built_in {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => fs_err::read(&self.path)
                .map(Cow::Owned)
                .map_err(ModelError::unreadable(&self.path)),
        }
    }

    /// Fails when the file, or one beside it, is missing.
    pub(crate) fn check_exists(&self) -> Result<(), ModelError> {
        let files = self.files();
        files
            .iter()
            .try_for_each(|file| ModelError::check_exists(file))
    }

    /// The file and the weight files beside it; none when it is built in.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let file = self.file().map(Path::to_path_buf);
        file.into_iter()
            .chain(self.beside.iter().cloned())
            .collect()
    }

    /// Size of the file and of the weight files beside it, in bytes.
    pub(crate) fn n_bytes(&self) -> Result<u64, ModelError> {
        if let Some(bytes) = self.built_in {
            return Ok(bytes.len() as u64);
        }
        self.files()
            .iter()
            .try_fold(0, |sum, file| Ok(sum + n_bytes(file)?))
    }

    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) -> Result<(), ModelError> {
        if let Some(bytes) = self.built_in {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update_rayon(bytes);
        }
        for path in self.files() {
            let unreadable = ModelError::unreadable(&path);
            let n_bytes = fs_err::metadata(&path).map_err(&unreadable)?.len();
            hasher.update(&n_bytes.to_le_bytes());
            hasher.update_mmap_rayon(&path).map_err(unreadable)?;
        }
        Ok(())
    }
}

/// Size of a file.
pub(crate) fn n_bytes(file: &Path) -> Result<u64, ModelError> {
    let metadata = fs_err::metadata(file).map_err(ModelError::unreadable(file))?;
    Ok(metadata.len())
}

/// Size, times and inode of a file: what changes with its content.
pub(crate) fn state(file: &Path) -> Result<String, ModelError> {
    let metadata = fs_err::metadata(file).map_err(ModelError::unreadable(file))?;
    let modified = metadata.modified().ok();
    let n_bytes = metadata.len();
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (device, inode) = (metadata.dev(), metadata.ino());
        // The time of the last change of the inode itself, which no program can set back.
        let (changed, changed_ns) = (metadata.ctime(), metadata.ctime_nsec());
        Ok(format!(
            "{n_bytes} {modified:?} {device} {inode} {changed} {changed_ns}"
        ))
    }
    #[cfg(not(unix))]
    Ok(format!("{n_bytes} {modified:?}"))
}
