//! The pictures that stand for all when hub biases are computed; see `hubs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::vectors::Vectors;
use crate::graph::coded::CodedVectors;
use crate::graph::codes::{self, Query};
use crate::graph::points::Points;
use crate::item::{ItemId, ItemKind};

/// The maximum number of references. With a quarter of them, the gain was smaller on 1,000
/// pictures (benches/RESULTS.md).
pub(super) const MAX_REFERENCES: usize = 1_024;

/// A picture's bias is the mean over one in this many references, the nearest.
const REFERENCES_PER_NEIGHBOUR: usize = 50;

/// A caption's bias is the mean over this many references, the nearest.
const N_NEIGHBOURS_OF_CAPTION: usize = 4;

/// References at least this similar to a picture show the same: counting them would punish every
/// burst. Also leaves out the picture itself.
const SAME_SIMILARITY: f32 = 0.9;

/// Items whose mean bias stands for that of all.
pub(super) const N_FOR_MEAN: usize = 64;

/// The hub biases of a view, computed on first use.
#[derive(Default)]
pub(super) struct Hubs {
    pub(super) references: Mutex<Option<Arc<HubReferences>>>,
    /// By kind.
    pub(super) known: [Mutex<KnownBiases>; 2],
}

#[derive(Default)]
pub(super) struct KnownBiases {
    pub(super) of_items: HashMap<ItemId, f32>,
    pub(super) mean: Option<f32>,
}

/// A sample of pictures that stands for all.
pub struct HubReferences {
    pub(super) rows: Vec<u8>,
    pub(super) stride: usize,
    /// How many different pictures there are in all.
    pub(super) n_pictures: usize,
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

    pub(super) fn bias_of(&self, kind: ItemKind, query: &Query) -> f32 {
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
        let descending = |a: &f32, b: &f32| b.total_cmp(a);
        let _ = nearest.select_nth_unstable_by(n - 1, descending);
        // In order, so that the sum is the same however they were found.
        let nearest = &mut nearest[..n];
        nearest.sort_unstable_by(descending);
        let sum: f32 = nearest.iter().sum();
        (sum / n as f32).clamp(-1.0, 1.0)
    }
}

/// The codes of about `n` of these vectors at equal distances in the order of ids, and how many
/// there are.
pub(super) fn sample(vectors: &Vectors, n: usize) -> (impl Iterator<Item = &[u8]>, usize) {
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
