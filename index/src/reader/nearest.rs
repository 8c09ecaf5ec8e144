//! Nearest-neighbour search: candidates by codes from every graph segment and from the items in
//! none, ranked together by full vectors.

use std::borrow::Cow;

use super::IndexReader;
use super::vectors::{KindState, Vectors};
use crate::derived::segments::Segment;
use crate::error::{IndexError, Within};
use crate::graph::Neighbour;
use crate::graph::coded::CodedVectors;
use crate::graph::codes::Query;
use crate::graph::distance;
use crate::graph::exact::Best;
use crate::graph::file::Graph;
use crate::graph::params::{
    EF_OF_EACH, GATHER_COST, MAX_EF_IN_DOUBT, N_TESTS_PER_LOOKUP, ef_search, n_candidates,
};
use crate::graph::points::Points;
use crate::graph::ranking::{self, BestVectors, Candidates, Ranking};
use crate::graph::search::Effort;
use crate::ids::IdSet;
use crate::item::{ItemId, ItemKind};
use crate::records::RecordsError;
use crate::records::read::Records;
use crate::records::store::Store;
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
    /// by the number of items, 96 for up to 100,000 and 24 more for each doubling; of several
    /// graphs at least 64 each.
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

/// A vector near another one, with the items that have it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NearVector {
    /// Cosine of the angle between it and the query's, −1…1.
    pub similarity: f32,
    /// The lowest ids of its items, ascending.
    pub ids: Vec<ItemId>,
    /// Number of its items.
    pub n_items: usize,
}

/// One search among the vectors of a kind.
struct Search<'a> {
    state: &'a KindState,
    store: &'a Store,
    kind: ItemKind,
    vectors: &'a Vectors,
    query: &'a [f32],
    codes: Query,
    /// Number of results.
    n: usize,
    how: Nearest,
    wanted: Option<&'a IdSet>,
}

