//! Everything that follows from the records: which graph files are usable, and which words stand
//! for an item.
//!
//! The derived parts also reveal lost commits. A write-ahead log that is missing or cut
//! short leaves no trace in the records: they just open with fewer items. But words and graphs get
//! a generation only after the records have committed it, so if one is newer than the records,
//! commits were lost.

pub(crate) mod building;
pub(crate) mod documents;
pub(crate) mod graph_files;
pub(crate) mod hub_biases;
pub(crate) mod plan;
pub(crate) mod segments;

use std::io;

use crate::disk::layout::Layout;
use crate::disk::manifest::Manifest;
use crate::error::{IndexError, Within};
use crate::graph::format;
use crate::item::{Generation, ItemId};
use crate::words::WordsStamp;

/// What the word index and the graph files have seen committed.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The newest generation.
    pub(crate) generation: Generation,
    /// The highest id in a graph.
    pub(crate) last_id: ItemId,
}

/// The newest generation that the word index or a graph file has seen committed.
///
/// To be read before the records are opened: a concurrent writer can only make the records newer
/// after that.
///
/// # Errors
/// When a file cannot be read for the moment.
pub(crate) fn newest_seen(layout: &Layout, manifest: &Manifest) -> Result<Generation, IndexError> {
    seen(layout, Some(manifest.index_id())).map(|seen| seen.generation)
}

/// What the word index and the graph files have seen; without an id, those of any index.
///
/// # Errors
/// As [`newest_seen`].
pub(crate) fn seen(layout: &Layout, index_id: Option<[u8; 16]>) -> Result<Seen, IndexError> {
    let is_ours = |found: [u8; 16]| index_id.is_none_or(|index_id| index_id == found);
    let words = WordsStamp::read(&layout.words()).within(layout.dir())?;
    let words = words.filter(|stamp| is_ours(stamp.index_id));
    let mut newest = Seen {
        generation: Generation(words.map_or(0, |stamp| stamp.generation)),
        last_id: ItemId(0),
    };
    let folder = layout.graphs();
    let failed = |source| IndexError::Io {
        path: folder.clone(),
        source,
    };
    let entries = match fs_err::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if is_unreadable(&error) => return Ok(newest),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "graph")
        {
            let stamp = format::stamp_in(&path).map_err(failed)?;
            if let Some(stamp) = stamp.filter(|stamp| is_ours(stamp.index_id)) {
                newest.generation = newest.generation.max(Generation(stamp.generation));
                newest.last_id = newest.last_id.max(ItemId(stamp.last_id));
            }
        }
    }
    Ok(newest)
}

/// Whether a folder cannot be read by anybody, or not by this user, as opposed to for the moment.
fn is_unreadable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory
    )
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
            what: "its records are older than its words or graphs: commits were lost",
        });
    }
    Ok(())
}
