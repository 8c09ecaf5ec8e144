//! What a view knows of hub biases, and the pictures that stand for all where the index has no file
//! of them; see `hubs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::vectors::Vectors;
use crate::bias::HubReferences;
use crate::derived::hub_biases::HubBiases;
use crate::graph::coded::CodedVectors;
use crate::graph::points::Points;
use crate::item::ItemId;

/// Items whose mean bias stands for that of all.
pub(super) const N_FOR_MEAN: usize = 64;

/// The hub biases of a view, read or computed on first use.
#[derive(Default)]
pub(super) struct Hubs {
    /// Those in the file of the index; none where it has no usable one.
    pub(super) stored: OnceLock<Option<HubBiases>>,
    pub(super) references: Mutex<Option<Arc<HubReferences>>>,
    /// By kind.
    pub(super) known: [Mutex<KnownBiases>; 2],
}

#[derive(Default)]
pub(super) struct KnownBiases {
    pub(super) of_items: HashMap<ItemId, f32>,
    pub(super) mean: Option<f32>,
}

/// The codes of about `n` of these vectors at equal distances in the order of ids.
pub(super) fn sample(vectors: &Vectors, n: usize) -> impl Iterator<Item = &[u8]> {
    let segments = vectors.segments.iter();
    let mut sets: Vec<Points<'_>> = segments.map(|segment| segment.graph.points()).collect();
    sets.extend(vectors.fresh.as_ref().map(CodedVectors::points));
    let n_points: usize = sets.iter().map(Points::n_points).sum();
    let step = n_points.div_ceil(n).max(1);
    let all = sets
        .into_iter()
        .flat_map(|points| (0u32..).take(points.n_points()).map(move |at| (points, at)));
    all.step_by(step).filter_map(|(points, point)| {
        let mut ids = points.ids_of(point).iter();
        let is_alive = ids.any(|&id| !vectors.removed.contains(ItemId(id)));
        points.row(point).filter(|_| is_alive)
    })
}
