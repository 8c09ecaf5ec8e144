//! Pictures that match a query, in order. Their hits are read when they are shown.

use std::ops::Range;
use std::sync::Arc;

use sightline_index::{Generation, IdSet, IndexReader, ItemId, ViewId};

use super::evidence::Confidence;
use super::hits::{self, SearchHit};
use super::pictures::Ranked;
use crate::engine::error::EngineError;

/// The images that match a query, in order, in one generation of the index: later commits change
/// nothing about it. Holds about 100 bytes an image, and the view of its generation.
pub struct Found {
    reader: Arc<IndexReader>,
    ranked: Vec<Ranked>,
}

impl Found {
    pub(super) fn new(reader: Arc<IndexReader>, ranked: Vec<Ranked>) -> Self {
        Self { reader, ranked }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranked.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// The generation of the index that was searched.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.reader.generation()
    }

    /// The view of the index that was searched.
    #[must_use]
    pub fn view_id(&self) -> ViewId {
        self.reader.view_id()
    }

    /// Their ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = ItemId> + '_ {
        self.ranked.iter().map(|ranked| ranked.candidate.id)
    }

    /// The confidence of each, in order; `None` as in [`SearchHit::confidence`].
    pub fn confidences(&self) -> impl Iterator<Item = Option<Confidence>> + '_ {
        self.ranked.iter().map(|ranked| ranked.confidence)
    }

    /// Those at these places in the order, which may reach beyond the last. One whose file was
    /// overwritten while it was indexed is left out.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn hits(&self, places: Range<usize>) -> Result<Vec<SearchHit>, EngineError> {
        let end = places.end.min(self.ranked.len());
        let ranked = self.ranked.get(places.start.min(end)..end);
        hits::images(&self.reader, ranked.unwrap_or_default().to_vec())
    }

    /// The same as of a calibrated model, each as likely as not.
    #[cfg(test)]
    pub(crate) fn rated(mut self) -> Self {
        for ranked in &mut self.ranked {
            ranked.confidence = Confidence::new(0.5);
        }
        self
    }

    /// The same in another order: by date, the latest first, then those without a date, the last
    /// added first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn by_date(mut self) -> Result<Self, EngineError> {
        let ids: IdSet = self.ids().collect();
        let order = self.reader.newest(&ids, self.ranked.len())?;
        let places: std::collections::HashMap<ItemId, usize> = order.into_iter().zip(0..).collect();
        let place = |ranked: &Ranked| places.get(&ranked.candidate.id).copied();
        self.ranked
            .sort_by_key(|ranked| place(ranked).unwrap_or(usize::MAX));
        Ok(self)
    }
}
