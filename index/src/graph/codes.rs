//! Vectors quantized to 8 bits per value. A quantized vector is a *row*: its values scaled to
//! −127…127, then the scale.
//!
//! A row has `stride(dimension)` bytes: one per value, the code plus 128, padded with 128 to a
//! multiple of 64; then 64 more with the scale (f32), the sum of the codes (i32), both
//! little-endian, and zeros. Everything that a comparison needs is thus in one place, and the rows
//! of a file start at cache lines. The similarity of two rows is the product of their scales and Σ
//! code × code. At 384 dimensions it is within about 0.01 of the true similarity; results are
//! always compared again with full vectors.
//!
//! The sums are exact integers, so every instruction set gives the same result to the last bit.

use std::sync::OnceLock;

/// Bytes compared at once. Rows consist of whole blocks.
pub(crate) const BLOCK: usize = 64;

/// Codes are −127…127, so that opposite vectors have opposite codes.
const LARGEST: f32 = 127.0;

/// Added to a code to get a byte.
const OFFSET: u8 = 128;

/// The largest dimension for which every sum fits 32 bits: with AVX-512 VNNI, products of a byte up
/// to 255 and a code up to 127 are added.
pub(crate) const MAX_DIMENSION: usize = 1 << 16;

/// Σ code × code of two runs of bytes of equal length, a multiple of [`BLOCK`]; `sum_b` is the sum
/// of the codes of the second.
pub(crate) type CodeDot = fn(a: &[u8], b: &[u8], sum_b: i32) -> i32;

/// Size of a row in bytes.
pub(crate) const fn stride(dimension: usize) -> usize {
    n_code_bytes(dimension) + BLOCK
}

const fn n_code_bytes(dimension: usize) -> usize {
    dimension.next_multiple_of(BLOCK)
}

/// Appends the row of `vector`, whose values are finite, to `rows`.
pub(crate) fn encode(vector: &[f32], rows: &mut Vec<u8>) {
    let start = rows.len();
    let largest = vector
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    let per_code = if largest > 0.0 {
        LARGEST / largest
    } else {
        0.0
    };
    let (mut sum, mut along, mut length) = (0, 0.0f32, 0.0f32);
    rows.extend(vector.iter().map(|&value| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rounded, and within −127…127 by the choice of the factor"
        )]
        let code = (value * per_code).round().clamp(-LARGEST, LARGEST) as i8;
        sum += i32::from(code);
        along += value * f32::from(code);
        length += value * value;
        code.cast_unsigned() ^ OFFSET
    }));
    // Not the step between codes, but the scale at which the vector's product with its own codes is
    // exact. The rounding error is then orthogonal to the vector and hardly changes its similarity
    // to close ones.
    let scale = if along > 0.0 { length / along } else { 0.0 };
    rows.resize(start + n_code_bytes(vector.len()), OFFSET);
    rows.extend_from_slice(&scale.to_le_bytes());
    rows.extend_from_slice(&sum.to_le_bytes());
    rows.resize(start + stride(vector.len()), 0);
}

/// A row to compare others with.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    codes: Vec<u8>,
    scale: f32,
    sum: i32,
    dot: CodeDot,
}

impl Query {
    pub(crate) fn new(vector: &[f32]) -> Self {
        let mut row = Vec::with_capacity(stride(vector.len()));
        encode(vector, &mut row);
        Self::of_row(&row)
    }

    /// A query for what is near a stored row.
    pub(crate) fn of_row(row: &[u8]) -> Self {
        let (codes, scale, sum) = parts(row);
        Self {
            codes: codes.to_vec(),
            scale,
            sum,
            dot: dot_function(),
        }
    }

