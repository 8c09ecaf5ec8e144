//! A search in one call: candidates by meaning and by words, joined, and the items of the final
//! hits.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::IndexReader;
use super::nearest::Nearest;
use crate::error::{IndexError, Within};
use crate::filter::Filter;
use crate::graph::distance;
use crate::ids::IdSet;
use crate::item::{Caption, Image, Item, ItemId, ItemKind};
use crate::records::read::Records;
use crate::vector::UnitVector;
use crate::words::query::Match;

/// A query for [`IndexReader::search`].
#[derive(Debug, Clone, Copy)]
pub struct SearchQuery<'a> {
    /// The kind of items to find.
    pub kind: ItemKind,
    /// Ranks items by similarity to this vector.
    pub vector: Option<&'a UnitVector>,
    /// Ranks items by BM25 for this bag of words.
    pub words: Option<&'a str>,
    /// The length of each of the two rankings.
    pub n: usize,
    /// Restricts both rankings to these items. Ids that do not exist are ignored.
    pub among: Option<&'a IdSet>,
    /// Restricts both rankings to the items that meet a condition.
    pub filter: Option<&'a Filter>,
    /// How the nearest vectors are searched.
    pub nearest: Nearest,
}

/// An item in at least one of the two rankings of a [`SearchQuery`].
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The item.
    pub id: ItemId,
    /// Cosine of the angle between its vector and the query's, −1…1. Given whenever the query has a
    /// vector, also for an item found by its words alone.
    pub similarity: Option<f32>,
    /// Rank by similarity, from 1.
    pub rank_by_meaning: Option<usize>,
    /// Rank by BM25, from 1.
    pub rank_by_words: Option<usize>,
    /// BM25, above 0, where the item has a rank by words. Comparable within one answer only.
    pub bm25: Option<f32>,
    /// The words of the query that the item contains, as typed, in query order.
    pub words: Vec<String>,
    /// Share of the query that these words are by inverse document frequency, 0…1.
    pub coverage: f32,
}

impl Candidate {
    /// An item that is in neither ranking, of which nothing is known.
    #[must_use]
    pub fn unranked(id: ItemId) -> Self {
        Self {
            id,
            similarity: None,
            rank_by_meaning: None,
            rank_by_words: None,
            bm25: None,
            words: Vec::new(),
            coverage: 0.0,
        }
    }
}

/// An item with what a hit shows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FullItem {
    /// An image and the captions that describe it, by source file, then in their order there.
    Image {
        /// The image.
        image: Image,
        /// Its captions.
        captions: Vec<Caption>,
    },
    /// A caption and where its image is stored.
    Caption {
        /// The caption.
        caption: Caption,
        /// The paths of its image, sorted by their bytes; empty for a caption without an image.
        image_paths: Vec<PathBuf>,
    },
}

impl IndexReader {
    /// The candidates for a query: the `n` nearest vectors and the `n` best matches by words, each
    /// item once.
    ///
    /// Items with a rank by meaning come first, by that rank; then those found by words alone, by
    /// their rank.
    ///
    /// # Errors
    /// When the vector has another dimension than the index, or the records cannot be read.
    pub fn search(&self, query: &SearchQuery<'_>) -> Result<Vec<Candidate>, IndexError> {
        let &SearchQuery {
            kind,
            vector,
            words,
            n,
            among,
            filter,
            nearest,
        } = query;
        let mut chosen = filter.map(|filter| self.select(kind, filter)).transpose()?;
        if let Some((chosen, among)) = chosen.as_mut().zip(among) {
            Arc::make_mut(chosen).intersect_with(among);
        }
        let among = chosen.as_deref().or(among);
        let near = match vector {
            Some(vector) => self.nearest_of(kind, vector, n, &nearest, among)?,
            None => Vec::new(),
        };
        let matches = match words {
            Some(words) => self.matching_of(kind, words, n, among)?,
            None => Vec::new(),
        };
        let mut candidates: Vec<Candidate> = near
            .iter()
            .zip(1..)
            .map(|(near, rank)| Candidate {
                similarity: Some(near.similarity),
                rank_by_meaning: Some(rank),
                ..Candidate::unranked(near.id)
            })
            .collect();
        let places: HashMap<ItemId, usize> = near.iter().map(|near| near.id).zip(0..).collect();
        for (found, rank) in matches.into_iter().zip(1..) {
            let Match {
                id,
                bm25,
                words,
                coverage,
            } = found;
            let (rank_by_words, bm25) = (Some(rank), Some(bm25));
            if let Some(candidate) = places.get(&id).and_then(|&at| candidates.get_mut(at)) {
                candidate.rank_by_words = rank_by_words;
                candidate.bm25 = bm25;
                candidate.words = words;
                candidate.coverage = coverage;
            } else {
                candidates.push(Candidate {
                    id,
                    similarity: match vector {
                        Some(vector) => self.similarity(kind, id, vector)?,
                        None => None,
                    },
                    rank_by_meaning: None,
                    rank_by_words,
                    bm25,
                    words,
                    coverage,
                });
            }
        }
        Ok(candidates)
    }

    /// The items with these ids and what a hit shows of each, in one call. Ids that no longer exist
    /// are left out.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn items(&self, ids: &[ItemId]) -> Result<HashMap<ItemId, FullItem>, IndexError> {
        let mut items = HashMap::with_capacity(ids.len());
        for &id in ids {
            let item = match self.item(id)? {
                Some(Item::Image(image)) => FullItem::Image {
                    image,
                    captions: self.captions_of(id)?,
                },
                Some(Item::Caption(caption)) => FullItem::Caption {
                    image_paths: match caption.image {
                        Some(image) => self.store.paths_of(image).within(self.dir())?,
                        None => Vec::new(),
                    },
                    caption,
                },
                None => continue,
            };
            items.insert(id, item);
        }
        Ok(items)
    }

    /// The `n` items of a kind that best match a bag of words, best first, equal ones by id. There
    /// is no query syntax: every character of `words` is literal. Only the first 1,024 terms are
    /// used.
    ///
    /// # Errors
    /// When the word index has to be rebuilt in memory and the records cannot be read.
    pub fn matching(
        &self,
        kind: ItemKind,
        words: &str,
        n: usize,
    ) -> Result<Vec<Match>, IndexError> {
        self.matching_of(kind, words, n, None)
    }

    /// The similarity of a stored vector to `vector`, computed as [`nearest`](Self::nearest) does;
    /// none when the item does not exist.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn similarity(
        &self,
        kind: ItemKind,
        id: ItemId,
        vector: &UnitVector,
    ) -> Result<Option<f32>, IndexError> {
        let stored = self
            .store
            .vector_values(kind, id, self.binding.dimension)
            .within(self.dir())?;
        Ok(stored.map(|stored| distance::dot(vector.as_slice(), &stored).clamp(-1.0, 1.0)))
    }
}
