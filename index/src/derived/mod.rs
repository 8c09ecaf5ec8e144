//! Everything that follows from the records: which graph files are usable, and which words stand
//! for an item.
//!
//! The derived parts also bear witness for the records. A write-ahead log that is missing or cut
//! short leaves no trace in the records: they just open with fewer items. But the word index
//! switches to a generation only after the records have committed it, so words that are newer than
//! the records show that commits were lost.

mod building;
pub(crate) mod documents;
pub(crate) mod graph_files;
pub(crate) mod plan;
pub(crate) mod segments;

use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::IndexError;
use crate::item::Generation;
use crate::words::Words;

/// The newest generation that the word index has seen committed.
///
/// To be read before the records are opened: a concurrent writer can only make the records newer
/// after that.
pub(crate) fn newest_seen(layout: &Layout, manifest: &Manifest) -> Generation {
    let stamp = Words::stamp_in(&layout.words());
    let ours = stamp.filter(|stamp| stamp.index_id == manifest.index_id());
    Generation(ours.map_or(0, |stamp| stamp.generation))
}

/// Refuses records older than what [`newest_seen`] returned.
///
/// # Errors
/// When commits were lost.
pub(crate) fn refuse_lost_commits(
    layout: &Layout,
    seen: Generation,
    found: Generation,
) -> Result<(), IndexError> {
    if found < seen {
        return Err(IndexError::Damaged {
            path: layout.records(),
            what: "its records are older than its words: commits were lost",
        });
    }
    Ok(())
}
