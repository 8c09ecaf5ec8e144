//! Quantises a matrix of floats to int8.
//!
//! Each output column `n` has its own scale: `w[k][n] ≈ scale[n] · q[k][n]`, symmetric about zero,
//! as in ONNX Runtime's dynamic quantisation per channel.

/// How much of the int8 range weights use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WeightRange {
    /// As much as gives the same sums on every processor; the default.
    ///
    /// x86 processors without VNNI multiply unsigned activations by signed weights in pairs and add
    /// the two products in 16 bits, where they saturate (`vpmaddubsw`): 255 · q₀ + 255 · q₁ must
    /// stay below 32,768. ONNX Runtime pairs rows 2i and 2i + 1, so the scale of a column is
    /// increased until no such pair of equal sign sums to more than 128. A column without such a
    /// pair keeps all eight bits, whereas the usual remedy, seven bits for all weights, costs every
    /// column one bit.
    #[default]
    SaturationFree,
    /// −127 to 127, as ONNX Runtime's `quantize_dynamic(per_channel=True, weight_type=QInt8)`:
    /// finer by less than a bit, but wrong on processors without VNNI when activations are large.
    Full,
}

/// A matrix `[n_rows, n_columns]` in int8, in row-major order, and a scale per column.
#[derive(Debug)]
pub(super) struct Quantized {
    pub(super) values: Vec<u8>,
    pub(super) scales: Vec<f32>,
}

/// A weight is infinite or not a number.
#[derive(Debug)]
pub(super) struct NotFinite;

/// The largest sum of a pair: 255 · 128 = 32,640 fits into 16 bits, 255 · 129 does not. Slightly
/// less, so that rounding both halves up does not exceed it.
const MAX_PAIR: f64 = 127.99;
const MAX_SINGLE: f64 = 127.0;

/// The range of a column's weights.
#[derive(Clone, Copy, Default)]
struct Extent {
    /// The largest magnitude.
    single: f32,
    /// The largest sum of the magnitudes of rows 2i and 2i + 1, of one sign only.
    pair: f32,
}

impl Extent {
    fn add(&mut self, first: f32, second: f32) {
        // `max` ignores NaN; the callers check that all weights are finite.
        self.single = self.single.max(first.abs()).max(second.abs());
        let above = first.max(0.0) + second.max(0.0);
        let below = first.min(0.0) + second.min(0.0);
        self.pair = self.pair.max(above).max(-below);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a scale is stored as f32, as ONNX Runtime's is"
    )]
    fn scale(self, range: WeightRange) -> f32 {
        let full = f64::from(self.single) / MAX_SINGLE;
        let scale = match range {
            WeightRange::Full => full,
            WeightRange::SaturationFree => full.max(f64::from(self.pair) / MAX_PAIR),
        };
        // A column of zeros, or nearly so.
        if scale < f64::from(f32::MIN_POSITIVE) {
            1.0
        } else {
            scale as f32
        }
    }
}

/// Quantises a matrix of little-endian floats: `[n_rows, n_columns]`, or, if `transposed`,
/// `[n_columns, n_rows]`. The result is `[n_rows, n_columns]` in either case.
///
/// `values` must hold `n_rows × n_columns` floats.
pub(super) fn quantize(
    values: &[u8],
    n_rows: usize,
    n_columns: usize,
    transposed: bool,
    range: WeightRange,
) -> Result<Quantized, NotFinite> {
    let (floats, _) = values.as_chunks::<4>();
    debug_assert_eq!(floats.len(), n_rows * n_columns);
    if transposed {
        quantize_columns(floats, n_rows, n_columns, range)
    } else {
        quantize_rows(floats, n_rows, n_columns, range)
    }
}

/// Row by row, all columns together.
fn quantize_rows(
    floats: &[[u8; 4]],
    n_rows: usize,
    n_columns: usize,
    range: WeightRange,
) -> Result<Quantized, NotFinite> {
    let mut extents = vec![Extent::default(); n_columns];
    let mut all_finite = true;
    for pair in floats.chunks(2 * n_columns) {
        let (first, second) = pair.split_at(n_columns);
        for (column, extent) in extents.iter_mut().enumerate() {
            let a = f32::from_le_bytes(first[column]);
            // With an odd number of rows, the last one has no partner.
            let b = second.get(column).map_or(0.0, |b| f32::from_le_bytes(*b));
            all_finite &= a.is_finite() && b.is_finite();
            extent.add(a, b);
        }
    }
    if !all_finite {
        return Err(NotFinite);
    }
    let scales: Vec<f32> = extents.iter().map(|extent| extent.scale(range)).collect();
    let mut values = Vec::with_capacity(n_rows * n_columns);
    for row in floats.chunks(n_columns) {
        values.extend(row.iter().zip(&scales).map(|(w, scale)| code(*w, *scale)));
    }
    Ok(Quantized { values, scales })
}

