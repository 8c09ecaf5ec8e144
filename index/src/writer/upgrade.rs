//! Records the facets of an index that has none of them, or not all.

use crate::disk::layout::Layout;
use crate::disk::steps::{Step, Steps};
use crate::error::{IndexError, Within};
use crate::item::ItemId;
use crate::records::facets::{self, PORTION};
use crate::records::keys::{Column, meta};
use crate::records::read::Records;
use crate::records::store::{Change, Store};

/// Records the facets of all images, a portion of ids at a time, and continues where an earlier
/// call was interrupted. Items and paths are all that it reads.
///
/// # Errors
/// When the records cannot be read or written.
pub(super) fn record_facets(
    layout: &Layout,
    store: &Store,
    steps: Steps,
) -> Result<(), IndexError> {
    let dir = layout.dir();
    while let Some(first) = facets::next_to_record(store).within(dir)? {
        let end = store.next_id().within(dir)?;
        let chunks = facets::portion(store, first).within(dir)?;
        // What a lost cursor leaves behind need not be right.
        let stale = if first == ItemId(0) {
            facets::keys(store).within(dir)?
        } else {
            Vec::new()
        };
        let next = ItemId(first.0.saturating_add(PORTION));
        let next = if next < end { next } else { facets::ALL };
        let cursor = facets::encode_cursor(next);
        let removed = stale.iter().map(|key| (Column::Default, &**key, None));
        let put = chunks
            .iter()
            .map(|(key, value)| (Column::Default, &**key, Some(&**value)));
        let cursor: Change<'_> = (Column::Default, meta::FACETED, Some(&cursor));
        store
            .write(removed.chain(put).chain([cursor]))
            .within(dir)?;
        steps
            .reach(Step::FacetsRecorded)
            .map_err(|source| IndexError::writing(dir, dir, source))?;
    }
    Ok(())
}
