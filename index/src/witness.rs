//! Do the records still hold what was committed? A log that is gone or cut leaves no trace in the records themselves:
//! they would open with fewer items. But the words switch to a generation only after the records have it.

use crate::error::IndexError;
use crate::item::Generation;
use crate::layout::Layout;
use crate::manifest::Manifest;
use crate::words::Words;

/// The newest generation that the words have seen. To be asked for before the records are opened: a writer beside us
/// can only make the records newer after that.
pub(crate) fn newest_seen(layout: &Layout, manifest: &Manifest) -> Generation {
    let stamp = Words::stamp_in(&layout.words());
    let ours = stamp.filter(|stamp| stamp.index_id == manifest.index_id());
    Generation(ours.map_or(0, |stamp| stamp.generation))
}

/// Refuses records that are older than what was seen of them.
pub(crate) fn check_records(
    layout: &Layout,
    seen: Generation,
    found: Generation,
) -> Result<(), IndexError> {
    if found < seen {
        return Err(IndexError::Damaged {
            path: layout.records(),
            what: "its records are older than its words, so something committed is lost",
        });
    }
    Ok(())
}
