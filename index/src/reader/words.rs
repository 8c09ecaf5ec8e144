//! Searches the words of a view.

use std::sync::Arc;

use super::IndexReader;
use crate::derived::documents;
use crate::error::{IndexError, Within};
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::records::read::Records;
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

    /// The items of a kind whose words contain a phrase: these words, inflected or not, side by
    /// side in one caption, name or fact, with nothing but spaces and punctuation between them. A
    /// single word is a phrase, too. A text without words is in no item.
    ///
    /// Of a phrase of several words, the text of each item that has them all is read.
    ///
    /// # Errors
    /// When the word index has to be rebuilt in memory, or the records cannot be read.
    pub fn containing(&self, kind: ItemKind, phrase: &str) -> Result<IdSet, IndexError> {
        let index = self.words()?;
        let phrase = index.phrase(phrase);
        let candidates = match index.with_words_of(kind.number(), &phrase) {
            Err(error) if error.is_damage() && self.words.forget(&index) => {
                let words = self.words()?;
                words.with_words_of(kind.number(), &phrase)
            }
            found => found,
        };
        let candidates = candidates.within(self.dir())?.into_iter().map(ItemId);
        if phrase.is_one_word() {
            return Ok(candidates.collect());
        }
        let libraries = self.store.libraries().within(self.dir())?;
        let mut found = IdSet::new();
        for id in candidates {
            let document = documents::document(&self.store, &libraries, id);
            if let Some(document) = document.within(self.dir())?
                && phrase.is_in(&document.text)
            {
                found.insert(id);
            }
        }
        Ok(found)
    }

    /// The words of this generation.
    pub(super) fn words(&self) -> Result<Arc<Words>, IndexError> {
        self.words
            .of(&self.store, self.dir(), self.language, self.generation)
    }
}
