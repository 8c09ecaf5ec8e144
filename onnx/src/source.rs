//! Where are the bytes of a model's file?

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::ModelError;

/// One of a model's files.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File {
        path: PathBuf,
        /// Files that hold weights too large for it.
        beside: Vec<PathBuf>,
    },
    /// Built into the program; the name only serves messages.
    Embedded {
        name: &'static str,
        bytes: &'static [u8],
    },
}

impl Source {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } => path,
            Self::Embedded { name, .. } => Path::new(name),
        }
    }

    /// The file on disk; `None` when it is built in.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Embedded { .. } => None,
        }
    }

    pub(crate) fn bytes(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        match self {
            Self::Embedded { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Self::File { path, .. } => {
                fs_err::read(path)
                    .map(Cow::Owned)
                    .map_err(|source| ModelError::Unreadable {
                        file: path.clone(),
                        source,
                    })
            }
        }
    }

    /// Fails when the file, or one beside it, is missing.
    pub(crate) fn check_exists(&self) -> Result<(), ModelError> {
        match self.files().into_iter().find(|file| !file.is_file()) {
            Some(file) => Err(ModelError::MissingFile { file }),
            None => Ok(()),
        }
    }

    /// The file and those beside it that hold weights too large for it; none when it is built in.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::File { path, beside } => {
                let path = std::iter::once(path);
                path.chain(beside).cloned().collect()
            }
            Self::Embedded { .. } => Vec::new(),
        }
    }

    /// How many bytes the file and those beside it have.
    pub(crate) fn n_bytes(&self) -> Result<u64, ModelError> {
        if let Self::Embedded { bytes, .. } = self {
            return Ok(bytes.len() as u64);
        }
        self.files().iter().try_fold(0, |sum, file| {
            let length = fs_err::metadata(file).map_err(|source| ModelError::Unreadable {
                file: file.clone(),
                source,
            })?;
            Ok(sum + length.len())
        })
    }

    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) -> Result<(), ModelError> {
        if let Self::Embedded { bytes, .. } = self {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update_rayon(bytes);
        }
        for path in self.files() {
            let unreadable = |source| ModelError::Unreadable {
                file: path.clone(),
                source,
            };
            let n_bytes = fs_err::metadata(&path).map_err(unreadable)?.len();
            hasher.update(&n_bytes.to_le_bytes());
            hasher.update_mmap_rayon(&path).map_err(unreadable)?;
        }
        Ok(())
    }
}

/// Size, times and, where there is one, number of a file: what changes when its content does.
pub(crate) fn state(metadata: &std::fs::Metadata) -> String {
    let modified = metadata.modified().ok();
    let n_bytes = metadata.len();
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (device, number) = (metadata.dev(), metadata.ino());
        // The time of the last change of the entry itself, which no program can set back.
        let (changed, changed_ns) = (metadata.ctime(), metadata.ctime_nsec());
        format!("{n_bytes} {modified:?} {device} {number} {changed} {changed_ns}")
    }
    #[cfg(not(unix))]
    format!("{n_bytes} {modified:?}")
}
