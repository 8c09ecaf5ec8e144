//! How many pictures should be encoded at once?
//!
//! It depends on the model, the machine and the device, and a wrong guess costs up to a third of
//! the speed. So the first batches of a run, whose results are used like all others, come in
//! several sizes; the largest that is about as quick as the best is kept.

use std::time::Duration;

/// The sizes that are tried on a processor. Larger ones bring no more speed there, only memory.
pub(crate) const SIZES: &[usize] = &[1, 2, 4, 8];

/// The same for a part of the processor: in half of it, batches of 4 are as good as of 8 in all of
/// it, and so much is under way at once.
pub(crate) const PART_SIZES: &[usize] = &[1, 2, 4];

/// The sizes that are tried on a device of its own, which small batches leave idle.
pub(crate) const DEVICE_SIZES: &[usize] = &[1, 4, 16, 32, 64];

/// How many batches of the largest size are tried, and of each other size as many as hold the same
/// number of pictures. Decoders share the cores with the encoder, so that the time of one batch
/// depends on luck, and a quickest try favours the smallest, of which many fit into a lucky moment:
/// only the whole time of equally many pictures compares.
const N_LARGEST: usize = 3;

/// A size is as good as the best one when it takes at most this much of the best one's time. Of
/// those the largest is kept: while decoders share the cores, small batches look better than they
/// are, since what it costs to begin one hides in the waiting.
const AS_GOOD: f64 = 1.1;

/// Encoding time after which the choice is made from what has been tried.
const LONGEST: Duration = Duration::from_secs(8);

/// Chooses a batch size from the time that batches take.
#[derive(Debug, Clone)]
pub(crate) struct BatchFinder {
    sizes: &'static [usize],
    /// Pictures encoded in batches of each size, and the time that took.
    tried: Vec<(usize, Duration)>,
    chosen: Option<usize>,
}

impl BatchFinder {
    /// Tries these sizes, which rise.
    pub(crate) fn among(sizes: &'static [usize]) -> Self {
        Self {
            sizes,
            tried: vec![(0, Duration::ZERO); sizes.len()],
            chosen: None,
        }
    }

    /// A size that is not to be doubted.
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

    /// The largest batch that may be asked for.
    pub(crate) fn largest(&self) -> usize {
        let largest = || self.sizes.last().copied().unwrap_or(1);
        self.chosen.unwrap_or_else(largest)
    }

    /// The size found, once it is.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// Hears how long a batch took. One of a size that is not tried, as at the end of a run, says
    /// nothing. It need not be the size that is next: another lane may have been quicker.
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

    /// Which size is next: the one with the fewest pictures, so that the sizes take turns.
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

    /// Runs a finder on an encoder whose batches of `n` cost `cost(n)` milliseconds. Returns the
    /// size chosen, and how many pictures that took.
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
    fn the_largest_of_the_quick_sizes_is_kept() {
        let all = N_LARGEST * 8 * SIZES.len();
        // Each picture costs the same, or begins a batch at some cost: fewer batches are better.
        assert_eq!(found(|n| 10.0 * n as f64), (8, all));
        assert_eq!(found(|n| 20.0 + 10.0 * n as f64), (8, all));
        // Beyond 4 the caches overflow.
        let worse = |n: usize| if n > 4 { 20.0 } else { 10.0 };
        assert_eq!(found(|n| 10.0 + worse(n) * n as f64).0, 4);
        // Batches of one are what this machine is good at.
        assert_eq!(found(|n| 10.0 * (n as f64).powf(1.2)).0, 1);
    }

    #[test]
    fn lucky_moments_of_small_batches_do_not_count() {
        let mut finder = BatchFinder::among(SIZES);
        let mut n_single = 0;
        while finder.chosen().is_none() {
            let n = finder.size();
            n_single += usize::from(n == 1);
            // Every fourth single picture has the machine for itself.
            let is_lucky = n == 1 && n_single.is_multiple_of(4);
            let times = if is_lucky { 0.5 } else { 1.0 };
            let took = times * (0.008 + 0.010 * n as f64);
            finder.note(n, Duration::from_secs_f64(took));
        }
        assert_eq!((finder.size(), n_single), (8, N_LARGEST * 8));
    }

    #[test]
    fn lanes_that_overtake_one_another_are_heard() {
        // Both were told 1; by the time the second one is back, 2 is next.
        let mut finder = BatchFinder::among(PART_SIZES);
        finder.note(1, Duration::from_millis(10));
        assert_eq!(finder.size(), 2);
        finder.note(1, Duration::from_millis(10));
        assert_eq!(finder.tried[0], (2, Duration::from_millis(20)));
        assert_eq!(finder.size(), 2);
    }

    #[test]
    fn a_slow_model_is_not_measured_for_ever() {
        // Two seconds a picture: after 1, 2 and 4 the time is spent.
        assert_eq!(found(|n| 2000.0 * n as f64), (4, 7));
    }

    #[test]
    fn batches_of_another_size_say_nothing() {
        let mut finder = BatchFinder::among(SIZES);
        finder.note(5, Duration::from_secs(100));
        assert_eq!((finder.size(), finder.chosen()), (1, None));
        let mut fixed = BatchFinder::fixed(6);
        fixed.note(6, Duration::from_secs(100));
        assert_eq!((fixed.size(), fixed.largest()), (6, 6));
        assert_eq!(BatchFinder::fixed(0).size(), 1);
    }
}
