//! Whether an index has changed, seen by its files without opening them.

use std::io;
use std::time::SystemTime;

use crate::disk::layout::Layout;
use crate::error::IndexError;
use crate::records::folder::Outline;

/// What the files of an index look like. A commit changes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    manifest: Vec<u8>,
    records: Outline,
    /// When the words were committed.
    words: Option<SystemTime>,
}

impl Look {
    /// Reads one small file, and the names and sizes of a few others.
    pub(super) fn at(layout: &Layout) -> Result<Self, IndexError> {
        let look = || -> io::Result<Self> {
            let words = fs_err::metadata(layout.words().join("meta.json"));
            Ok(Self {
                manifest: fs_err::read(layout.manifest())?,
                records: Outline::look(&layout.records())?,
                words: words.and_then(|words| words.modified()).ok(),
            })
        };
        look().map_err(|source| IndexError::Io {
            path: layout.records(),
            source,
        })
    }
}
