//! The errors of the index. Each variant names the place and keeps the cause.

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
    /// The folder contains something else; nothing was touched.
    #[error("{}: not an index: the folder contains other files", dir.display())]
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
        "{}: the index was built with model {model} (dimension {built_with}), not with \
         {asked_model} (dimension {asked})",
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
    #[error(
        "{}: the index has format {found}, but this program reads only up to format {supported}",
        dir.display()
    )]
    NewerFormat {
        /// The index.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest supported format.
        supported: u32,
    },
    /// The index was written by an older program whose format is no longer supported.
    #[error(
        "{}: the index has format {found}, but this program reads only formats from {supported}",
        dir.display()
    )]
    OlderFormat {
        /// The index.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest supported format.
        supported: u32,
    },
    /// Another process is writing to the index.
    #[error("{}: the index is being written by {}", dir.display(), holder(*pid))]
    Locked {
        /// The index.
        dir: PathBuf,
        /// The process that holds the lock, if known.
        pid: Option<u32>,
    },
    /// The file system gives no lock on a file, so that two writers could not notice each other.
    #[error("{}: the file system of the index refuses to lock a file", dir.display())]
    NoLock {
        /// The index.
        dir: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The folder is not writable.
    #[error("{}: the index is not writable", dir.display())]
    ReadOnly {
        /// The index.
        dir: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The disk, a quota or the file size limit is exhausted. Everything committed is kept.
    #[error("{}: disk full while writing the index", dir.display())]
    DiskFull {
        /// The index.
        dir: PathBuf,
    },
    /// A writer kept changing the index while it was being opened.
    #[error(
        "{}: the index is busy: a writer changed it while it was being opened; try again",
        dir.display()
    )]
    Busy {
        /// The index.
        dir: PathBuf,
    },
    /// A part that cannot be rebuilt is missing or damaged.
    #[error("{}: the index is damaged: {what}", path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A vector has another dimension than the index.
    #[error(
        "the vector has dimension {found}, but the index holds vectors of dimension {expected}"
    )]
    WrongDimension {
        /// The dimension of the index.
        expected: usize,
        /// The dimension of the vector.
        found: usize,
    },
    /// An index for vectors of so large a dimension cannot be created.
    #[error("vectors of dimension {dimension} are not supported: an index holds up to {largest}")]
    DimensionTooLarge {
        /// The dimension asked for.
        dimension: usize,
        /// The largest one.
        largest: usize,
    },
    /// A file could not be read or written.
    #[error("{}: failed to read or write the index", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The records could not be read or written.
    #[error("{}: failed to read or write the records of the index", dir.display())]
    Records {
        /// The index.
        dir: PathBuf,
        /// The cause.
        #[source]
        source: RecordsError,
    },
    /// A graph could not be built, read or written.
    #[error("{}: failed to build, read or write a graph of the index", dir.display())]
    Graph {
        /// The index.
        dir: PathBuf,
        /// The cause.
        #[source]
        source: GraphError,
    },
    /// The word index could not be read or written.
    #[error("{}: failed to read or write the word index", dir.display())]
    Words {
        /// The index.
        dir: PathBuf,
        /// The cause.
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
    /// Whether a part of the index that cannot be rebuilt is damaged. [`repair`](crate::repair)
    /// saves what can be saved.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Records { source, .. } => source.is_damage(),
            _ => false,
        }
    }

    /// A failed write, classified: no permission to write the folder, no space left, or another I/O
    /// error.
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

/// Whether an error or one of its causes says that the disk is full. RocksDB and tantivy pass on
/// the system's error as text or inside errors of their own.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    const TEXTS: [&str; 3] = [
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
        if TEXTS.iter().any(|full| text.contains(full)) {
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

macro_rules! within {
    ($error:ident, $variant:ident) => {
        impl<T> Within<T> for Result<T, $error> {
            fn within(self, dir: &Path) -> Result<T, IndexError> {
                self.map_err(|source| {
                    let dir = dir.to_owned();
                    if is_full(&source) {
                        IndexError::DiskFull { dir }
                    } else {
                        IndexError::$variant { dir, source }
                    }
                })
            }
        }
    };
}

impl<T> Within<T> for Result<T, RecordsError> {
    fn within(self, dir: &Path) -> Result<T, IndexError> {
        self.map_err(|source| {
            let dir = dir.to_owned();
            match source {
                RecordsError::Busy => IndexError::Busy { dir },
                source if is_full(&source) => IndexError::DiskFull { dir },
                source => IndexError::Records { dir, source },
            }
        })
    }
}

within!(GraphError, Graph);
within!(WordsError, Words);
