//! Which index and generation a word index belongs to: the payload of its commit.

use tantivy::index::IndexMeta;

/// The index and generation that a word index belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WordsStamp {
    pub(crate) index_id: [u8; 16],
    pub(crate) generation: u64,
}

impl WordsStamp {
    pub(super) fn to_payload(self) -> String {
        let id = u128::from_be_bytes(self.index_id);
        format!("{id:032x} {}", self.generation)
    }

    pub(super) fn from_payload(payload: &str) -> Option<Self> {
        let (id, generation) = payload.split_once(' ')?;
        let index_id = u128::from_str_radix(id, 16).ok()?.to_be_bytes();
        Some(Self {
            index_id,
            generation: generation.parse().ok()?,
        })
    }

    pub(super) fn of(metas: &IndexMeta) -> Option<Self> {
        Self::from_payload(metas.payload.as_deref()?)
    }
}