    /// Approximate cosine of the angle between the two vectors; −∞ if the row has another dimension
    /// or is damaged.
    #[inline]
    pub(crate) fn similarity(&self, row: &[u8]) -> f32 {
        let Some((codes, tail)) = row.split_at_checked(self.codes.len()) else {
            return f32::NEG_INFINITY;
        };
        let Some(scale) = tail.first_chunk() else {
            return f32::NEG_INFINITY;
        };
        let scale = f32::from_le_bytes(*scale);
        let similarity = to_f32((self.dot)(codes, &self.codes, self.sum)) * (scale * self.scale);
        if similarity.is_nan() {
            f32::NEG_INFINITY
        } else {
            similarity
        }
    }

    /// Upper bound on how much higher the true similarity may be than `similarity`, which
    /// [`similarity`](Self::similarity) returned for this row. It is exceeded about once in 30,000
    /// comparisons.
    ///
    /// A code is off by up to half a step, uniformly distributed, which is 1/√12 of a step in root
    /// mean square. The rounding error of one vector is orthogonal to it (see [`encode`]), so only
    /// the orthogonal part of the other one matters, √(1 − similarity²) of it. The errors of
    /// similar vectors may be similar, so they are added, and multiplied by four. The last term is
    /// the product of both errors.
    pub(crate) fn margin(&self, row: &[u8], similarity: f32) -> f32 {
        let (codes, scale, _) = parts(row);
        let across = (1.0 - similarity * similarity).max(0.0).sqrt();
        let errors = to_f32(i32::try_from(codes.len()).unwrap_or(i32::MAX)) / 12.0;
        4.0 * (self.scale + scale) / 12.0f32.sqrt() * across + errors * self.scale * scale
    }
}

/// The similarity of two rows by `dot`, which is [`dot_function`]'s; see [`Query::similarity`].
#[inline]
pub(crate) fn similarity(dot: CodeDot, a: &[u8], b: &[u8]) -> f32 {
    let (codes_a, scale_a, _) = parts(a);
    let (codes_b, scale_b, sum_b) = parts(b);
    to_f32(dot(codes_a, codes_b, sum_b)) * (scale_a * scale_b)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sums beyond 2^24 need more than 1,040 dimensions of the largest code, and lose only \
              their last bit"
)]
fn to_f32(sum: i32) -> f32 {
    sum as f32
}

#[inline]
fn parts(row: &[u8]) -> (&[u8], f32, i32) {
    let Some((codes, tail)) = row.split_last_chunk::<BLOCK>() else {
        return (&[], 0.0, 0);
    };
    let [scale, sum, ..] = tail.as_chunks().0 else {
        return (&[], 0.0, 0);
    };
    (codes, f32::from_le_bytes(*scale), i32::from_le_bytes(*sum))
}

/// The fastest variant on this machine.
pub(crate) fn dot_function() -> CodeDot {
    static CHOSEN: OnceLock<CodeDot> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        variants()
            .first()
            .map_or(dot_portable as CodeDot, |best| best.1)
    })
}

/// The variants that this machine can run, fastest first.
#[allow(
    unsafe_code,
    reason = "calls functions that need checked processor features"
)]
fn variants() -> Vec<(&'static str, CodeDot)> {
    let mut variants: Vec<(&'static str, CodeDot)> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the processor has the three features, as checked above.
            variants.push(("AVX-512 VNNI", |a, b, sum_b| unsafe {
                x86::dot_vnni(a, b, sum_b)
            }));
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as checked above.
            variants.push(("AVX2", |a, b, _| unsafe { x86::dot_avx2(a, b) }));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the processor has NEON, as checked above.
        variants.push(("NEON", |a, b, _| unsafe { arm::dot_neon(a, b) }));
    }
    variants.push(("portable", dot_portable));
    variants
}

