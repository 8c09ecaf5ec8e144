//! Hub biases: how near an item is to everything.
//!
//! In spaces of many dimensions some items, hubs, are among the nearest of far more queries than
//! others (Radovanović, Nanopoulos and Ivanović, JMLR 2010). The mean similarity of an item to its
//! nearest pictures shows how much of a hub it is; a share of that is subtracted from its
//! similarity to a query (Chowdhury et al., "Nearest Neighbor Normalization Improves Multimodal
//! Retrieval", EMNLP 2024).
//!
//! A sample of the pictures, the references, stands for all, so that a bias costs the same however
//! many there are. The writer keeps those of most images in a file (`derived::hub_biases`); the
//! others, those of captions, and all where there is no such file, are computed here and kept with
//! the view.

use std::sync::{Arc, PoisonError};

use super::IndexReader;
use super::references::{N_FOR_MEAN, sample};
use crate::bias::{HubReferences, MAX_REFERENCES};
use crate::derived::hub_biases::{FoundBiases, HubBiases};
use crate::error::{IndexError, Within};
use crate::graph::codes::{self, Query};
use crate::item::{ItemId, ItemKind};
use crate::records::read::Records;

impl IndexReader {
    /// How much nearer each of these items is to everything than items of its kind are on average:
    /// the mean cosine to the nearest of a sample of the pictures, less the average of that; −2…2,
    /// above 0 for a hub. Of pictures, those that show nearly the same do not count. 0 for an item
    /// that never existed, and where there are fewer than `min_pictures` pictures.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn hub_biases(
        &self,
        kind: ItemKind,
        ids: &[ItemId],
        min_pictures: usize,
    ) -> Result<Vec<f32>, IndexError> {
        if self.counts.n_images < min_pictures as u64 {
            return Ok(vec![0.0; ids.len()]);
        }
        let stored = self.stored_biases();
        let sampled;
        let references = if let Some(stored) = stored {
            &stored.references
        } else {
            sampled = self.references()?;
            &*sampled
        };
        let of_images = stored.filter(|_| kind == ItemKind::Image);
        let mean = match of_images {
            Some(stored) => stored.mean,
            None => self.mean_bias(kind, references)?,
        };
        let known = &self.hubs.known[kind.number()];
        let lookup = |id| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.of_items.get(&id).copied()
        };
        let mut biases = Vec::with_capacity(ids.len());
        for &id in ids {
            if let Some(bias) = of_images.and_then(|stored| stored.bias(id)) {
                biases.push(bias - mean);
                continue;
            }
            if let Some(bias) = lookup(id) {
                biases.push(bias);
                continue;
            }
            let vector = self
                .store
                .vector_values(kind, id, self.binding.dimension)
                .within(self.dir())?;
            let bias = |vector: Vec<f32>| references.bias(kind, &vector) - mean;
            let bias = vector.map_or(0.0, bias);
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.of_items.insert(id, bias);
            biases.push(bias);
        }
        Ok(biases)
    }

    /// The mean of the biases of a sample of the items of a kind.
    fn mean_bias(&self, kind: ItemKind, references: &HubReferences) -> Result<f32, IndexError> {
        let known = &self.hubs.known[kind.number()];
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mean) = known.mean {
            return Ok(mean);
        }
        let state = &self.kinds[kind.number()];
        let vectors = state.vectors(&self.store).within(self.dir())?;
        let rows = sample(&vectors, N_FOR_MEAN);
        let biases = rows.map(|row| references.bias_of(kind, &Query::of_row(row)));
        let (sum, n) = biases.fold((0.0, 0), |(sum, n), bias| (sum + bias, n + 1));
        let mean = if n == 0 { 0.0 } else { sum / n as f32 };
        known.mean = Some(mean);
        Ok(mean)
    }

    /// The biases in the file of the index; none where it has no usable one. Read once, so that all
    /// biases of a view are by the same references, whatever a writer does meanwhile.
    fn stored_biases(&self) -> Option<&HubBiases> {
        let read = || match HubBiases::read(&self.layout, self.index_id, self.binding.dimension) {
            FoundBiases::Usable(found) => Some(found).filter(|found| {
                // Otherwise no writer has finished since.
                found.is_fit_for(self.counts.n_images)
            }),
            FoundBiases::Missing | FoundBiases::Unusable(_) => None,
        };
        self.hubs.stored.get_or_init(read).as_ref()
    }

    fn references(&self) -> Result<Arc<HubReferences>, IndexError> {
        let references = &self.hubs.references;
        let mut slot = references.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(references) = &*slot {
            return Ok(Arc::clone(references));
        }
        let state = &self.kinds[ItemKind::Image.number()];
        let vectors = state.vectors(&self.store).within(self.dir())?;
        let rows = sample(&vectors, MAX_REFERENCES);
        let references = Arc::new(HubReferences {
            rows: rows.flatten().copied().collect(),
            stride: codes::stride(self.binding.dimension),
        });
        *slot = Some(Arc::clone(&references));
        Ok(references)
    }
}