/// How the candidates of a set were found, which decides how more are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a graph search of about this width.
    Walk { ef: usize },
    /// By comparing all that are wanted.
    Scan,
    /// All that may be among the results are there.
    Complete,
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
    pub(super) fn nearest_of(
        &self,
        kind: ItemKind,
        vector: &UnitVector,
        n: usize,
        how: &Nearest,
        wanted: Option<&IdSet>,
    ) -> Result<Vec<Near>, IndexError> {
        let best = self.ranked(kind, vector, n, how, wanted, Best::new(n))?;
        let near = |found: Neighbour| Near {
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

    /// The `n` distinct vectors of a kind that are nearest to `vector`, nearest first, equal
    /// similarities by the lowest id; with at most `per_vector` ids of the items that have it, and
    /// at least one. With `wanted`, only those items count.
    ///
    /// # Errors
    /// When the vector has another dimension than the index, or the records cannot be read.
    pub fn nearest_distinct(
        &self,
        kind: ItemKind,
        vector: &UnitVector,
        n: usize,
        per_vector: usize,
        how: &Nearest,
        wanted: Option<&IdSet>,
    ) -> Result<Vec<NearVector>, IndexError> {
        let best = BestVectors::new(n, per_vector);
        let best = self.ranked(kind, vector, n, how, wanted, best)?;
        let near = best.into_sorted().into_iter().map(|found| NearVector {
            similarity: found.similarity.clamp(-1.0, 1.0),
            ids: found.ids.into_iter().map(ItemId).collect(),
            n_items: found.n_ids,
        });
        Ok(near.collect())
    }

    fn ranked<R: Ranking + Clone>(
        &self,
        kind: ItemKind,
        vector: &UnitVector,
        n: usize,
        how: &Nearest,
        wanted: Option<&IdSet>,
        mut ranking: R,
    ) -> Result<R, IndexError> {
        let (expected, found) = (self.binding.dimension, vector.dimension());
        if expected != found {
            return Err(IndexError::WrongDimension { expected, found });
        }
        let state = &self.kinds[kind.number()];
        let vectors = state.vectors(&self.store).within(self.dir())?;
        let search = Search {
            state,
            store: &self.store,
            kind,
            vectors: &vectors,
            query: vector.as_slice(),
            codes: Query::new(vector.as_slice()),
            n,
            how: *how,
            wanted,
        };
        if n == 0 {
            return Ok(ranking);
        }
        if how.exact || vectors.fresh.is_none() {
            search.stream_fresh(&mut ranking).within(self.dir())?;
        }
        if how.exact {
            search.scan_exactly(&mut ranking);
            return Ok(ranking);
        }
        search.by_codes(&ranking).within(self.dir())
    }
}

impl Search<'_> {
    fn is_alive(&self, id: u32) -> bool {
        let id = ItemId(id);
        !self.vectors.removed.contains(id) && self.wanted.is_none_or(|wanted| wanted.contains(id))
    }

    fn is_everything_wanted(&self) -> bool {
        self.wanted.is_none() && self.vectors.removed.is_empty()
    }

    /// Offers all fresh items, read from the records.
    fn stream_fresh(&self, ranking: &mut impl Ranking) -> Result<(), RecordsError> {
        /// A scan reads about as many vectors in the time that it takes to look up one.
        const N_SCANNED_PER_LOOKUP: usize = 8;
        let dot = distance::dot_function();
        let mut offer = |id: ItemId, vector: &[f32]| {
            let similarity = dot(self.query, vector);
            if similarity >= ranking.floor() {
                ranking.offer(similarity, &mut std::iter::once(id.0), vector);
            }
        };
        for range in &self.vectors.uncovered {
            let end = (*range.end()).min(self.vectors.last_id);
            let span = (end.0 + 1).saturating_sub(range.start().0) as usize;
            let n_wanted = self
                .wanted
                .map_or(span, |wanted| wanted.count_in(range.clone()));
            if let Some(wanted) = self.wanted
                && n_wanted < span / N_SCANNED_PER_LOOKUP
            {
                for id in wanted.iter_in(range.clone()) {
                    let vector = self.store.vector_values(self.kind, id, self.query.len())?;
                    if let Some(vector) = vector {
                        offer(id, &vector);
                    }
                }
                continue;
            }
            self.state
                .scan(self.store, range.clone(), &mut |id, vector| {
                    if self.is_alive(id.0) {
                        offer(id, vector);
                    }
                    Ok(true)
                })?;
        }
        Ok(())
    }

    /// Offers all items of all segments, compared by full vectors.
    fn scan_exactly(&self, ranking: &mut impl Ranking) {
        for segment in &self.vectors.segments {
            let graph = &segment.graph;
            let points = graph.points();
            let is_wanted = |point| points.ids_of(point).iter().any(|&id| self.is_alive(id));
            let mut best = Best::above(self.n, ranking.floor());
            graph.scan(self.query, is_wanted, &mut best);
            for found in best.into_sorted() {
                let ids = points.ids_of(found.id).iter().copied();
                let vector = graph.vector(found.id).unwrap_or(&[]);
                let mut alive = ids.filter(|&id| self.is_alive(id));
                ranking.offer(found.similarity, &mut alive, vector);
            }
        }
    }

    /// Searches all segments and the fresh items by codes, and adds the best to those in `ranked`.
    /// Where codes cannot distinguish the nearest, more candidates are compared.
    fn by_codes<R: Ranking + Clone>(&self, ranked: &R) -> Result<R, RecordsError> {
        let mut sets = Vec::with_capacity(self.vectors.segments.len() + 1);
        let mut ways = Vec::with_capacity(sets.capacity());
        for (segment, (found, way)) in self.vectors.segments.iter().zip(self.near()) {
            let points = segment.graph.points();
            sets.push(Candidates { points, found });
            ways.push(way);
        }
        if let Some(fresh) = &self.vectors.fresh {
            let points = fresh.points();
            let (found, way) = self.first_scan(None);
            sets.push(Candidates { points, found });
            ways.push(way);
        }
        loop {
            let mut ranking = ranked.clone();
            let is_alive = |id| self.is_alive(id);
            let in_doubt = ranking::rank(
                self.query,
                &self.codes,
                &sets,
                is_alive,
                |set, point| self.vector(set, point),
                &mut ranking,
            )?;
            let mut is_complete = true;
            for (set, lowest) in in_doubt.into_iter().enumerate() {
                if let Some(lowest) = lowest {
                    let segment = self.vectors.segments.get(set).map(|segment| &**segment);
                    let found = &mut sets[set].found;
                    is_complete &= !self.find_more(segment, lowest, found, &mut ways[set]);
                }
            }
            if is_complete {
                return Ok(ranking);
            }
        }
    }

    /// The full vector of a point of a segment, or of the fresh items, which come after those.
    fn vector(&self, set: usize, point: u32) -> Result<Option<Cow<'_, [f32]>>, RecordsError> {
        if let Some(segment) = self.vectors.segments.get(set) {
            return Ok(segment.graph.vector(point).map(Cow::Borrowed));
        }
        let fresh = self.vectors.fresh.as_ref();
        let ids = fresh.map_or(&[][..], |fresh| fresh.points().ids_of(point));
        let Some(&id) = ids.first() else {
            return Ok(None);
        };
        let dimension = self.query.len();
        let vector = self.store.vector_values(self.kind, ItemId(id), dimension)?;
        Ok(vector.map(Cow::Owned))
    }

    /// The candidates of each segment, and how they were found.
    fn near(&self) -> Vec<(Vec<Neighbour>, Way)> {
        let segments = &self.vectors.segments;
        let n_alive: Vec<usize> = segments
            .iter()
            .map(|segment| self.n_alive(segment))
            .collect();
        let n_ids = segments.iter().map(|segment| segment.graph.n_ids());
        let ef = match self.how.ef {
            0 => ef_search(n_ids.sum()),
            ef => ef,
        };
        let ef = ef.max(self.n.saturating_mul(2));
        // Each of several is expected to hold its share of the nearest.
        let share = (ef / segments.len().max(1)).max(EF_OF_EACH).min(ef);
        let budget =
            |at: usize, segment: &Segment| walk_budget(share, n_alive[at], segment.graph.n_ids());
        let budgets: Vec<Option<usize>> = segments
            .iter()
            .enumerate()
            .map(|(at, segment)| budget(at, segment))
            .collect();
        let mut walked = self.walk_together(&budgets, &n_alive, ef).into_iter();
        let scanned = |segment: &Segment| self.first_scan(Some(segment));
        let near = segments.iter().zip(&n_alive).zip(&budgets);
        let near = near.map(|((segment, &n_alive), budget)| match budget {
            _ if n_alive == 0 => (Vec::new(), Way::Complete),
            None => scanned(segment),
            Some(_) => walked.next().map_or_else(
                || scanned(segment),
                |found| {
                    let ef = found.len().max(EF_OF_EACH);
                    (found, Way::Walk { ef })
                },
            ),
        });
        near.collect()
    }

    /// About the number of wanted items of a segment.
    fn n_alive(&self, segment: &Segment) -> usize {
        let n_ids = segment.graph.n_ids();
        let range = segment.entry.first_id..=segment.entry.last_id;
        match self.wanted {
            Some(wanted) => wanted.count_in(range).min(n_ids),
            None => n_ids.saturating_sub(self.vectors.removed.count_in(range)),
        }
    }

    /// The candidates of the segments that have a budget; none at all when walking takes too long
    /// or finds too few.
    fn walk_together(
        &self,
        budgets: &[Option<usize>],
        n_alive: &[usize],
        ef: usize,
    ) -> Vec<Vec<Neighbour>> {
        let walked = self
            .vectors
            .segments
            .iter()
            .zip(budgets.iter().zip(n_alive));
        let walked: Vec<_> = walked
            .filter_map(|(segment, (budget, n_alive))| Some((&segment.graph, (*budget)?, *n_alive)))
            .collect();
        let graphs: Vec<_> = walked.iter().map(|walked| walked.0).collect();
        let effort = Effort {
            ef,
            ef_of_each: EF_OF_EACH.min(ef),
            budget: walked.iter().map(|walked| walked.1).sum(),
        };
        let n_alive: usize = walked.iter().map(|walked| walked.2).sum();
        let found = if self.is_everything_wanted() {
            Graph::walk_together(&graphs, &self.codes, effort, |_, _| true)
        } else {
            let points: Vec<_> = graphs.iter().map(|graph| graph.points()).collect();
            Graph::walk_together(&graphs, &self.codes, effort, |graph, point| {
                let ids = points[graph].ids_of(point);
                ids.iter().any(|&id| self.is_alive(id))
            })
        };
        let found = found.unwrap_or_default();
        let n_found: usize = found.iter().map(Vec::len).sum();
        if n_found >= self.n.min(n_alive) {
            found
        } else {
            Vec::new()
        }
    }

    /// The candidates of a segment by a search of width `ef`; none when comparing all that are
    /// wanted is cheaper.
    fn walk(&self, segment: &Segment, ef: usize) -> Option<Vec<Neighbour>> {
        let budget = walk_budget(ef, self.n_alive(segment), segment.graph.n_ids())?;
        let effort = Effort {
            ef,
            ef_of_each: ef,
            budget,
        };
        let points = segment.graph.points();
        let found = Graph::walk_together(&[&segment.graph], &self.codes, effort, |_, point| {
            points.ids_of(point).iter().any(|&id| self.is_alive(id))
        });
        found?.pop()
    }

    /// The candidates among all wanted points of a segment, or of the fresh items, and whether
    /// there may be more.
    ///
    /// Where many points are about as similar as the last result, far more than usual are in doubt,
    /// and another scan would be needed. A sample of a large set shows down to where.
    fn first_scan(&self, segment: Option<&Segment>) -> (Vec<Neighbour>, Way) {
        /// One point in this many is in the sample.
        const STEP: usize = 16;
        /// Fewer are scanned in a millisecond, twice if need be.
        const N_LARGE: usize = if cfg!(test) { 64 } else { 32_768 };
        let points = self.points(segment);
        let n_wanted = segment.map_or(0, |segment| self.n_alive(segment));
        if n_wanted >= N_LARGE {
            let sample = self.scan(segment, STEP, Best::new(self.n));
            if let Some(last) = sample.get(self.n - 1)
                && let Some(row) = points.as_ref().and_then(|points| points.row(last.id))
            {
                // The last result of all is hardly below that of the sample. If it is, or if
                // margins differ much, the ranking finds points in doubt and all is scanned again.
                let lowest = last.similarity - 2.0 * self.codes.margin(row, last.similarity);
                let found = self.scan(segment, 1, Best::above(usize::MAX, lowest));
                return (found, Way::Scan);
            }
        }
        let found = self.scan(segment, 1, Best::new(n_candidates(self.n)));
        let way = match found.len() {
            n if n < n_candidates(self.n) => Way::Complete,
            _ => Way::Scan,
        };
        (found, way)
    }

    /// The points of a segment, or of the fresh items.
    fn points<'p>(&'p self, segment: Option<&'p Segment>) -> Option<Points<'p>> {
        let fresh = self.vectors.fresh.as_ref();
        match segment {
            Some(segment) => Some(segment.graph.points()),
            None => fresh.map(CodedVectors::points),
        }
    }

    /// Compares all wanted points of a segment, or of the fresh items, by codes; with a `step`
    /// above 1, only one block of points per step.
    fn scan(&self, segment: Option<&Segment>, step: usize, mut best: Best) -> Vec<Neighbour> {
        /// Rows next to each other are read quickly.
        const BLOCK: usize = if cfg!(test) { 2 } else { 64 };
        let is_in_sample = |at: usize| (at / BLOCK).is_multiple_of(step);
        let Some(points) = self.points(segment) else {
            return Vec::new();
        };
        if let (Some(wanted), Some(segment)) = (self.wanted, segment) {
            let range = segment.entry.first_id..=segment.entry.last_id;
            if wanted.count_in(range.clone()) < points.n_points() / N_TESTS_PER_LOOKUP {
                let ids = wanted.iter_in(range).map(|id| id.0);
                let alive = ids.filter(|&id| !self.vectors.removed.contains(ItemId(id)));
                let mut wanted = segment.graph.points_of(alive);
                if step > 1 {
                    let mut at = 0..;
                    wanted.retain(|_| at.next().is_some_and(is_in_sample));
                }
                points.gather(&self.codes, &wanted, &mut best);
                return best.into_sorted();
            }
        }
        let is_in_part = |point: u32| step == 1 || is_in_sample(point as usize);
        if self.is_everything_wanted() {
            points.scan(&self.codes, is_in_part, &mut best);
        } else {
            let is_alive = |point| points.ids_of(point).iter().any(|&id| self.is_alive(id));
            points.scan(
                &self.codes,
                |point| is_in_part(point) && is_alive(point),
                &mut best,
            );
        }
        best.into_sorted()
    }

    /// Looks for more candidates down to the similarity `lowest`, and returns whether there may be
    /// a change.
    fn find_more(
        &self,
        segment: Option<&Segment>,
        lowest: f32,
        found: &mut Vec<Neighbour>,
        way: &mut Way,
    ) -> bool {
        match (*way, segment) {
            (Way::Walk { ef }, Some(segment)) => {
                let wider = ef.saturating_mul(2);
                let Some(more) = self.walk(segment, wider) else {
                    *found = self.scan(Some(segment), 1, Best::above(usize::MAX, lowest));
                    *way = Way::Complete;
                    return true;
                };
                *way = match more.len() {
                    n if n < wider || wider >= MAX_EF_IN_DOUBT => Way::Complete,
                    _ => Way::Walk { ef: wider },
                };
                // A wider search takes other paths, so the points found before are kept.
                add_missing(found, &more);
                true
            }
            (Way::Scan, segment) => {
                let best = Best::above(usize::MAX, lowest);
                *found = self.scan(segment, 1, best);
                *way = Way::Complete;
                true
            }
            _ => false,
        }
    }
}

