//! What does the index hold? Images, captions, the files they came from, and the folders that were indexed.

use std::path::PathBuf;

use crate::details::Details;

/// The number of an item: 1 and up, given once and never again, even when the item is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub u32);

/// The two kinds of item; each has a graph of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// A picture.
    Image,
    /// A text that describes a picture, or stands alone.
    Caption,
}

impl ItemKind {
    /// Both, in the order of their numbers on disk.
    pub const ALL: [Self; 2] = [Self::Image, Self::Caption];

    /// The number of the kind on disk and in arrays.
    pub(crate) fn number(self) -> usize {
        match self {
            Self::Image => 0,
            Self::Caption => 1,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// The number of a commit: 0 for an index without any, then 1, 2, 3…
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// An indexed picture. Files with the same bytes are one image with several paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its number.
    pub id: ItemId,
    /// The hash of its bytes.
    pub content_hash: [u8; 32],
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What its file says about it; none where nobody looked, as in an index
    /// that an older version of this program made.
    pub details: Option<Details>,
    /// Where it lies, sorted by the bytes of the path.
    pub paths: Vec<PathBuf>,
}

/// An indexed caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Its number.
    pub id: ItemId,
    /// What it says.
    pub text: String,
    /// The image that it describes; none for a line of a plain list of texts.
    pub image: Option<ItemId>,
    /// The file that it was read from.
    pub source: PathBuf,
}

/// Either kind of item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A picture.
    Image(Image),
    /// A text.
    Caption(Caption),
}

/// What was true of a file when it was indexed; equal numbers mean that it need not be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRecord {
    /// Its length in bytes.
    pub n_bytes: u64,
    /// When it was last changed, in nanoseconds since 1970 (negative before).
    pub modified_ns: i128,
    /// The image that it holds.
    pub image: ItemId,
}

/// A folder that was indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its path.
    pub folder: PathBuf,
    /// How many pictures were found in it.
    pub n_files: u64,
    /// When it was last indexed, in seconds since 1970.
    pub last_run_unix_s: u64,
}

/// What the last run of whoever fills the index did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastRun {
    /// When it ended, in seconds since 1970.
    pub ended_unix_s: u64,
    /// Files that it looked at.
    pub n_seen: u64,
    /// New files.
    pub n_added: u64,
    /// Files with new content.
    pub n_changed: u64,
    /// Files that were taken out.
    pub n_removed: u64,
    /// Files that could not be read.
    pub n_skipped: u64,
    /// Whether it was stopped before it had done all.
    pub interrupted: bool,
}
