//! The inverse transform of blocks, at full or at a reduced size.
//!
//! A block of 8 × 8 samples is a sum of cosines. A sample at a reduced size is the mean of those
//! that it replaces. The means of each cosine are constants, so the reduced block is a sum of fewer
//! terms, and nothing is computed at full size. libjpeg's reduced transforms compute the same in
//! integers.

use super::header::ZIGZAG;

/// For each coefficient of one direction, its weight in each of `N` samples.
struct Weights<const N: usize>([[f32; N]; 8]);

impl<const N: usize> Weights<N> {
    /// `N` is 1, 2, 4 or 8.
    fn new() -> Self {
        let n_means = 8 / N;
        let mut weights = [[0.0; N]; 8];
        for (u, row) in weights.iter_mut().enumerate() {
            for (x, weight) in row.iter_mut().enumerate() {
                let cosine = |i: usize| {
                    let angle = (2 * i + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0;
                    angle.cos()
                };
                let mean = (x * n_means..(x + 1) * n_means).map(cosine).sum::<f64>();
                let mean = mean / n_means as f64;
                // ITU-T T.81, A.3.3, with its factor 1/4 split between the two directions.
                let scale = if u == 0 { 0.125_f64.sqrt() } else { 0.5 };
                *weight = (scale * mean) as f32;
            }
        }
        Self(weights)
    }
}

/// Receives the coefficients of a block.
pub(super) trait CoefficientSink {
    /// Receives the coefficient at this place in zigzag order; each place at most once.
    fn put(&mut self, place: usize, value: i16);
}

/// The coefficients of a block.
pub(super) struct Block {
    /// In row order.
    values: [i16; 64],
    /// The last non-zero place in zigzag order.
    highest: usize,
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
    /// Sets all coefficients to zero.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.highest > 0 {
            *self = Self::default();
        }
    }
}

impl CoefficientSink for Block {
    #[inline(always)]
    fn put(&mut self, place: usize, value: i16) {
        self.values[usize::from(ZIGZAG[place & 63])] = value;
        self.highest = place;
    }
}

/// For each quantised coefficient, its weight in a block of 2 × 2 samples, and in which of the four
/// sums it counts.
pub(super) struct QuarterWeights([(f32, u8); 64]);

impl QuarterWeights {
    /// For quantisation `steps` in row order, and coefficients up to place `last`.
    pub(super) fn new(steps: &[f32; 64], last: usize) -> Self {
        let two = Weights::<2>::new();
        let mut weights = [(0.0, 0); 64];
        for (&at, weight) in ZIGZAG.iter().zip(&mut weights).take(last + 1) {
            let at = usize::from(at);
            let (u, v) = (at % 8, at / 8);
            // An odd cosine has opposite signs in the two halves. An even one averages to zero,
            // except for the mean.
            let kind = (u % 2 + v % 2 * 2) as u8;
            *weight = (steps[at] * two.0[u][0] * two.0[v][0], kind);
        }
        Self(weights)
    }
}

/// A block that becomes 2 × 2 samples. Only four sums are kept: the mean, the horizontal and the
/// vertical difference, and the difference of these.
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

    /// The samples around zero: the upper two, then the lower two.
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

impl CoefficientSink for Quarters<'_> {
    #[inline(always)]
    fn put(&mut self, place: usize, value: i16) {
        let (weight, kind) = self.weights.0[place & 63];
        self.sums[usize::from(kind & 3)] += weight * f32::from(value);
    }
}

/// The weights of all sizes.
pub(super) struct Transform {
    one: Weights<1>,
    two: Weights<2>,
    four: Weights<4>,
    eight: Weights<8>,
}

/// Where the samples of a block are written.
pub(super) struct Target<'p> {
    /// Starts at the block's first sample.
    pub(super) samples: &'p mut [u8],
    /// Distance between rows, in samples.
    pub(super) stride: usize,
}

impl Transform {
    pub(super) fn new() -> Self {
        Self {
            one: Weights::new(),
            two: Weights::new(),
            four: Weights::new(),
            eight: Weights::new(),
        }
    }

