//! The files of a word index and their checksums.

use std::path::Path;

use tantivy::Index;
use tantivy::index::{IndexMeta, SegmentComponent, SegmentMeta};
use tantivy::schema::Schema;

use super::error::WordsError;

/// Checksums of word indexes up to this size are verified before they are used.
const MAX_BYTES_CHECKED: u64 = 64 << 20;

pub(super) fn check_schema(metas: &IndexMeta, expected: &Schema) -> Result<(), WordsError> {
    if metas.schema == *expected {
        Ok(())
    } else {
        Err(WordsError::OtherSchema)
    }
}

/// Whether the word index is small enough to be verified before it is used.
pub(super) fn is_small(dir: &Path) -> bool {
    let size = |entry: std::io::Result<fs_err::DirEntry>| {
        let data = entry.and_then(|entry| entry.metadata());
        data.map_or(0, |data| data.len())
    };
    let n_bytes: u64 = fs_err::read_dir(dir).map_or(0, |entries| entries.map(size).sum());
    n_bytes <= MAX_BYTES_CHECKED
}

/// Verifies the checksums of all files of a segment. tantivy would return wrong answers for changed
/// bytes.
pub(super) fn check_sums(index: &Index, segment: &SegmentMeta) -> Result<(), WordsError> {
    const ALWAYS: [SegmentComponent; 6] = [
        SegmentComponent::Postings,
        SegmentComponent::Positions,
        SegmentComponent::FastFields,
        SegmentComponent::FieldNorms,
        SegmentComponent::Terms,
        SegmentComponent::Store,
    ];
    let removed = segment.has_deletes().then_some(SegmentComponent::Delete);
    for component in ALWAYS.into_iter().chain(removed) {
        let path = segment.relative_path(component);
        let is_right = index
            .directory()
            .validate_checksum(&path)
            .map_err(tantivy::TantivyError::from)?;
        if !is_right {
            return Err(WordsError::Damaged);
        }
    }
    Ok(())
}
