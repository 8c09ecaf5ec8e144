//! Chooses batch size, lanes and queue lengths of a run.
//!
//! The best batch size depends on the model, the machine and the device, and a wrong guess costs up
//! to a third of the throughput. So the first batches of a run, whose results are used like all
//! others, come in several sizes; the largest that is about as fast as the best is kept.

use std::time::Duration;

use super::pipeline::{self, Shape};
use super::request::IndexRequest;
use crate::engine::Encoders;
use crate::engine::encoder::Lane;

/// Minimum number of pictures for which a second session of the image tower pays off.
pub(crate) const MIN_PICTURES_FOR_TWO_SESSIONS: usize = 100;

/// The lanes for encoding this many pictures.
pub(crate) fn lanes(request: &IndexRequest, encoders: &Encoders, n_pictures: usize) -> Vec<Lane> {
    let is_split = !request.no_split && n_pictures >= MIN_PICTURES_FOR_TWO_SESSIONS;
    Lane::all(if is_split {
        encoders.image().n_parts()
    } else {
        1
    })
}

/// Chooses the batch size: as requested, or by trying the sizes that suit the device.
pub(crate) fn finder(request: &IndexRequest, encoders: &Encoders, lanes: &[Lane]) -> BatchFinder {
    match request.batch_size {
        Some(size) => BatchFinder::fixed(size),
        None if encoders.image().has_own_device() => BatchFinder::among(DEVICE_SIZES),
        None if lanes.len() > 1 => BatchFinder::among(PART_SIZES),
        None => BatchFinder::among(SIZES),
    }
}

/// Queue lengths: two full batches may wait for each lane, and twice as many results for the
/// writer, so that encoding continues while the writer waits for the disk. Results are small,
/// prepared pictures are not.
pub(crate) fn shape(request: &IndexRequest, finder: &BatchFinder, lanes: &[Lane]) -> Shape {
    let n_at_once = finder.largest() * lanes.len();
    Shape {
        n_workers: request.n_decoders.unwrap_or_else(pipeline::default_workers),
        n_prepared: 2 * n_at_once,
        n_encoders: lanes.len(),
        n_encoded: 4 * n_at_once,
    }
}

/// Sizes tried on a CPU. Larger ones take more memory and are no faster.
const SIZES: &[usize] = &[1, 2, 4, 8];

/// Sizes tried on a part of the CPU: on half of it, batches of 4 are as fast as batches of 8 on all
/// of it, and two are encoded at once.
const PART_SIZES: &[usize] = &[1, 2, 4];

/// Sizes tried on another device, which small batches would leave idle.
const DEVICE_SIZES: &[usize] = &[1, 4, 16, 32, 64];

/// Number of batches of the largest size that are tried; of the other sizes, as many as hold the
/// same number of pictures. Decoders share the cores with the encoder, so the time of one batch is
/// noisy, and the fastest of several would favour small batches, of which more fit into a quiet
/// moment. Only total times of equally many pictures are comparable.
const N_LARGEST: usize = 3;

/// A size is as good as the best when it takes at most this multiple of its time per picture. The
/// largest of those is kept: while decoders share the cores, small batches look better than they
/// are, since the cost of starting one hides in the waiting.
const AS_GOOD: f64 = 1.1;

/// Encoding time after which the sizes tried so far decide.
const LONGEST: Duration = Duration::from_secs(8);

/// Chooses a batch size by the time that batches take.
#[derive(Debug, Clone)]
pub(crate) struct BatchFinder {
    sizes: &'static [usize],
    /// Pictures encoded in batches of each size, and the time that took.
    tried: Vec<(usize, Duration)>,
    chosen: Option<usize>,
}

impl BatchFinder {
    /// Tries these sizes, in ascending order.
    pub(crate) fn among(sizes: &'static [usize]) -> Self {
        Self {
            sizes,
            tried: vec![(0, Duration::ZERO); sizes.len()],
            chosen: None,
        }
    }

    /// Always this size.
    pub(crate) fn fixed(size: usize) -> Self {
        Self {
            chosen: Some(size.max(1)),
            ..Self::among(&[])
        }
    }

    /// The size of the next batch.
    pub(crate) fn size(&self) -> usize {
        let next = || self.sizes.get(self.next()).copied().unwrap_or(1);
        self.chosen.unwrap_or_else(next)
    }

    /// The largest size that may be asked for.
    pub(crate) fn largest(&self) -> usize {
        let largest = || self.sizes.last().copied().unwrap_or(1);
        self.chosen.unwrap_or_else(largest)
    }