fn dot_portable(a: &[u8], b: &[u8], _sum_b: i32) -> i32 {
    let code = |byte: u8| i32::from((byte ^ OFFSET).cast_signed());
    a.iter().zip(b).map(|(&a, &b)| code(a) * code(b)).sum()
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "SIMD loads from slices")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_set1_epi8,
        _mm_shuffle_epi32, _mm_xor_si128, _mm256_add_epi32, _mm256_castsi256_si128,
        _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_setzero_si256,
        _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_reduce_add_epi32,
        _mm512_set1_epi8, _mm512_setzero_si512, _mm512_xor_si512,
    };

    use super::BLOCK;

    /// The instruction multiplies unsigned by signed bytes, so its result, Σ (a + 128) × b, is 128
    /// × Σ b too large.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn dot_vnni(a: &[u8], b: &[u8], sum_b: i32) -> i32 {
        let flip = _mm512_set1_epi8(i8::MIN);
        let mut sums = [_mm512_setzero_si512(); 2];
        let (a, b) = (a.as_chunks::<BLOCK>().0, b.as_chunks::<BLOCK>().0);
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            // SAFETY: both are borrowed arrays of 64 bytes; the load needs no alignment.
            let (a, b) = unsafe {
                (
                    _mm512_loadu_si512(a.as_ptr().cast()),
                    _mm512_loadu_si512(b.as_ptr().cast()),
                )
            };
            // Two sums, so that an addition need not wait for the previous one.
            sums[i % 2] = _mm512_dpbusd_epi32(sums[i % 2], a, _mm512_xor_si512(b, flip));
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1])) - 128 * sum_b
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot_avx2(a: &[u8], b: &[u8]) -> i32 {
        let mut sums = [_mm256_setzero_si256(); 2];
        let (a, b) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            // A pair of products of codes is at most 32,258 and fits 32 bits.
            let pairs = _mm256_madd_epi16(codes(a), codes(b));
            sums[i % 2] = _mm256_add_epi32(sums[i % 2], pairs);
        }
        let sums = _mm256_add_epi32(sums[0], sums[1]);
        let sums = _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        );
        let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b01_00_11_10>(sums));
        let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b10_11_00_01>(sums));
        _mm_cvtsi128_si32(sums)
    }

    #[target_feature(enable = "avx2")]
    fn codes(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: a borrowed array of 16 bytes; the load needs no alignment.
        let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        _mm256_cvtepi8_epi16(_mm_xor_si128(bytes, _mm_set1_epi8(i8::MIN)))
    }
}

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "SIMD loads from slices")]
mod arm {
    use std::arch::aarch64::{
        int8x16_t, vaddvq_s32, vdupq_n_s32, vdupq_n_u8, veorq_u8, vget_low_s8, vld1q_u8,
        vmull_high_s8, vmull_s8, vpadalq_s16, vreinterpretq_s8_u8,
    };

    use super::OFFSET;

    #[target_feature(enable = "neon")]
    pub(super) fn dot_neon(a: &[u8], b: &[u8]) -> i32 {
        let mut sums = [vdupq_n_s32(0); 2];
        let (a, b) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (codes(a), codes(b));
            sums[0] = vpadalq_s16(sums[0], vmull_s8(vget_low_s8(a), vget_low_s8(b)));
            sums[1] = vpadalq_s16(sums[1], vmull_high_s8(a, b));
        }
        vaddvq_s32(sums[0]) + vaddvq_s32(sums[1])
    }

    #[target_feature(enable = "neon")]
    fn codes(bytes: &[u8; 16]) -> int8x16_t {
        // SAFETY: a borrowed array of 16 bytes; the load needs no alignment.
        let bytes = unsafe { vld1q_u8(bytes.as_ptr()) };
        vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(OFFSET)))
    }
}

