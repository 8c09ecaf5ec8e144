//! Nearest-neighbour search: the best of the graph joined with the best of the items newer than it.

use super::IndexReader;
use crate::error::{IndexError, Within};
use crate::graph::distance;
use crate::graph::exact::{self, Best};
use crate::graph::file::Graph;
use crate::graph::params::ef_search;
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::vector::UnitVector;

/// How [`IndexReader::nearest`] searches.
///
/// The default is approximate, with enough candidates for a recall@10 above 0.99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nearest {
    /// Compare with every vector: slower, but exact.
    pub exact: bool,
    /// Number of candidates that a graph search keeps. More candidates find more of the true
    /// nearest and take longer. At least twice the number of results is kept in any case. 0: chosen
    /// by the size of the graph, 96 for up to 100,000 items and 24 more for each doubling.
    pub ef: usize,
}

/// An item near a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The item.
    pub id: ItemId,
    /// Cosine of the angle between its vector and the query's, −1…1.
    pub similarity: f32,
}

impl IndexReader {
    /// The `n` items of a kind whose vectors are nearest to `vector`, nearest first, equal ones by
    /// id.
    ///
    /// # Errors
    /// When the vector has another dimension than the index, or the records cannot be read.
    pub fn nearest(
        &self,
        kind: ItemKind,
        vector: &UnitVector,
        n: usize,
        how: &Nearest,
    ) -> Result<Vec<Near>, IndexError> {
        self.nearest_of(kind, vector, n, how, None)
    }

    /// [`nearest`](Self::nearest), restricted to the items in `wanted`, if given.
    ///
    /// Either the wanted items are compared one by one or the graph is searched, whichever is
    /// estimated to take fewer comparisons.
    pub(super) fn nearest_of(
        &self,
        kind: ItemKind,
        vector: &UnitVector,
        n: usize,
        how: &Nearest,
        wanted: Option<&IdSet>,
    ) -> Result<Vec<Near>, IndexError> {
        let (expected, found) = (self.binding.dimension, vector.dimension());
        if expected != found {
            return Err(IndexError::WrongDimension { expected, found });
        }
        let state = &self.kinds[kind.number()];
        let fresh = state
            .fresh(&self.store, kind, expected)
            .within(self.dir())?;
        let query = vector.as_slice();
        let is_wanted = |id: u32| wanted.is_none_or(|wanted| wanted.contains(ItemId(id)));
        let mut best = Best::new(n);
        let dot = distance::dot_function();
        exact::scan(
            &fresh.vectors,
            expected,
            |vector| dot(query, vector),
            &mut best,
            |row, sink| {
                let id = fresh.newer.get(row).copied();
                id.filter(|&id| is_wanted(id)).into_iter().for_each(sink);
            },
        );
        if let Ok(Some(graph)) = &state.graph {
            let alive = |id: u32| !fresh.removed.contains(ItemId(id)) && is_wanted(id);
            let n_alive = graph.n_ids().saturating_sub(fresh.removed.len());
            let n_alive = wanted.map_or(n_alive, |wanted| wanted.len().min(n_alive));
            best.extend(from_graph(graph, &alive, n_alive, query, n, how));
        }
        let near = |found: crate::graph::Neighbour| Near {
            id: ItemId(found.id),
            similarity: found.similarity.clamp(-1.0, 1.0),
        };
        let mut hits: Vec<Near> = best.into_sorted().into_iter().map(near).collect();
        // Two similarities may differ only beyond 1, by rounding, and are equal after clamping.
        hits.sort_by(|a, b| {
            let by_similarity = b.similarity.total_cmp(&a.similarity);
            by_similarity.then_with(|| a.id.cmp(&b.id))
        });
        Ok(hits)
    }
}

/// The best of a graph among those of its ids that are `alive`, about `n_alive` of them. If a graph
/// search would cost more than a scan, or finds fewer than there may be, all are compared: by
/// codes, or by full vectors if the search is to be exact.
fn from_graph(
    graph: &Graph,
    alive: &(impl Fn(u32) -> bool + Sync),
    n_alive: usize,
    query: &[f32],
    n: usize,
    how: &Nearest,
) -> Best {
    let ef = match how.ef {
        0 => ef_search(graph.n_ids()),
        ef => ef,
    };
    let ef = ef.max(n.saturating_mul(2));
    let mut best = Best::new(n);
    if how.exact {
        graph.scan(query, alive, &mut best);
        return best;
    }
    if is_search_cheaper(ef, n_alive, graph.n_ids()) {
        graph.search(query, ef, alive, &mut best);
        if best.len() >= n.min(n_alive) {
            return best;
        }
    }
    let mut best = Best::new(n);
    graph.scan_codes(query, alive, &mut best);
    best
}

/// Whether a graph search of width `ef` among `n_alive` of `n_ids` items is cheaper than comparing
/// each that is alive.
///
/// A search also walks through items that are not alive, so the fewer are alive, the more it
/// visits. It compares about 16 items for each that it keeps, and a comparison along links costs as
/// much as four in a row (both measured, `benches/graph.py`).
fn is_search_cheaper(ef: usize, n_alive: usize, n_ids: usize) -> bool {
    const N_COMPARED: usize = 16;
    const COST: usize = 4;
    if n_alive == 0 {
        return false;
    }
    let compared = ef.saturating_mul(N_COMPARED).saturating_mul(n_ids) / n_alive;
    // A scan also tests whether each item is alive, which costs a fraction of a comparison.
    compared.min(n_ids).saturating_mul(COST) < n_alive.saturating_add(n_ids / 8)
}
