//! How is a vector compared with eight bits a value? As a *row*: its values scaled to −127…127, with the scale behind.
//!
//! A row has `stride(dimension)` bytes: one byte a value, the code plus 128, filled up with 128 to a multiple of 64; then
//! 64 more, which hold the scale (f32) and the sum of the codes (i32), little-endian, and zeros. Everything that a
//! comparison needs thus lies in one place, and rows of a file start at cache lines. The similarity of two rows is the
//! product of their scales and of Σ code × code, which is within about 0.01 of the true one at 384 dimensions; whatever
//! is shown to anybody is compared again with full vectors.
//!
//! The sums are exact integers, so every instruction set gives the same answer to the last bit.

use std::sync::OnceLock;

/// Bytes compared by one step; rows are made of whole blocks.
pub(crate) const BLOCK: usize = 64;

/// Codes are −127…127, symmetric, so that a vector and its opposite have opposite codes.
const LARGEST: f32 = 127.0;

/// What is added to a code to get a byte.
const OFFSET: u8 = 128;

/// Σ code × code of two runs of bytes of equal length, a multiple of [`BLOCK`]; `sum_b` is the sum of the codes of the
/// second.
pub(crate) type CodeDot = fn(a: &[u8], b: &[u8], sum_b: i32) -> i32;

/// How many bytes a row has.
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
    // Not the step between codes, but what makes the vector's product with its own codes right: what rounding does is
    // then at right angles to the vector, and hardly changes its similarity to those that lie close by.
    let scale = if along > 0.0 { length / along } else { 0.0 };
    rows.resize(start + n_code_bytes(vector.len()), OFFSET);
    rows.extend_from_slice(&scale.to_le_bytes());
    rows.extend_from_slice(&sum.to_le_bytes());
    rows.resize(start + stride(vector.len()), 0);
}

/// A row that others are compared with.
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

    /// The query that asks for what is near to a stored row.
    pub(crate) fn of_row(row: &[u8]) -> Self {
        let (codes, scale, sum) = parts(row);
        Self {
            codes: codes.to_vec(),
            scale,
            sum,
            dot: dot_function(),
        }
    }

    /// About the cosine of the angle between the two vectors; −∞ where the row is none of this dimension, or damaged.
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
}

impl Query {
    /// How much higher than `similarity`, which [`similarity`](Self::similarity) gave for this row, the true one may be
    /// beyond reasonable doubt.
    ///
    /// A code is off by up to half a step, evenly spread, which is 1/√12 of a step at the root of the mean square.
    /// Whatever rounding did to one vector is at right angles to it (see [`encode`]), so only that part of the other
    /// matters that is too: √(1 − similarity²) of it. The errors of vectors that are alike may be alike and are simply
    /// added; four times that is exceeded once in 30,000 comparisons. Last comes the product of both errors.
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
    reason = "sums beyond 2^24 need more than 1,040 dimensions of the largest code, and lose their last bit only"
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

/// The function of this machine.
pub(crate) fn dot_function() -> CodeDot {
    static CHOSEN: OnceLock<CodeDot> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        variants()
            .first()
            .map_or(dot_portable as CodeDot, |best| best.1)
    })
}

/// What this machine can run, the quickest first.
fn variants() -> Vec<(&'static str, CodeDot)> {
    let mut variants: Vec<(&'static str, CodeDot)> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the processor has the three features, asked for in the lines above.
            variants.push(("AVX-512 VNNI", |a, b, sum_b| unsafe {
                x86::dot_vnni(a, b, sum_b)
            }));
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, asked for in the line above.
            variants.push(("AVX2", |a, b, _| unsafe { x86::dot_avx2(a, b) }));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the processor has NEON, asked for in the line above.
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
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_set1_epi8,
        _mm_shuffle_epi32, _mm_xor_si128, _mm256_add_epi32, _mm256_castsi256_si128,
        _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_setzero_si256,
        _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_reduce_add_epi32,
        _mm512_set1_epi8, _mm512_setzero_si512, _mm512_xor_si512,
    };

    use super::BLOCK;

    /// The instruction multiplies unsigned with signed bytes: Σ (a + 128) × b is what it gives, and 128 × Σ b too much.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn dot_vnni(a: &[u8], b: &[u8], sum_b: i32) -> i32 {
        let flip = _mm512_set1_epi8(i8::MIN);
        let mut sums = [_mm512_setzero_si512(); 2];
        let (a, b) = (a.as_chunks::<BLOCK>().0, b.as_chunks::<BLOCK>().0);
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            // SAFETY: both are 64 bytes that are borrowed; the load asks for no alignment.
            let (a, b) = unsafe {
                (
                    _mm512_loadu_si512(a.as_ptr().cast()),
                    _mm512_loadu_si512(b.as_ptr().cast()),
                )
            };
            // Two sums, so that an addition need not wait for the one before.
            sums[i % 2] = _mm512_dpbusd_epi32(sums[i % 2], a, _mm512_xor_si512(b, flip));
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1])) - 128 * sum_b
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot_avx2(a: &[u8], b: &[u8]) -> i32 {
        let mut sums = [_mm256_setzero_si256(); 2];
        let (a, b) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            // Two products of codes are at most 32,258, so a pair fits the 32 bits that it is added up in.
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
        // SAFETY: 16 bytes that are borrowed; the load asks for no alignment.
        let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        _mm256_cvtepi8_epi16(_mm_xor_si128(bytes, _mm_set1_epi8(i8::MIN)))
    }
}

#[cfg(target_arch = "aarch64")]
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
        // SAFETY: 16 bytes that are borrowed; the load asks for no alignment.
        let bytes = unsafe { vld1q_u8(bytes.as_ptr()) };
        vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(OFFSET)))
    }
}

/// Tells the processor that a row will soon be read. Has no effect on any result.
#[inline]
pub(crate) fn prefetch(row: &[u8]) {
    /// Lines asked for; the rest of a longer row is guessed by the processor, which sees it read in order.
    const N_LINES: usize = 4;
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(BLOCK).take(N_LINES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, and the address lies in a slice that is borrowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (row, N_LINES);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes that reach both ends, other ones for each seed.
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
        let n = 4096;
        for (a, b, expected) in [(1.0, 1.0, 127 * 127 * 4096), (1.0, -1.0, -127 * 127 * 4096)] {
            let (a, b) = (row(&vec![a; n]), row(&vec![b; n]));
            let ((a, ..), (b, _, sum_b)) = (parts(&a), parts(&b));
            for (name, dot) in variants() {
                assert_eq!(dot(a, b, sum_b), expected, "{name}");
            }
        }
    }

    #[test]
    fn similarities_are_near_the_true_ones() {
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
    fn what_is_no_row_is_as_far_as_can_be() {
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
    fn prefetching_changes_nothing() {
        for n in [0, 1, 64, 5000] {
            let before = vec![7; n];
            let row = before.clone();
            prefetch(&row);
            assert_eq!(row, before);
        }
    }
}
