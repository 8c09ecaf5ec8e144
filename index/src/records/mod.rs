//! Here is an id, give me the item. RocksDB is named only in this folder.
//!
//! [`store`] opens the database and is the one place that calls it; [`draft`] holds what was put since the last
//! commit on top of it; [`read`] understands the records of either; [`keys`] and [`codec`] say what the bytes mean.

pub(crate) mod codec;
pub(crate) mod draft;
pub(crate) mod keys;
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
    /// All 32-bit numbers were given away.
    #[error("no item numbers are left")]
    IdsExhausted,
}

/// Something to read records from: the database, or the database under a draft.
pub(crate) trait Source {
    fn get(&self, column: keys::Column, key: &[u8]) -> Result<Option<Vec<u8>>, RecordsError>;

    /// Visits all keys that begin with `prefix` and are not before `start`, in order, until `visit` says false.
    fn scan(
        &self,
        column: keys::Column,
        prefix: &[u8],
        start: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), RecordsError>;
}

/// Sees a key and its value; false ends the scan.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool, RecordsError> + 'a;