/// Column by column, each of which is contiguous.
fn quantize_columns(
    floats: &[[u8; 4]],
    n_rows: usize,
    n_columns: usize,
    range: WeightRange,
) -> Result<Quantized, NotFinite> {
    /// Columns transposed at once, so that their rows share cache lines.
    const BLOCK: usize = 64;
    let mut scales = Vec::with_capacity(n_columns);
    let mut values = vec![0_u8; n_rows * n_columns];
    let mut transposed = vec![0_u8; BLOCK * n_rows];
    for (block, columns) in floats.chunks(BLOCK * n_rows).enumerate() {
        let n_here = columns.len() / n_rows;
        for (index, column) in columns.chunks(n_rows).enumerate() {
            let mut extent = Extent::default();
            let mut all_finite = true;
            for pair in column.chunks(2) {
                let a = f32::from_le_bytes(pair[0]);
                let b = pair.get(1).map_or(0.0, |b| f32::from_le_bytes(*b));
                all_finite &= a.is_finite() && b.is_finite();
                extent.add(a, b);
            }
            if !all_finite {
                return Err(NotFinite);
            }
            let scale = extent.scale(range);
            for (row, w) in column.iter().enumerate() {
                transposed[row * BLOCK + index] = code(*w, scale);
            }
            scales.push(scale);
        }
        for (row, codes) in transposed.chunks(BLOCK).enumerate() {
            let at = row * n_columns + block * BLOCK;
            values[at..at + n_here].copy_from_slice(&codes[..n_here]);
        }
    }
    Ok(Quantized { values, scales })
}

/// Halves are rounded to even, as in ONNX and numpy.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the scale limits the magnitude to 127"
)]
fn code(weight: [u8; 4], scale: f32) -> u8 {
    let code = (f32::from_le_bytes(weight) / scale).round_ties_even() as i8;
    code.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn transposed(values: &[f32], n_rows: usize, n_columns: usize) -> Vec<f32> {
        let at = |i: usize| values[(i % n_rows) * n_columns + i / n_rows];
        (0..values.len()).map(at).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 200,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Each weight is exact to half a step, both layouts agree, and in the saturation-free
        /// range no pair of rows sums to more than 16 bits hold.
        #[test]
        fn weights_are_exact_to_half_a_step(
            n_rows in 1_usize..9,
            n_columns in 1_usize..140,
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let values: Vec<f32> = (0..n_rows * n_columns)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let unit = (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5;
                    unit * unit * unit * 8.0
                })
                .collect();
            for range in [WeightRange::Full, WeightRange::SaturationFree] {
                let found = quantize(&bytes(&values), n_rows, n_columns, false, range).unwrap();
                prop_assert_eq!(found.values.len(), values.len());
                let turned = bytes(&transposed(&values, n_rows, n_columns));
                let other = quantize(&turned, n_rows, n_columns, true, range).unwrap();
                prop_assert_eq!(&found.values, &other.values);
                prop_assert_eq!(&found.scales, &other.scales);
                let code = |row: usize, column: usize| {
                    i32::from(found.values[row * n_columns + column].cast_signed())
                };
                for column in 0..n_columns {
                    let scale = found.scales[column];
                    for row in 0..n_rows {
                        let back = code(row, column) as f32 * scale;
                        let error = (back - values[row * n_columns + column]).abs();
                        prop_assert!(error <= scale * 0.5001, "{} {}", error, scale);
                        prop_assert!(code(row, column) >= -127);
                    }
                    if range == WeightRange::SaturationFree {
                        for row in (0..n_rows - n_rows % 2).step_by(2) {
                            let (a, b) = (code(row, column), code(row + 1, column));
                            prop_assert!(a.max(0) + b.max(0) <= 128, "{} {}", a, b);
                            prop_assert!(a.min(0) + b.min(0) >= -128, "{} {}", a, b);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_full_range_ends_at_127_and_zeros_stay_zero() {
        let values = [1.0, 0.0, -2.0, 0.0, 0.5, 0.0_f32];
        let found = quantize(&bytes(&values), 3, 2, false, WeightRange::Full).unwrap();
        assert_eq!(found.scales, [2.0 / 127.0, 1.0]);
        let codes: Vec<i8> = found.values.iter().map(|q| q.cast_signed()).collect();
        // 63.5 and 31.75.
        assert_eq!(codes, [64, 0, -127, 0, 32, 0]);
    }

    #[test]
    fn the_halves_of_a_pair_are_not_both_rounded_up() {
        // 64.5 + 63.5 = 128, which a scale of just below 1 would round to 65 + 64.
        let values = [64.5, 63.5, 127.0, 0.0_f32];
        let range = WeightRange::SaturationFree;
        let found = quantize(&bytes(&values), 4, 1, false, range).unwrap();
        let sum = found.values[..2].iter().map(|q| i32::from(q.cast_signed()));
        assert_eq!(sum.sum::<i32>(), 127);
    }

    #[test]
    fn weights_that_are_not_finite_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for (place, turn) in [(0, false), (3, false), (4, false), (1, true), (4, true)] {
                let mut values = [0.5_f32; 5];
                values[place] = bad;
                let found = quantize(&bytes(&values), 5, 1, turn, WeightRange::Full);
                assert!(found.is_err());
            }
        }
    }
}
