//! The words of a reader: those on disk, or an index in memory where they do not belong to its
//! generation.

use std::sync::{Arc, PoisonError};

use super::IndexReader;
use crate::derived::documents;
use crate::error::{IndexError, Within};
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::words::Words;
use crate::words::query::Match;

impl IndexReader {
    /// [`matching`](Self::matching), restricted to the items in `among`, if given.
    pub(super) fn matching_of(
        &self,
        kind: ItemKind,
        words: &str,
        n: usize,
        among: Option<&IdSet>,
    ) -> Result<Vec<Match>, IndexError> {
        let accept = |id: u32| among.is_none_or(|among| among.contains(ItemId(id)));
        let index = self.words()?;
        match index.matching(kind.number(), words, n, &accept) {
            Ok(found) => Ok(found),
            // Opening checks the checksums of small word indexes only, so this one may be damaged.
            // One in memory is rebuilt from the records.
            Err(_) if index.stamp.is_some() => {
                *self.words.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.words()?
                    .matching(kind.number(), words, n, &accept)
                    .within(self.dir())
            }
            Err(error) => Err(error).within(self.dir()),
        }
    }

    /// The word index on disk, or one in memory if that does not belong to this generation.
    fn words(&self) -> Result<Arc<Words>, IndexError> {
        let mut slot = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(words) = &*slot {
            return Ok(Arc::clone(words));
        }
        let dir = self.dir();
        let words = Words::in_memory::<IndexError>(self.language, |put| {
            documents::all_documents(&self.store, dir, &mut |document| put(document).within(dir))
        })?;
        let words = Arc::new(words);
        *slot = Some(Arc::clone(&words));
        Ok(words)
    }
}