    /// The chosen size; `None` while sizes are still tried.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// Records how long a batch took. Sizes that are not being tried are ignored, as that of the
    /// last batch of a run. It need not be the size that is next: another lane may be ahead.
    pub(crate) fn note(&mut self, n: usize, took: Duration) {
        let place = self.sizes.iter().position(|&size| size == n);
        let (None, Some(place)) = (self.chosen, place) else {
            return;
        };
        self.tried[place].0 += n;
        self.tried[place].1 += took;
        let enough = N_LARGEST * self.largest();
        let is_through = self.tried.iter().all(|&(n, _)| n >= enough);
        let spent: Duration = self.tried.iter().map(|&(_, took)| took).sum();
        if is_through || spent >= LONGEST {
            self.chosen = Some(self.best());
        }
    }

    /// Position of the size with the fewest pictures so far, so that the sizes take turns.
    fn next(&self) -> usize {
        let fewest = |&i: &usize| self.tried[i].0;
        (0..self.tried.len()).min_by_key(fewest).unwrap_or(0)
    }

    fn best(&self) -> usize {
        let each = || {
            let tried = self.sizes.iter().zip(&self.tried);
            tried
                .filter(|(_, (n, _))| *n > 0)
                .map(|(&size, (n, took))| (size, took.as_secs_f64() / *n as f64))
        };
        let least = each().map(|(_, each)| each).fold(f64::INFINITY, f64::min);
        each()
            .rev()
            .find(|&(_, each)| each <= least * AS_GOOD)
            .map_or(1, |(size, _)| size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a finder on an encoder whose batches of `n` take `cost(n)` milliseconds. Returns the
    /// chosen size and the number of pictures encoded until then.
    fn found(cost: impl Fn(usize) -> f64) -> (usize, usize) {
        let mut finder = BatchFinder::among(SIZES);
        let mut n_pictures = 0;
        while finder.chosen().is_none() {
            let n = finder.size();
            assert!(n <= finder.largest());
            finder.note(n, Duration::from_secs_f64(cost(n) / 1e3));
            n_pictures += n;
            assert!(n_pictures < 1000, "it never ends");
        }
        assert_eq!(finder.chosen(), Some(finder.size()));
        (finder.size(), n_pictures)
    }

    #[test]
    fn the_largest_of_the_fast_sizes_is_kept() {
        let all = N_LARGEST * 8 * SIZES.len();
        // Constant time per picture, without and with a cost per batch.
        assert_eq!(found(|n| 10.0 * n as f64), (8, all));
        assert_eq!(found(|n| 20.0 + 10.0 * n as f64), (8, all));
        // Caches overflow beyond 4.
        let worse = |n: usize| if n > 4 { 20.0 } else { 10.0 };
        assert_eq!(found(|n| 10.0 + worse(n) * n as f64).0, 4);
        // A machine for which single pictures are fastest.
        assert_eq!(found(|n| 10.0 * (n as f64).powf(1.2)).0, 1);
    }

    #[test]
    fn noise_does_not_favour_small_batches() {
        let mut finder = BatchFinder::among(SIZES);
        let mut n_single = 0;
        while finder.chosen().is_none() {
            let n = finder.size();
            n_single += usize::from(n == 1);
            // Every fourth single picture has the machine to itself.
            let is_lucky = n == 1 && n_single.is_multiple_of(4);
            let times = if is_lucky { 0.5 } else { 1.0 };
            let took = times * (0.008 + 0.010 * n as f64);
            finder.note(n, Duration::from_secs_f64(took));
        }
        assert_eq!((finder.size(), n_single), (8, N_LARGEST * 8));
    }

    #[test]
    fn batches_of_lanes_that_overtake_each_other_count() {
        // Both lanes asked for a size and got 1; when the second one is done, 2 is next.
        let mut finder = BatchFinder::among(PART_SIZES);
        finder.note(1, Duration::from_millis(10));
        assert_eq!(finder.size(), 2);
        finder.note(1, Duration::from_millis(10));
        assert_eq!(finder.tried[0], (2, Duration::from_millis(20)));
        assert_eq!(finder.size(), 2);
    }

    #[test]
    fn trying_sizes_ends_early_for_a_slow_model() {
        // Two seconds per picture: the time is up after 1, 2 and 4.
        assert_eq!(found(|n| 2000.0 * n as f64), (4, 7));
    }

    #[test]
    fn batches_of_other_sizes_are_ignored() {
        let mut finder = BatchFinder::among(SIZES);
        finder.note(5, Duration::from_secs(100));
        assert_eq!((finder.size(), finder.chosen()), (1, None));
        let mut fixed = BatchFinder::fixed(6);
        fixed.note(6, Duration::from_secs(100));
        assert_eq!((fixed.size(), fixed.largest()), (6, 6));
        assert_eq!(BatchFinder::fixed(0).size(), 1);
    }
}
