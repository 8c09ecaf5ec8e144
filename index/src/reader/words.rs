//! Searches the words of a view.

use std::sync::Arc;

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::ids::IdSet;
use crate::item::ItemKind;
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
        let index = self.words()?;
        match index.matching(kind.number(), words, n, among) {
            // Opening verifies no checksums. Words in memory are made from the records.
            Err(error) if error.is_damage() && self.words.forget(&index) => self
                .words()?
                .matching(kind.number(), words, n, among)
                .within(self.dir()),
            found => found.within(self.dir()),
        }
    }

    /// The words of this generation.
    pub(super) fn words(&self) -> Result<Arc<Words>, IndexError> {
        self.words
            .of(&self.store, self.dir(), self.language, self.generation)
    }
}
