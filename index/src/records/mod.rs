//! Here is an id, give me the item. RocksDB is named only in this folder.
//!
//! [`store`] opens the database and is the only file that calls it; [`overlay`] keeps uncommitted
//! changes on top of it, and [`captions`] changes captions in it; [`read`] reads the records of
//! either; [`keys`], [`codec`] and [`segments`] define the bytes. [`folder`] and [`log`] read what
//! RocksDB writes, to notice what it does not say.

pub(crate) mod captions;
pub(crate) mod codec;
pub(crate) mod facet_keys;
pub(crate) mod facets;
pub(crate) mod folder;
pub(crate) mod keys;
mod log;
pub(crate) mod overlay;
pub(crate) mod read;
pub(crate) mod segments;
pub(crate) mod store;

use std::path::PathBuf;

use crate::item::ItemId;

/// An error of the records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// RocksDB failed.
    #[error("failed to read or write the records")]
    Storage {
        /// The error of RocksDB.
        #[from]
        source: rocksdb::Error,
    },
    /// A record is damaged.
    #[error("{what} is damaged")]
    Damaged {
        /// Which record.
        what: &'static str,
    },
    /// A record was written by another version of this program.
    #[error("{what} has version {found}, which this program does not support")]
    OtherVersion {
        /// Which record.
        what: &'static str,
        /// The version found.
        found: u8,
    },
    /// A path that cannot be stored on this system.
    #[error("{}: the path is not valid Unicode", path.display())]
    PathNotUnicode {
        /// The path.
        path: PathBuf,
    },
    /// A file or a caption was put for an image that does not exist.
    #[error("no image with id {}", id.0)]
    NoSuchImage {
        /// The missing id.
        id: ItemId,
    },
    /// A file of the records could not be copied, linked or deleted.
    #[error("failed to copy, link or delete a file of the records")]
    File {
        /// The error of the operating system.
        #[from]
        source: std::io::Error,
    },
    /// A writer kept changing the records while they were being opened.
    #[error("a writer changed the records while they were being opened")]
    Busy,
    /// All 32-bit ids are used up.
    #[error("no item ids are left")]
    IdsExhausted,
}

/// The error for a damaged record.
pub(crate) fn damaged(what: &'static str) -> RecordsError {
    RecordsError::Damaged { what }
}

impl RecordsError {
    /// Whether the records are damaged, so that a retry fails too.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Storage { source } => {
                let text = source.to_string();
                // A missing table is reported as a file that could not be opened.
                matches!(source.kind(), rocksdb::ErrorKind::Corruption)
                    || (matches!(source.kind(), rocksdb::ErrorKind::IOError)
                        && text.contains("No such file"))
            }
            Self::Damaged { .. } => true,
            _ => false,
        }
    }

    /// Whether the process has too many files open.
    fn is_out_of_files(&self) -> bool {
        let Self::Storage { source } = self else {
            return false;
        };
        source.to_string().contains("Too many open files")
    }
}
