//! The errors of the word index, and which of them only a rebuild can mend.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

/// An error of the word index.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// tantivy failed.
    #[error("failed to read or write the word index")]
    Storage {
        /// The error of tantivy.
        #[from]
        source: TantivyError,
    },
    /// The folder cannot be opened.
    #[error("failed to open the folder of the word index")]
    Folder {
        /// The error of tantivy.
        #[from]
        source: OpenDirectoryError,
    },
    /// Its schema differs from that of this program.
    #[error("the word index was written by another version of this program")]
    OtherSchema,
    /// Files do not match their checksums or cannot be decoded.
    #[error("the word index is damaged")]
    Damaged,
}

impl WordsError {
    /// Whether the files themselves are at fault: missing, damaged, or of another schema. Any other
    /// error, such as too many open files or a full disk, says nothing about the files, which must
    /// then be kept.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::OtherSchema | Self::Damaged => true,
            Self::Folder { source } => is_damaged_folder(source),
            Self::Storage { source } => match source {
                TantivyError::IoError(error) => is_content(error),
                TantivyError::OpenReadError(error) => is_damaged_file(error),
                TantivyError::OpenDirectoryError(error) => is_damaged_folder(error),
                TantivyError::OpenWriteError(OpenWriteError::FileAlreadyExists(_))
                | TantivyError::DataCorruption(_)
                | TantivyError::IncompatibleIndex(_)
                | TantivyError::SchemaError(_)
                | TantivyError::FieldNotFound(_)
                | TantivyError::DeserializeError(_) => true,
                _ => false,
            },
        }
    }

    /// What is wrong with the files, and with which one if tantivy says it.
    pub(crate) fn damage(&self) -> String {
        match self {
            Self::Storage {
                source: TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(path)),
            } => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                format!("its file {} is missing", name.display())
            }
            Self::Storage {
                source: TantivyError::DataCorruption(corruption),
            } => {
                let text = format!("{corruption:?}");
                let place = text.strip_prefix("Data corruption (in file `\"");
                match place.and_then(|place| place.split_once("\"`): ")) {
                    Some((file, what)) => {
                        // After the first sentence may come all that the file contains.
                        let what = what.split(". ").next().unwrap_or(what);
                        let what = what.trim_end_matches('.');
                        format!("its file {file} is damaged: {what}")
                    }
                    None => text,
                }
            }
            Self::Storage { source } => format!("{self}: {source}"),
            Self::Folder { source } => format!("{self}: {source}"),
            Self::OtherSchema | Self::Damaged => self.to_string(),
        }
    }

    /// Whether the user may not read the files.
    pub(crate) fn is_denied(&self) -> bool {
        self.io()
            .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// The error of the operating system that tantivy wraps.
    fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Folder {
                source: OpenDirectoryError::IoError { io_error, .. },
            }
            | Self::Storage {
                source:
                    TantivyError::IoError(io_error)
                    | TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
                    | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. })
                    | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. })
                    | TantivyError::LockFailure(LockError::IoError(io_error), _),
            } => Some(io_error),
            _ => None,
        }
    }
}

fn is_damaged_folder(error: &OpenDirectoryError) -> bool {
    match error {
        OpenDirectoryError::DoesNotExist(_) | OpenDirectoryError::NotADirectory(_) => true,
        OpenDirectoryError::IoError { io_error, .. } => is_content(io_error),
        OpenDirectoryError::FailedToCreateTempDir(_) => false,
    }
}

fn is_damaged_file(error: &OpenReadError) -> bool {
    match error {
        OpenReadError::FileDoesNotExist(_) | OpenReadError::IncompatibleIndex(_) => true,
        OpenReadError::IoError { io_error, .. } => is_content(io_error),
    }
}

/// Whether an I/O error is about what a file contains. Errors of the operating system are not,
/// unless something else is in the file's place.
fn is_content(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::InvalidData
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotFound
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory => true,
        // tantivy's own errors about the footers of its files.
        io::ErrorKind::Other | io::ErrorKind::InvalidInput => error.raw_os_error().is_none(),
        _ => false,
    }
}

/// Runs tantivy on possibly damaged files, on which it may panic.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, WordsError>) -> Result<T, WordsError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(WordsError::Damaged))
}
