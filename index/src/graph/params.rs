//! The numbers that shape a graph. Named, because their order matters and nobody remembers it.

/// How a graph is built; see Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
/// hierarchical navigable small world graphs", 2018.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphParams {
    /// Links of a point in each upper layer.
    pub(crate) m: usize,
    /// Links of a point in layer 0.
    pub(crate) m0: usize,
    /// Points kept while looking for the links of a new point.
    pub(crate) ef_construction: usize,
}

impl Default for GraphParams {
    /// `hnsw_rs` gives layer 0 twice the links of the others and offers no choice, so `m0` is `2 * m`.
    fn default() -> Self {
        Self {
            m: 16,
            m0: 32,
            ef_construction: 200,
        }
    }
}

/// Fewer items of a kind than this, and no graph is built. Comparing 8,192 × 384 vectors takes 0.4 ms of processor time,
/// about as much as a search of a graph (`benches/search.rs`), and the time of building one is spared.
pub(crate) const MIN_ITEMS: usize = 8_192;

/// A graph is built anew when the items that it does not know (or no longer should) exceed this part of those it
/// knows; until then the new ones are scanned. A quarter keeps the work of all builds within five times the last.
pub(crate) const REBUILD_DIVISOR: usize = 4;

/// Points inserted one after the other before the threads join in: in an empty graph concurrent insertions do not
/// see each other and stay without links.
pub(crate) const N_SEQUENTIAL: usize = 512;

/// The width of the search by which a build checks that a point is found by its own vector.
pub(crate) const EF_SELF: usize = 32;

/// How many candidates a scan of codes keeps to compare with full vectors, for `n` results: as many as an ordinary
/// search of the graph, and several times what is asked for.
pub(crate) fn n_candidates(n: usize) -> usize {
    n.saturating_mul(4).max(EF_SEARCH)
}

/// The width of an ordinary search of up to 100,000 items. Recall@10 is above 0.99 among clustered vectors
/// (`benches/graph.py`) and for queries that lie far from all of them (`tests/index/recall.rs`), as texts do from pictures.
pub(crate) const EF_SEARCH: usize = 96;

/// The width of an ordinary search of so many items. The same width finds less of the nearest among more items: of
/// 1,000,000 × 512, 98.5 % with 96 and 99.5 % with 168 (`benches/graph.py`).
pub(crate) fn ef_search(n_items: usize) -> usize {
    let n_doublings = (n_items / 100_000).max(1).ilog2();
    EF_SEARCH + 24 * n_doublings as usize
}

/// A search that leaves in doubt which vectors are the nearest, since codes cannot tell so many of them apart, is
/// repeated with twice the width until it reaches this: bursts of hundreds of nearly equal pictures exist, and one of
/// thousands is left to the luck of rounding.
pub(crate) const MAX_EF_IN_DOUBT: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_graphs_are_searched_more_widely() {
        let widths = [0, 8_192, 199_999, 200_000, 1_000_000, 4_000_000].map(ef_search);
        assert_eq!(widths, [96, 96, 96, 120, 168, 216]);
    }
}
