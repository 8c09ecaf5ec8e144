//! Captions with different texts that match words.

use std::collections::{HashMap, HashSet};

use super::IndexReader;
use super::nearest::Nearest;
use crate::error::{IndexError, Within};
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::records::codec::StoredItem;
use crate::records::read::Records;
use crate::words::query::Match;

/// The texts of one round, of which all captions with the same vector are left out of the next,
/// are at least this share of it. Others are found again in the next round, which is twice as long.
const MIN_SHARE: usize = 16;

impl IndexReader {
    /// The `n` captions with different texts that best match a bag of words, best first, with their
    /// texts; of equal texts, the caption with the lowest id. With `among`, only those captions.
    ///
    /// Takes as long as [`matching`](Self::matching) where texts differ. A text of many captions
    /// costs one search more, and hides texts with the same vector that come after the first of it
    /// in the ranking, beyond its first `n` captions. In the worst case, where texts that few
    /// captions have are equal and their vectors are not, all captions that match are read.
    ///
    /// # Errors
    /// When the word index has to be rebuilt in memory, or the records cannot be read.
    pub fn matching_texts(
        &self,
        words: &str,
        n: usize,
        among: Option<&IdSet>,
    ) -> Result<Vec<(String, Match)>, IndexError> {
        let mut found: Vec<(String, Match)> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        let mut left: Option<IdSet> = None;
        let mut n_asked = n;
        loop {
            let wanted = left.as_ref().or(among);
            let matches = self.matching_of(ItemKind::Caption, words, n_asked, wanted)?;
            let is_all = matches.len() < n_asked;
            let mut seen = IdSet::new();
            // Texts of the round: the first caption, and how many have it.
            let mut counts: HashMap<String, (ItemId, usize)> = HashMap::new();
            for one in matches {
                seen.insert(one.id);
                let Some(text) = self.text_of(one.id)? else {
                    continue;
                };
                counts.entry(text.clone()).or_insert((one.id, 0)).1 += 1;
                if found.len() < n && known.insert(text.clone()) {
                    found.push((text, one));
                }
            }
            if is_all || found.len() >= n {
                return Ok(found);
            }
            let is_large = |&(_, n_equal): &(ItemId, usize)| n_equal * MIN_SHARE >= seen.len();
            let large: Vec<ItemId> = counts
                .into_values()
                .filter(is_large)
                .map(|of| of.0)
                .collect();
            for id in large {
                seen.extend(self.with_the_vector_of(id)?);
            }
            let mut rest = match left.take() {
                Some(left) => left,
                None => match among {
                    Some(among) => among.clone(),
                    None => self.every_id()?,
                },
            };
            rest.subtract(&seen);
            left = Some(rest);
            n_asked = n_asked.saturating_mul(2);
        }
    }

    /// The text of a caption; none when it does not exist.
    fn text_of(&self, id: ItemId) -> Result<Option<String>, IndexError> {
        let item = self.store.stored_item(id).within(self.dir())?;
        Ok(match item {
            Some(StoredItem::Caption { text, .. }) => Some(text),
            _ => None,
        })
    }

    /// All captions with the same vector as this one.
    fn with_the_vector_of(&self, id: ItemId) -> Result<Vec<ItemId>, IndexError> {
        let Some(vector) = self.vector(id)? else {
            return Ok(Vec::new());
        };
        let how = Nearest::default();
        let found = self.nearest_distinct(ItemKind::Caption, &vector, 1, usize::MAX, &how, None)?;
        let equal = found.into_iter().next().map(|near| near.ids);
        // A search may miss it.
        Ok(equal
            .filter(|ids| ids.binary_search(&id).is_ok())
            .unwrap_or_default())
    }

    /// Every id that was ever given to an item, whether it still exists or not.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn every_id(&self) -> Result<IdSet, IndexError> {
        let next = self.store.next_id().within(self.dir())?;
        Ok((1..next.0).map(ItemId).collect())
    }
}
