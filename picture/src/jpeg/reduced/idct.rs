//! Which samples do the coefficients of a block make?
//!
//! A block of 8 × 8 samples is a sum of cosines. At a reduced size a sample is the mean of those
//! that it stands for; the means of each cosine are known beforehand, so the reduced block is a sum
//! too, of fewer terms: nothing is computed at full size. This is what libjpeg's reduced transforms
//! compute, there in whole numbers.

use super::block::Block;

/// What samples are the means of: for each coefficient of one direction, its part in each of `N`
/// samples.
pub(super) struct Weights<const N: usize>(pub(super) [[f32; N]; 8]);

impl<const N: usize> Weights<N> {
    /// `N` is 1, 2, 4 or 8.
    pub(super) fn new() -> Self {
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

/// The weights of all sizes.
pub(super) struct Transform {
    one: Weights<1>,
    two: Weights<2>,
    four: Weights<4>,
    eight: Weights<8>,
}

/// Where the samples of a block go.
pub(super) struct Target<'p> {
    /// From the block's first sample on.
    pub(super) samples: &'p mut [u8],
    /// Samples from one row to the next.
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

    /// Writes a block of `size` (across, down) samples.
    ///
    /// `steps` is the quantisation, row after row.
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

/// Chooses how many coefficients of each direction are looked at.
#[inline(always)]
fn by_extent<const NX: usize, const NY: usize>(
    (block, highest, steps): (&[i16; 64], usize, &[f32; 64]),
    across: &Weights<NX>,
    down: &Weights<NY>,
    target: &mut Target<'_>,
) {
    // The diagonals of the order of storage: up to place 2 both directions are below 2, up to place
    // 9 below 4.
    let (within_two, within_four) = (2, 9);
    if highest <= within_two {
        transform::<NX, NY, 2>(block, steps, across, down, target);
    } else if highest <= within_four {
        transform::<NX, NY, 4>(block, steps, across, down, target);
    } else {
        transform::<NX, NY, 8>(block, steps, across, down, target);
    }
}

/// The transform of the first `E` coefficients of each direction.
#[inline(always)]
fn transform<const NX: usize, const NY: usize, const E: usize>(
    block: &[i16; 64],
    steps: &[f32; 64],
    across: &Weights<NX>,
    down: &Weights<NY>,
    target: &mut Target<'_>,
) {
    // Down first: each step then has a row of the block to work on.
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

/// A sample from its value around zero.
#[inline(always)]
pub(super) fn rounded(value: f32) -> u8 {
    // 1.5 × 2^23: added to a small number, it leaves that number, rounded, in the lowest bits.
    const SHIFT: f32 = 12_582_912.0;
    // Far outside of what a sample may be, still inside of what the trick can do.
    let value = value.clamp(-1024.0, 1024.0);
    let whole = (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i32;
    (whole + 128).clamp(0, 255) as u8
}
