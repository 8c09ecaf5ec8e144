//! Joins candidates found by codes in several sets of points, and ranks them by full vectors.
//!
//! Every similarity that leaves here is that of the full vectors, so the order is that of an exact
//! scan, except for candidates that codes did not offer. [`rank`] reports where codes may have
//! withheld one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::codes::Query;
use super::distance;
use super::exact::Best;
use super::points::Points;
use super::{NONE, Neighbour};

/// Points near a query by codes, best first.
#[derive(Debug, Clone)]
pub(crate) struct Candidates<'a> {
    pub(crate) points: Points<'a>,
    pub(crate) found: Vec<Neighbour>,
}

/// The best results so far.
pub(crate) trait Ranking {
    /// The lowest similarity that can still change the result.
    fn floor(&self) -> f32;

    /// Offers a vector with its ids, ascending and not empty.
    fn offer(&mut self, similarity: f32, ids: &mut dyn Iterator<Item = u32>, vector: &[f32]);
}

impl Ranking for Best {
    fn floor(&self) -> f32 {
        Best::floor(self)
    }

    fn offer(&mut self, similarity: f32, ids: &mut dyn Iterator<Item = u32>, _: &[f32]) {
        // Of equal similarities, the lowest ids are the best.
        for id in ids.take(self.n) {
            Best::offer(self, Neighbour { similarity, id });
        }
    }
}

/// Offers all candidates that may be among the results to `ranking`, with similarities of full
/// vectors, which `vector_of` returns by the numbers of the set and of the point.
///
/// For each set of candidates, returns the similarity by codes down to which more of its points
/// could change the result, or none when the candidates go below.
pub(crate) fn rank<'a, R: Ranking, E: Send>(
    query: &[f32],
    codes: &Query,
    sets: &[Candidates<'_>],
    is_alive: impl Fn(u32) -> bool,
    vector_of: impl Fn(usize, u32) -> Result<Option<Cow<'a, [f32]>>, E> + Sync,
    ranking: &mut R,
) -> Result<Vec<Option<f32>>, E> {
    /// Few candidates are compared one after the other: most searches end among them.
    const N_ALONE: usize = if cfg!(test) { 8 } else { 512 };
    /// Number of others that are compared at once.
    const N_TOGETHER: usize = 4_096;
    let mut joined: Vec<(Neighbour, usize)> = Vec::new();
    for (set, candidates) in sets.iter().enumerate() {
        joined.extend(candidates.found.iter().map(|&point| (point, set)));
    }
    joined.sort_unstable_by(|a, b| b.cmp(a));
    let margin = |set: usize, candidate: &Neighbour| {
        let row = sets.get(set).and_then(|set| set.points.row(candidate.id));
        row.map_or(f32::INFINITY, |row| codes.margin(row, candidate.similarity))
    };
    let dot = distance::dot_function();
    let similarity = |(candidate, set): &(Neighbour, usize)| {
        let vector = vector_of(*set, candidate.id)?;
        Ok(vector.map(|vector| (dot(query, &vector), vector)))
    };
    let is_beyond = |(candidate, set): &(Neighbour, usize), floor: f32| {
        candidate.similarity + margin(*set, candidate) < floor
    };
    let offer = |(candidate, set): &(Neighbour, usize), (similarity, vector), to: &mut R| {
        let vector: Cow<'_, [f32]> = vector;
        let ids = sets[*set].points.ids_of(candidate.id);
        let mut ids = ids.iter().copied().filter(|&id| is_alive(id)).peekable();
        if similarity >= to.floor() && ids.peek().is_some() {
            to.offer(similarity, &mut ids, &vector);
        }
    };
    let (first, rest) = joined.split_at(joined.len().min(N_ALONE));
    for candidate in first {
        if is_beyond(candidate, ranking.floor()) {
            break;
        }
        if let Some(found) = similarity(candidate)? {
            offer(candidate, found, ranking);
        }
    }
    for part in rest.chunks(N_TOGETHER) {
        let floor = ranking.floor();
        let part = part.par_iter().filter(|one| !is_beyond(one, floor));
        let better = part.filter_map(|candidate| match similarity(candidate) {
            Ok(Some((similarity, _))) if similarity < floor => None,
            found => Some(found.map(|found| (candidate, found))),
        });
        let better: Vec<_> = better.collect::<Result<_, E>>()?;
        for (candidate, found) in better {
            if let Some(found) = found {
                offer(candidate, found, ranking);
            }
        }
    }
    let floor = ranking.floor();
    let in_doubt = |(set, candidates): (usize, &Candidates<'_>)| {
        let last = candidates.found.last()?;
        let margin = margin(set, last);
        (last.similarity + margin >= floor).then_some(floor - margin)
    };
    Ok(sets.iter().enumerate().map(in_doubt).collect())
}

