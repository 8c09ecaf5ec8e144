//! Exact search: a scan of all vectors or codes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::Neighbour;

/// Keeps the `n` best of the offered candidates.
#[derive(Debug)]
pub(crate) struct Best {
    /// The maximum number of kept candidates.
    pub(crate) n: usize,
    heap: BinaryHeap<Reverse<Neighbour>>,
}

impl Best {
    pub(crate) fn new(n: usize) -> Self {
        // The caller may ask for more than there is, so memory is not reserved for all of it.
        Self {
            n,
            heap: BinaryHeap::with_capacity(n.min(1024)),
        }
    }

    /// Keeps the candidate if it is among the best so far. NaN similarities are ignored.
    pub(crate) fn offer(&mut self, candidate: Neighbour) {
        if candidate.similarity.is_nan() {
            return;
        }
        if self.heap.len() < self.n {
            self.heap.push(Reverse(candidate));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate > worst.0
        {
            *worst = Reverse(candidate);
        }
    }

    /// The lowest similarity that would still be kept.
    pub(crate) fn floor(&self) -> f32 {
        if self.heap.len() < self.n {
            f32::NEG_INFINITY
        } else {
            self.heap
                .peek()
                .map_or(f32::INFINITY, |worst| worst.0.similarity)
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        for candidate in other.heap {
            self.offer(candidate.0);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The kept candidates, best first, equal similarities by id.
    pub(crate) fn into_sorted(self) -> Vec<Neighbour> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|candidate| candidate.0)
            .collect()
    }
}

/// Bytes scanned per task, so that small sets are scanned by one thread.
const BYTES_PER_TASK: usize = 4 << 20;

/// Offers all rows of `values`, shape `[n, width]`, to `best`. `ids_of(row, sink)` calls `sink`
/// with each id of a row that may be found.
pub(crate) fn scan<T: Sync>(
    values: &[T],
    width: usize,
    similarity: impl Fn(&[T]) -> f32 + Sync,
    best: &mut Best,
    ids_of: impl Fn(usize, &mut dyn FnMut(u32)) + Sync,
) {
    if width == 0 {
        return;
    }
    let rows_per_task = (BYTES_PER_TASK / (width * size_of::<T>())).max(1);
    let scan_part = |(part, values): (usize, &[T]), n: usize| {
        let mut best = Best::new(n);
        for (row, values) in values.chunks_exact(width).enumerate() {
            let similarity = similarity(values);
            if similarity >= best.floor() {
                ids_of(part * rows_per_task + row, &mut |id| {
                    best.offer(Neighbour { similarity, id });
                });
            }
        }
        best
    };
    if values.len() <= rows_per_task * width {
        best.extend(scan_part((0, values), best.n));
        return;
    }
    let n = best.n;
    let parts: Vec<Best> = values
        .par_chunks(rows_per_task * width)
        .enumerate()
        .map(|part| scan_part(part, n))
        .collect();
    for part in parts {
        best.extend(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::distance;

    #[test]
    fn keeps_the_best_and_breaks_ties_by_id() {
        let mut best = Best::new(2);
        for (similarity, id) in [(0.5, 9), (0.5, 3), (0.1, 1), (f32::NAN, 0), (0.5, 4)] {
            best.offer(Neighbour { similarity, id });
        }
        let ids: Vec<u32> = best.into_sorted().iter().map(|found| found.id).collect();
        assert_eq!(ids, [3, 4]);
        let mut none = Best::new(0);
        none.offer(Neighbour {
            similarity: 1.0,
            id: 1,
        });
        assert!(none.into_sorted().is_empty());
    }

    #[test]
    fn a_parallel_scan_equals_a_plain_one() {
        let dimension = 64;
        let n = 40_000usize;
        let vectors: Vec<f32> = (0..n * dimension)
            .map(|i| ((i * 2_654_435_761 % 1000) as f32) / 1000.0)
            .collect();
        assert!(
            vectors.len() * 4 > BYTES_PER_TASK,
            "large enough for several tasks"
        );
        let query = vec![0.1; dimension];
        let mut best = Best::new(10);
        let similarity = |row: &[f32]| distance::dot(&query, row);
        scan(&vectors, dimension, similarity, &mut best, |row, sink| {
            sink(u32::try_from(row).unwrap());
        });
        let mut plain: Vec<Neighbour> = vectors
            .chunks_exact(dimension)
            .zip(0u32..)
            .map(|(row, id)| Neighbour {
                similarity: distance::dot(&query, row),
                id,
            })
            .collect();
        plain.sort_by(|a, b| b.cmp(a));
        assert_eq!(best.into_sorted(), plain[..10]);
    }
}
