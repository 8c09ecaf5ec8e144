//! What can go wrong with an index? Each variant says where, and keeps the cause.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::graph::GraphError;
use crate::records::RecordsError;
use crate::words::WordsError;

/// An error of the index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// There is no index to read.
    #[error("{}: there is no index here", dir.display())]
    NoIndex {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// The folder holds something else; nothing was touched.
    #[error("{}: this folder holds other files and no index", dir.display())]
    NotAnIndex {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// The vectors in the index were made by another model, so they cannot be compared.
    #[error("{}: the index was built with model {built_with}, not with {asked}", dir.display())]
    OtherModel {
        /// The index.
        dir: PathBuf,
        /// The name of the model that made its vectors.
        built_with: String,
        /// The name of the model asked for.
        asked: String,
    },
    /// The vectors in the index were made by another model and have another dimension.
    #[error(
        "{}: the index was built with model {model}, whose vectors have dimension {built_with}, not {asked} as those \
         of {asked_model}",
        dir.display()
    )]
    OtherDimension {
        /// The index.
        dir: PathBuf,
        /// Its dimension.
        built_with: usize,
        /// The name of the model that made its vectors.
        model: String,
        /// The dimension asked for.
        asked: usize,
        /// The name of the model asked for.
        asked_model: String,
    },
    /// The index was written by a newer program.
    #[error("{}: the index has format {found}, newer than format {supported} of this program", dir.display())]
    NewerFormat {
        /// The index.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format understood.
        supported: u32,
    },
    /// The index was written by an older program whose format is no longer read.
    #[error("{}: the index has format {found}, older than format {supported} of this program", dir.display())]
    OlderFormat {
        /// The index.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format understood.
        supported: u32,
    },
    /// Somebody else is writing to the index.
    #[error("{}: the index is being written by {}", dir.display(), holder(*pid))]
    Locked {
        /// The index.
        dir: PathBuf,
        /// The process that holds the lock, where it could be read.
        pid: Option<u32>,
    },
    /// The folder may not be written.
    #[error("{}: the index cannot be written here", dir.display())]
    ReadOnly {
        /// The index.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk, a quota or a limit on the size of files left no room. What was committed is kept.
    #[error("{}: there is no room left on the disk of the index", dir.display())]
    DiskFull {
        /// The index.
        dir: PathBuf,
    },
    /// The index kept changing while it was being opened.
    #[error("{}: the index is changing too quickly to be opened", dir.display())]
    Busy {
        /// The index.
        dir: PathBuf,
    },
    /// A part that cannot be made anew is missing or not what was written.
    #[error("{}: the index is damaged: {what}", path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A vector does not fit the index.
    #[error("the vector has dimension {found}, the index holds vectors of dimension {expected}")]
    WrongDimension {
        /// The dimension of the index.
        expected: usize,
        /// The dimension of the vector.
        found: usize,
    },
    /// The file system refused.
    #[error("{}: the index cannot be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The records refused.
    #[error("{}: the records of the index failed", dir.display())]
    Records {
        /// The index.
        dir: PathBuf,
        /// Why.
        #[source]
        source: RecordsError,
    },
    /// A graph refused.
    #[error("{}: a graph of the index failed", dir.display())]
    Graph {
        /// The index.
        dir: PathBuf,
        /// Why.
        #[source]
        source: GraphError,
    },
    /// The word index refused.
    #[error("{}: the word index failed", dir.display())]
    Words {
        /// The index.
        dir: PathBuf,
        /// Why.
        #[source]
        source: WordsError,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl IndexError {
    /// Whether a part of the index that cannot be made anew is not what was written. [`repair`](crate::repair) saves
    /// what can be saved.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Records { source, .. } => source.is_damage(),
            _ => false,
        }
    }

    /// An error of the file system, told apart by whether the folder may be written at all.
    pub(crate) fn writing(dir: &Path, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly {
                dir: dir.to_owned(),
                source,
            },
            _ if is_full(&source) => Self::DiskFull {
                dir: dir.to_owned(),
            },
            _ => Self::Io {
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// Whether an error, or one behind it, says that there is no room. RocksDB and tantivy pass on what the system said
/// as text only, or inside errors of their own.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    const SAID: [&str; 3] = [
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
    ];
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(io) = this.downcast_ref::<io::Error>()
            && matches!(
                io.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            )
        {
            return true;
        }
        let text = this.to_string();
        if SAID.iter().any(|said| text.contains(said)) {
            return true;
        }
        error = this.source();
    }
    false
}

/// Adds the folder of the index to an error of one of its parts.
pub(crate) trait Within<T> {
    fn within(self, dir: &Path) -> Result<T, IndexError>;
}

impl<T> Within<T> for Result<T, RecordsError> {
    fn within(self, dir: &Path) -> Result<T, IndexError> {
        self.map_err(|source| {
            let dir = dir.to_owned();
            if is_full(&source) {
                IndexError::DiskFull { dir }
            } else {
                IndexError::Records { dir, source }
            }
        })
    }
}

impl<T> Within<T> for Result<T, GraphError> {
    fn within(self, dir: &Path) -> Result<T, IndexError> {
        self.map_err(|source| {
            let dir = dir.to_owned();
            if is_full(&source) {
                IndexError::DiskFull { dir }
            } else {
                IndexError::Graph { dir, source }
            }
        })
    }
}

impl<T> Within<T> for Result<T, WordsError> {
    fn within(self, dir: &Path) -> Result<T, IndexError> {
        self.map_err(|source| {
            let dir = dir.to_owned();
            if is_full(&source) {
                IndexError::DiskFull { dir }
            } else {
                IndexError::Words { dir, source }
            }
        })
    }
}
