//! Here is an id, give me the item. RocksDB is named only in this folder.
//!
//! [`store`] opens the database and is the one place that calls it; [`draft`] holds what was put since the last
//! commit on top of it; [`read`] understands the records of either; [`keys`] and [`codec`] say what the bytes
//! mean; [`salvage`] reads what is left of a damaged database, [`reconcile`] puts records in order that contradict each
//! other.

pub(crate) mod codec;
pub(crate) mod keys;
pub(crate) mod overlay;
pub(crate) mod read;
pub(crate) mod store;

use std::path::PathBuf;

use crate::item::ItemId;

/// Why records cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// RocksDB refused.
    #[error("the records cannot be read or written")]
    Storage {
        /// What it said.
        #[from]
        source: rocksdb::Error,
    },
    /// A record is not what was written.
    #[error("{what} cannot be understood")]
    Damaged {
        /// Which record.
        what: &'static str,
    },
    /// A record was written by another version of this program.
    #[error("{what} was written in version {found}, which this program does not know")]
    OtherVersion {
        /// Which record.
        what: &'static str,
        /// The version found.
        found: u8,
    },
    /// A path that cannot be stored on this system.
    #[error("{}: the path is not Unicode", path.display())]
    PathNotUnicode {
        /// The path.
        path: PathBuf,
    },
    /// A file or a caption was put for an image that does not exist.
    #[error("there is no image {}", id.0)]
    NoSuchImage {
        /// The number asked for.
        id: ItemId,
    },
    /// A file of the records could not be copied, linked or removed.
    #[error("the records cannot be put in order")]
    File {
        /// What the system said.
        #[from]
        source: std::io::Error,
    },
    /// All 32-bit numbers were given away.
    #[error("no item numbers are left")]
    IdsExhausted,
}

impl RecordsError {
    /// Whether the records are not what was written, which trying again does not mend.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Storage { source } => {
                let text = source.to_string();
                // A table that is missing is told as a file that could not be opened.
                matches!(source.kind(), rocksdb::ErrorKind::Corruption)
                    || (matches!(source.kind(), rocksdb::ErrorKind::IOError)
                        && text.contains("No such file"))
            }
            Self::Damaged { .. } => true,
            _ => false,
        }
    }
}