    /// Writes a block of `size` (across, down) samples. `steps` is the quantisation in row order.
    #[inline(always)]
    pub(super) fn write(
        &self,
        block: &Block,
        steps: &[f32; 64],
        size: (usize, usize),
        target: &mut Target<'_>,
    ) {
        if block.highest == 0 {
            let mean = rounded(f32::from(block.values[0]) * steps[0] * 0.125);
            for row in target.samples.chunks_mut(target.stride).take(size.1) {
                row[..size.0].fill(mean);
            }
            return;
        }
        let input = (&block.values, block.highest, steps);
        let (one, two, four, eight) = (&self.one, &self.two, &self.four, &self.eight);
        match size {
            (4, 4) => by_extent(input, four, four, target),
            (8, 8) => by_extent(input, eight, eight, target),
            (1, 1) => by_extent(input, one, one, target),
            (1, 2) => by_extent(input, one, two, target),
            (1, 4) => by_extent(input, one, four, target),
            (1, 8) => by_extent(input, one, eight, target),
            (2, 2) => by_extent(input, two, two, target),
            (2, 1) => by_extent(input, two, one, target),
            (2, 4) => by_extent(input, two, four, target),
            (2, 8) => by_extent(input, two, eight, target),
            (4, 1) => by_extent(input, four, one, target),
            (4, 2) => by_extent(input, four, two, target),
            (4, 8) => by_extent(input, four, eight, target),
            (8, 1) => by_extent(input, eight, one, target),
            (8, 2) => by_extent(input, eight, two, target),
            _ => by_extent(input, eight, four, target),
        }
    }
}

/// Chooses how many coefficients of each direction are used.
#[inline(always)]
fn by_extent<const NX: usize, const NY: usize>(
    (block, highest, steps): (&[i16; 64], usize, &[f32; 64]),
    across: &Weights<NX>,
    down: &Weights<NY>,
    target: &mut Target<'_>,
) {
    // By the diagonals of the zigzag order: up to place 2 both indices are below 2, up to place 9
    // below 4.
    let (within_two, within_four) = (2, 9);
    if highest <= within_two {
        transform::<NX, NY, 2>(block, steps, across, down, target);
    } else if highest <= within_four {
        transform::<NX, NY, 4>(block, steps, across, down, target);
    } else {
        transform::<NX, NY, 8>(block, steps, across, down, target);
    }
}

/// Transforms the first `E` coefficients of each direction.
#[inline(always)]
fn transform<const NX: usize, const NY: usize, const E: usize>(
    block: &[i16; 64],
    steps: &[f32; 64],
    across: &Weights<NX>,
    down: &Weights<NY>,
    target: &mut Target<'_>,
) {
    // Columns first, so that each step works on a row of the block.
    let mut rows = [[0.0_f32; E]; NY];
    for v in 0..E {
        let mut values = [0.0_f32; E];
        for u in 0..E {
            values[u] = f32::from(block[8 * v + u]) * steps[8 * v + u];
        }
        for (row, weight) in rows.iter_mut().zip(down.0[v]) {
            for (sum, value) in row.iter_mut().zip(values) {
                *sum += value * weight;
            }
        }
    }
    for (out, row) in target.samples.chunks_mut(target.stride).zip(rows) {
        let mut sums = [0.0_f32; NX];
        for (value, weights) in row.iter().zip(&across.0) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
        for (sample, sum) in out.iter_mut().zip(sums) {
            *sample = rounded(sum);
        }
    }
}

/// Converts a value around zero to a sample.
#[inline(always)]
pub(super) fn rounded(value: f32) -> u8 {
    // 1.5 × 2^23: adding it rounds a small number into the lowest bits.
    const SHIFT: f32 = 12_582_912.0;
    // Well beyond any sample, and within the range of that trick.
    let value = value.clamp(-1024.0, 1024.0);
    let whole = (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i32;
    (whole + 128).clamp(0, 255) as u8
}
