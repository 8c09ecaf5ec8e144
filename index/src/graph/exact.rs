//! The best of many candidates, and scans of all vectors or codes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rayon::prelude::*;

use super::Neighbour;

/// Keeps the `n` best of the offered candidates.
#[derive(Debug, Clone)]
pub(crate) struct Best {
    /// The maximum number of kept candidates.
    pub(crate) n: usize,
    /// Candidates below are not kept.
    lowest: f32,
    heap: BinaryHeap<Reverse<Neighbour>>,
}

impl Best {
    pub(crate) fn new(n: usize) -> Self {
        Self::above(n, f32::NEG_INFINITY)
    }

    /// Keeps only candidates of a similarity of at least `lowest`.
    pub(crate) fn above(n: usize, lowest: f32) -> Self {
        // The caller may ask for more than there is, so memory is not reserved for all of it.
        Self {
            n,
            lowest,
            heap: BinaryHeap::with_capacity(n.min(1024)),
        }
    }

    /// Keeps the candidate if it is among the best so far. NaN similarities are ignored.
    pub(crate) fn offer(&mut self, candidate: Neighbour) {
        if candidate.similarity.is_nan() || candidate.similarity < self.lowest {
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
            self.lowest
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

/// Visits the rows 0…n−1 of `row_bytes` each in parallel; `visit` offers what it finds.
pub(crate) fn scan(
    n_rows: usize,
    row_bytes: usize,
    best: &mut Best,
    visit: impl Fn(usize, &mut Best) + Sync,
) {
    let rows_per_task = (BYTES_PER_TASK / row_bytes.max(1)).max(1);
    let scan_part = |rows: Range<usize>, best: &mut Best| rows.for_each(|row| visit(row, best));
    if n_rows <= rows_per_task {
        scan_part(0..n_rows, best);
        return;
    }
    let (n, floor) = (best.n, best.floor());
    let parts: Vec<Best> = (0..n_rows.div_ceil(rows_per_task))
        .into_par_iter()
        .map(|part| {
            let start = part * rows_per_task;
            let mut best = Best::above(n, floor);
            scan_part(start..n_rows.min(start + rows_per_task), &mut best);
            best
        })
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
        let mut above = Best::above(2, 0.2);
        for (similarity, id) in [(0.1, 1), (0.2, 2)] {
            above.offer(Neighbour { similarity, id });
        }
        assert_eq!(above.floor(), 0.2);
        assert_eq!(above.into_sorted().len(), 1);
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
        scan(n, dimension * 4, &mut best, |row, best| {
            best.offer(Neighbour {
                similarity: distance::dot(&query, &vectors[row * dimension..][..dimension]),
                id: u32::try_from(row).unwrap(),
            });
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
