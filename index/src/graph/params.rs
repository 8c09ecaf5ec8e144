//! Parameters of building and searching graphs.

/// Parameters of building a graph; see Malkov and Yashunin, "Efficient and robust approximate
/// nearest neighbor search using hierarchical navigable small world graphs", 2018.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphParams {
    /// Maximum number of links of a point in each upper layer.
    pub(crate) m: usize,
    /// Maximum number of links of a point in layer 0.
    pub(crate) m0: usize,
    /// Number of candidates kept while searching links for a new point.
    pub(crate) ef_construction: usize,
}

impl Default for GraphParams {
    /// `m0` is `2 * m`, which `hnsw_rs` does not let one choose.
    fn default() -> Self {
        Self {
            m: 16,
            m0: 32,
            ef_construction: 200,
        }
    }
}

/// Minimum number of items of a kind for which a graph is built. Comparing 8,192 × 384 vectors
/// takes 0.4 ms of CPU time, about as much as a graph search (`benches/search.rs`), and needs no
/// build.
pub(crate) const MIN_ITEMS: usize = 8_192;

/// Maximum number of items of one graph. `hnsw_rs` needs about 5 kB per item while it builds.
pub(crate) const MAX_ITEMS: usize = 32 * MIN_ITEMS;

/// A segment is rebuilt when more than one `REBUILD_DIVISOR`th of its items are removed. Until then
/// searches pass over them.
pub(crate) const REBUILD_DIVISOR: usize = 4;

/// Number of points inserted sequentially before inserting in parallel. Concurrent insertions into
/// an empty graph do not see each other and remain without links.
pub(crate) const N_SEQUENTIAL: usize = 512;

/// Search width with which a build checks that a point is found by its own vector.
pub(crate) const EF_SELF: usize = 32;

/// Number of candidates that a scan of codes keeps for comparison with full vectors, for `n`
/// results: at least four times `n`, and as many as a graph search.
pub(crate) fn n_candidates(n: usize) -> usize {
    n.saturating_mul(4).max(EF_SEARCH)
}

/// Default search width for up to 100,000 items. Recall@10 is above 0.99 for clustered vectors
/// (`benches/graph.py`) and for queries far from all vectors (`tests/index/recall.rs`), as texts
/// are from pictures.
pub(crate) const EF_SEARCH: usize = 96;

/// Default search width for `n_items`. Recall at a fixed width falls with the number of items: for
/// 1,000,000 × 512 in one graph it is 98.5 % at width 96 and 99.5 % at 168.
pub(crate) fn ef_search(n_items: usize) -> usize {
    let n_doublings = (n_items / 100_000).max(1).ilog2() as usize;
    EF_SEARCH + 24 * n_doublings
}

/// Number of candidates of each graph that a search of several keeps at least. A search that has
/// taken a wrong turn in one graph ends there for want of these, however many are kept in all: for
/// 1,000,000 × 512 in four graphs, recall@10 is 98.2 % with 16 at any width, 99.15 % with 32 and
/// 99.9 % with 64, which takes no longer (`benches/million.rs`).
pub(crate) const EF_OF_EACH: usize = 64;

/// Maximum search width. When codes cannot distinguish the nearest vectors, a search is repeated
/// with twice the width up to this one. That covers bursts of hundreds of nearly equal pictures,
/// but not of thousands.
pub(crate) const MAX_EF_IN_DOUBT: usize = 2_048;

/// Cost of comparing a row that is looked up by its id, in rows of a scan.
pub(crate) const GATHER_COST: usize = 2;

/// A scan tests this many rows, whether they are wanted, in the time that it takes to look up one.
pub(crate) const N_TESTS_PER_LOOKUP: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_width_grows_with_the_number_of_items() {
        let widths = [0, 8_192, 199_999, 200_000, 1_000_000, 4_000_000];
        assert_eq!(widths.map(ef_search), [96, 96, 96, 120, 168, 216]);
    }
}