/// Prefetches a row into the processor's cache. Has no effect on results.
#[inline]
#[allow(unsafe_code, reason = "the prefetch instruction takes a raw pointer")]
pub(crate) fn prefetch(row: &[u8]) {
    /// Number of cache lines to prefetch. The hardware prefetches the rest of a longer row, which
    /// is read in order.
    const N_LINES: usize = 4;
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(BLOCK).take(N_LINES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, and the address is in a borrowed
        // slice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (row, N_LINES);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes over the whole range, different for each seed.
    fn vector(n: usize, seed: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * 37 + seed * 101 + i * i * 7) % 255) as f32 / 127.0 - 1.0)
            .collect()
    }

    fn row(vector: &[f32]) -> Vec<u8> {
        let mut row = vec![];
        encode(vector, &mut row);
        row
    }

    #[test]
    fn every_variant_gives_the_portable_sum() {
        let mut n_checked = 0;
        for n in [1, 15, 16, 63, 64, 65, 127, 128, 384, 512, 513, 768, 1152] {
            for seed in 0..5 {
                let (a, b) = (row(&vector(n, seed)), row(&vector(n, seed + 7)));
                let ((a, ..), (b, _, sum_b)) = (parts(&a), parts(&b));
                let expected = dot_portable(a, b, sum_b);
                for (name, dot) in variants() {
                    assert_eq!(dot(a, b, sum_b), expected, "{name}, {n} values");
                    n_checked += 1;
                }
            }
        }
        assert_eq!(n_checked, 13 * 5 * variants().len());
        let mut expected = 1;
        #[cfg(target_arch = "x86_64")]
        {
            expected += usize::from(is_x86_feature_detected!("avx2"));
            expected += usize::from(is_x86_feature_detected!("avx512vnni"));
        }
        expected += usize::from(cfg!(target_arch = "aarch64"));
        assert_eq!(variants().len(), expected);
    }

    #[test]
    fn the_largest_codes_do_not_overflow() {
        let n = MAX_DIMENSION;
        let largest = 127 * 127 * (1 << 16);
        for (a, b, expected) in [(1.0, 1.0, largest), (1.0, -1.0, -largest)] {
            let (a, b) = (row(&vec![a; n]), row(&vec![b; n]));
            let ((a, ..), (b, _, sum_b)) = (parts(&a), parts(&b));
            for (name, dot) in variants() {
                assert_eq!(dot(a, b, sum_b), expected, "{name}");
            }
        }
    }

    #[test]
    fn similarities_of_codes_are_close_to_exact_ones() {
        let unit = |seed| {
            let mut values = vector(384, seed);
            let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
            for value in &mut values {
                *value /= length;
            }
            values
        };
        let mut n_checked = 0;
        for seed in 0..20 {
            let (a, b) = (unit(seed), unit(seed * 3 + 1));
            let exact = super::super::distance::dot(&a, &b);
            let (row_a, row_b) = (row(&a), row(&b));
            let found = similarity(dot_function(), &row_a, &row_b);
            assert!((found - exact).abs() < 0.01, "{found} is not {exact}");
            assert!((Query::new(&a).similarity(&row_b) - found).abs() < 1e-6);
            assert!((Query::of_row(&row_a).similarity(&row_a) - 1.0).abs() < 0.01);
            n_checked += 1;
        }
        assert_eq!(n_checked, 20);
    }

    #[test]
    fn an_invalid_row_has_the_lowest_similarity() {
        let query = Query::new(&[0.6, 0.8]);
        assert_eq!(query.similarity(&[]), f32::NEG_INFINITY);
        assert_eq!(query.similarity(&[1; 66]), f32::NEG_INFINITY);
        let mut damaged = row(&[1.0, 0.0]);
        damaged[BLOCK..BLOCK + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(query.similarity(&damaged), f32::NEG_INFINITY);
        let nothing = row(&[0.0, 0.0]);
        assert_eq!(query.similarity(&nothing).abs(), 0.0);
        assert_eq!(nothing.len(), stride(2));
    }

    #[test]
    fn prefetching_does_not_change_results() {
        for n in [0, 1, 64, 5000] {
            let before = vec![7; n];
            let row = before.clone();
            prefetch(&row);
            assert_eq!(row, before);
        }
    }
}
