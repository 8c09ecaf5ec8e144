//! Hub biases: how near an item is to everything.
//!
//! In spaces of many dimensions some items, hubs, are among the nearest of far more queries than
//! others (Radovanović, Nanopoulos and Ivanović, JMLR 2010). The mean similarity of an item to its
//! nearest pictures shows how much of a hub it is; a share of that is subtracted from its
//! similarity to a query (Chowdhury et al., "Nearest Neighbor Normalization Improves Multimodal
//! Retrieval", EMNLP 2024).
//!
//! A sample of the pictures, the references, stands for all, so that a bias costs the same however
//! many there are. Biases are derived from the vectors of a view and kept with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::IndexReader;
use super::vectors::Vectors;
use crate::error::{IndexError, Within};
use crate::graph::coded::CodedVectors;
use crate::graph::codes::{self, Query};
use crate::graph::points::Points;
use crate::item::{ItemId, ItemKind};
use crate::records::read::Records;

/// The maximum number of references. With a quarter of them, the gain was smaller on 1,000
/// pictures (benches/RESULTS.md).
const MAX_REFERENCES: usize = 1_024;

/// A picture's bias is the mean over one in this many references, the nearest.
const REFERENCES_PER_NEIGHBOUR: usize = 50;

/// A caption's bias is the mean over this many references, the nearest.
const N_NEIGHBOURS_OF_CAPTION: usize = 4;

/// References at least this similar to a picture show the same: counting them would punish every
/// burst. Also leaves out the picture itself.
const SAME_SIMILARITY: f32 = 0.9;

/// Items whose mean bias stands for that of all.
const N_FOR_MEAN: usize = 64;

/// The hub biases of a view, computed on first use.
#[derive(Default)]
pub(super) struct Hubs {
    references: Mutex<Option<Arc<HubReferences>>>,
    /// By kind.
    known: [Mutex<KnownBiases>; 2],
}

#[derive(Default)]
struct KnownBiases {
    of_items: HashMap<ItemId, f32>,
    mean: Option<f32>,
}

/// A sample of pictures that stands for all.
pub struct HubReferences {
    rows: Vec<u8>,
    stride: usize,
    /// How many different pictures there are in all.
    n_pictures: usize,
}

impl IndexReader {
    /// How much nearer each of these items is to everything than items of its kind are on average:
    /// the mean cosine to the nearest of a sample of the pictures, less the average of that; −2…2,
    /// above 0 for a hub. Of pictures, those that show nearly the same do not count. 0 for an item
    /// that does not exist, and where there are fewer than `min_pictures` different pictures.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn hub_biases(
        &self,
        kind: ItemKind,
        ids: &[ItemId],
        min_pictures: usize,
    ) -> Result<Vec<f32>, IndexError> {
        let references = self.references()?;
        if references.n_pictures < min_pictures {
            return Ok(vec![0.0; ids.len()]);
        }
        let mean = self.mean_bias(kind, &references)?;
        let known = &self.hubs.known[kind.number()];
        let lookup = |id| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.of_items.get(&id).copied()
        };
        let mut biases = Vec::with_capacity(ids.len());
        for &id in ids {
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
        let (rows, _) = sample(&vectors, N_FOR_MEAN);
        let biases = rows.map(|row| references.bias_of(kind, &Query::of_row(row)));
        let (sum, n) = biases.fold((0.0, 0), |(sum, n), bias| (sum + bias, n + 1));
        let mean = if n == 0 { 0.0 } else { sum / n as f32 };
        known.mean = Some(mean);
        Ok(mean)
    }

    fn references(&self) -> Result<Arc<HubReferences>, IndexError> {
        let references = &self.hubs.references;
        let mut slot = references.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(references) = &*slot {
            return Ok(Arc::clone(references));
        }
        let state = &self.kinds[ItemKind::Image.number()];
        let vectors = state.vectors(&self.store).within(self.dir())?;
        let (rows, n_pictures) = sample(&vectors, MAX_REFERENCES);
        let references = Arc::new(HubReferences {
            rows: rows.flatten().copied().collect(),
            stride: codes::stride(self.binding.dimension),
            n_pictures,
        });
        *slot = Some(Arc::clone(&references));
        Ok(references)
    }
}

impl HubReferences {
    /// A sample of these vectors of unit length and of one dimension.
    #[must_use]
    pub fn of(pictures: &[Vec<f32>]) -> Self {
        let step = pictures.len().div_ceil(MAX_REFERENCES).max(1);
        let mut rows = Vec::new();
        for vector in pictures.iter().step_by(step) {
            codes::encode(vector, &mut rows);
        }
        Self {
            rows,
            stride: codes::stride(pictures.first().map_or(0, Vec::len)),
            n_pictures: pictures.len(),
        }
    }

    /// The mean cosine of a vector of unit length to the nearest pictures of the sample, −1…1;
    /// 0 without any.
    #[must_use]
    pub fn bias(&self, kind: ItemKind, vector: &[f32]) -> f32 {
        self.bias_of(kind, &Query::new(vector))
    }

    fn bias_of(&self, kind: ItemKind, query: &Query) -> f32 {
        let rows = self.rows.chunks_exact(self.stride);
        let n_references = rows.len();
        let similarities = rows.map(|row| query.similarity(row));
        let (mut nearest, n): (Vec<f32>, usize) = match kind {
            ItemKind::Image => (
                similarities.filter(|&one| one < SAME_SIMILARITY).collect(),
                n_references.div_ceil(REFERENCES_PER_NEIGHBOUR),
            ),
            ItemKind::Caption => (similarities.collect(), N_NEIGHBOURS_OF_CAPTION),
        };
        let n = n.min(nearest.len());
        if n == 0 {
            return 0.0;
        }
        nearest.sort_unstable_by(|a, b| b.total_cmp(a));
        let sum: f32 = nearest[..n].iter().sum();
        (sum / n as f32).clamp(-1.0, 1.0)
    }
}

/// The codes of about `n` of these vectors at equal distances in the order of ids, and how many
/// there are.
fn sample(vectors: &Vectors, n: usize) -> (impl Iterator<Item = &[u8]>, usize) {
    let segments = vectors.segments.iter();
    let mut sets: Vec<Points<'_>> = segments.map(|segment| segment.graph.points()).collect();
    sets.extend(vectors.fresh.as_ref().map(CodedVectors::points));
    let n_points: usize = sets.iter().map(Points::n_points).sum();
    let step = n_points.div_ceil(n).max(1);
    let all = sets
        .into_iter()
        .flat_map(|points| (0u32..).take(points.n_points()).map(move |at| (points, at)));
    let rows = all.step_by(step).filter_map(|(points, point)| {
        let mut ids = points.ids_of(point).iter();
        let is_alive = ids.any(|&id| !vectors.removed.contains(ItemId(id)));
        points.row(point).filter(|_| is_alive)
    });
    (rows, n_points)
}
