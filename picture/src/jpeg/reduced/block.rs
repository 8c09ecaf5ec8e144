//! What is kept of a block while it is read?

use super::header::ZIGZAG;
use super::idct::Weights;

/// What takes a block's coefficients.
pub(super) trait Coefficients {
    /// Takes a coefficient, by its place in the order of storage. Each place at most once.
    fn put(&mut self, place: usize, value: i16);
}

/// All coefficients of a block.
pub(super) struct Block {
    /// Row after row.
    pub(super) values: [i16; 64],
    /// The place of the last that is not zero, in the order of storage.
    pub(super) highest: usize,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            values: [0; 64],
            highest: 0,
        }
    }
}

impl Block {
    /// Makes all coefficients zero.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.highest > 0 {
            *self = Self::default();
        }
    }
}

impl Coefficients for Block {
    #[inline(always)]
    fn put(&mut self, place: usize, value: i16) {
        self.values[usize::from(ZIGZAG[place & 63])] = value;
        self.highest = place;
    }
}

/// The part that each coefficient, quantised, has in a block of 2 × 2 samples.
pub(super) struct QuarterWeights([(f32, u8); 64]);

impl QuarterWeights {
    /// For this quantisation, row after row, and coefficients up to place `last`.
    pub(super) fn new(steps: &[f32; 64], last: usize) -> Self {
        let two = Weights::<2>::new();
        let mut weights = [(0.0, 0); 64];
        for (&at, weight) in ZIGZAG.iter().zip(&mut weights).take(last + 1) {
            let at = usize::from(at);
            let (u, v) = (at % 8, at / 8);
            // An odd cosine has opposite signs in the two halves, an even one means nothing but for
            // the mean value.
            let kind = (u % 2 + v % 2 * 2) as u8;
            *weight = (steps[at] * two.0[u][0] * two.0[v][0], kind);
        }
        Self(weights)
    }
}

/// A block that becomes 2 × 2 samples: nothing needs to be kept but four sums, the mean and the
/// differences from left to right, from top to bottom, and of these.
pub(super) struct Quarters<'w> {
    weights: &'w QuarterWeights,
    sums: [f32; 4],
}

impl<'w> Quarters<'w> {
    #[inline(always)]
    pub(super) fn new(weights: &'w QuarterWeights) -> Self {
        let sums = [0.0; 4];
        Self { weights, sums }
    }

    /// The samples around zero: two above, two below.
    #[inline(always)]
    pub(super) fn samples(&self) -> [f32; 4] {
        let [mean, across, down, both] = self.sums;
        let (above, below) = (mean + down, mean - down);
        let (above_across, below_across) = (across + both, across - both);
        [
            above + above_across,
            above - above_across,
            below + below_across,
            below - below_across,
        ]
    }
}

impl Coefficients for Quarters<'_> {
    #[inline(always)]
    fn put(&mut self, place: usize, value: i16) {
        let (weight, kind) = self.weights.0[place & 63];
        self.sums[usize::from(kind & 3)] += weight * f32::from(value);
    }
}