/// A vector and its ids.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DistinctVector {
    pub(crate) similarity: f32,
    /// The lowest ids, ascending.
    pub(crate) ids: Vec<u32>,
    /// Number of its ids.
    pub(crate) n_ids: usize,
}

/// The `n` best distinct vectors. Ids of equal vectors are joined, wherever they are found.
#[derive(Debug, Clone)]
pub(crate) struct BestVectors {
    n: usize,
    /// Number of ids that are kept of each vector.
    n_ids: usize,
    /// By similarity, the lowest first; several vectors may have the same.
    kept: BTreeMap<Similarity, Vec<(Vec<f32>, DistinctVector)>>,
    /// Number of vectors in `kept`.
    n_kept: usize,
}

/// A similarity with a total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Similarity(f32);

impl Eq for Similarity {}

impl Ord for Similarity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Similarity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl BestVectors {
    pub(crate) fn new(n: usize, n_ids: usize) -> Self {
        Self {
            n,
            n_ids,
            kept: BTreeMap::new(),
            n_kept: 0,
        }
    }

    /// The vectors, best first, equal similarities by the lowest id.
    pub(crate) fn into_sorted(self) -> Vec<DistinctVector> {
        let kept = self.kept.into_values().flatten();
        let mut sorted: Vec<DistinctVector> = kept.map(|(_, vector)| vector).collect();
        let first_id = |vector: &DistinctVector| vector.ids.first().copied().unwrap_or(NONE);
        sorted.sort_by(|a, b| {
            let by_similarity = b.similarity.total_cmp(&a.similarity);
            by_similarity.then_with(|| first_id(a).cmp(&first_id(b)))
        });
        sorted.truncate(self.n);
        sorted
    }
}

impl Ranking for BestVectors {
    fn floor(&self) -> f32 {
        if self.n_kept < self.n {
            f32::NEG_INFINITY
        } else {
            let lowest = self.kept.keys().next();
            lowest.map_or(f32::INFINITY, |lowest| lowest.0)
        }
    }

    fn offer(&mut self, similarity: f32, ids: &mut dyn Iterator<Item = u32>, vector: &[f32]) {
        if similarity.is_nan() || self.n == 0 {
            return;
        }
        let equal = self.kept.entry(Similarity(similarity)).or_default();
        let known = equal.iter().position(|known| known.0 == vector);
        let at = known.unwrap_or_else(|| {
            let new = DistinctVector {
                similarity,
                ids: Vec::new(),
                n_ids: 0,
            };
            equal.push((vector.to_vec(), new));
            self.n_kept += 1;
            equal.len() - 1
        });
        let found = &mut equal[at].1;
        for id in ids {
            found.n_ids += 1;
            let place = found.ids.partition_point(|&other| other < id);
            if place < self.n_ids.max(1) {
                found.ids.insert(place, id);
                found.ids.truncate(self.n_ids.max(1));
            }
        }
        // Vectors of the lowest similarity stay together: a lower id may still join any of them.
        while let Some(lowest) = self.kept.first_entry()
            && self.n_kept - lowest.get().len() >= self.n
        {
            self.n_kept -= lowest.remove().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_vectors_are_joined_and_their_ids_counted() {
        let mut best = BestVectors::new(2, 3);
        let mut offer = |similarity, ids: &[u32], vector: &[f32]| {
            best.offer(similarity, &mut ids.iter().copied(), vector);
            best.floor()
        };
        assert_eq!(offer(0.5, &[7, 9], &[1.0, 0.0]), f32::NEG_INFINITY);
        assert_eq!(offer(0.5, &[8], &[0.0, 1.0]), 0.5);
        assert_eq!(offer(0.5, &[3, 4, 20], &[1.0, 0.0]), 0.5);
        assert_eq!(offer(f32::NAN, &[1], &[0.0, 0.0]), 0.5);
        assert_eq!(offer(0.9, &[30], &[0.6, 0.8]), 0.5);
        assert_eq!(
            offer(0.5, &[2], &[0.0, 1.0]),
            0.5,
            "a lower id may still come"
        );
        let vector = |similarity, ids: &[u32], n_ids| DistinctVector {
            similarity,
            ids: ids.to_vec(),
            n_ids,
        };
        let expected = [vector(0.9, &[30], 1), vector(0.5, &[2, 8], 2)];
        assert_eq!(best.clone().into_sorted(), expected);
        best.offer(0.7, &mut [1].into_iter(), &[0.8, 0.6]);
        assert_eq!(best.floor(), 0.7);
        let expected = [vector(0.9, &[30], 1), vector(0.7, &[1], 1)];
        assert_eq!(best.into_sorted(), expected);
    }
}
