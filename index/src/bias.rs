//! The hub bias of a vector: its mean cosine to the nearest of some pictures that stand for all.

use crate::graph::codes::{self, Query};
use crate::item::ItemKind;

/// The maximum number of references. With a quarter of them, the gain was smaller on 1,000
/// pictures (benches/RESULTS.md).
pub(crate) const MAX_REFERENCES: usize = 1_024;

/// A picture's bias is the mean over one in this many references, the nearest.
const REFERENCES_PER_NEIGHBOUR: usize = 50;

/// A caption's bias is the mean over this many references, the nearest.
const N_NEIGHBOURS_OF_CAPTION: usize = 4;

/// References at least this similar to a picture show the same: counting them would punish every
/// burst. Also leaves out the picture itself.
const SAME_SIMILARITY: f32 = 0.9;

/// A sample of pictures that stands for all.
#[derive(Debug, PartialEq)]
pub struct HubReferences {
    pub(crate) rows: Vec<u8>,
    pub(crate) stride: usize,
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
        }
    }

    /// The mean cosine of a vector of unit length to the nearest pictures of the sample, −1…1;
    /// 0 without any.
    #[must_use]
    pub fn bias(&self, kind: ItemKind, vector: &[f32]) -> f32 {
        self.bias_of(kind, &Query::new(vector))
    }

    pub(crate) fn bias_of(&self, kind: ItemKind, query: &Query) -> f32 {
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