/// Adds the points of `others` that are not in `found`. Both are sorted best first, and so is the
/// result.
fn add_missing(found: &mut Vec<Neighbour>, others: &[Neighbour]) {
    found.extend_from_slice(others);
    found.sort_unstable_by(|a, b| b.cmp(a));
    // A point has the same similarity in both, so its two entries are adjacent.
    found.dedup_by_key(|point| point.id);
}

/// The number of comparisons that a graph search of width `ef`, of which `n_alive` of `n_ids` items
/// are wanted, may take before comparing all that are wanted is cheaper; none when that is expected
/// to be cheaper from the start.
///
/// A search also walks through items that are not wanted, so the fewer are, the more it compares.
fn walk_budget(ef: usize, n_alive: usize, n_ids: usize) -> Option<usize> {
    /// Comparisons for each candidate that is kept, and the cost of each in rows of a scan
    /// (`benches/graph.py`).
    const N_COMPARED: usize = 16;
    const COST: usize = 4;
    let gather = n_alive.saturating_mul(GATHER_COST);
    let scan = gather.min(n_alive.saturating_add(n_ids / N_TESTS_PER_LOOKUP));
    let compared = ef.saturating_mul(N_COMPARED).saturating_mul(n_ids) / n_alive.max(1);
    let budget = scan / COST;
    (compared.min(n_ids) < budget).then_some(budget)
}
