//! The similarity of two full vectors. All similarities come from this function, so that they agree
//! to the last bit.

use std::sync::OnceLock;

/// The inner product of two slices of f32.
pub(crate) type Dot = fn(&[f32], &[f32]) -> f32;

/// The inner product, computed with the widest SIMD instructions of this machine. Values beyond the
/// shorter slice are ignored.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    dot_function()(a, b)
}

/// The function behind [`dot`], for loops.
pub(crate) fn dot_function() -> Dot {
    static CHOSEN: OnceLock<Dot> = OnceLock::new();
    *CHOSEN.get_or_init(choose)
}

#[cfg(target_arch = "x86_64")]
#[allow(
    unsafe_code,
    reason = "calls functions that need checked processor features"
)]
fn choose() -> Dot {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512 F, as checked above.
        |a, b| unsafe { dot_avx512(a, b) }
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has AVX2 and FMA, as checked above.
        |a, b| unsafe { dot_avx2(a, b) }
    } else {
        dot_portable
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn choose() -> Dot {
    dot_portable
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn dot_avx512(a: &[f32], b: &[f32]) -> f32 {
    sum::<64, true>(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    sum::<32, true>(a, b)
}

fn dot_portable(a: &[f32], b: &[f32]) -> f32 {
    // Fused multiply-add is an instruction on 64-bit ARM, but a slow library call on old x86.
    sum::<16, { cfg!(target_arch = "aarch64") }>(a, b)
}

/// `LANES` parallel sums, which the compiler keeps in vector registers.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the body must be compiled with its caller's target features"
)]
fn sum<const LANES: usize, const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut sums = [0.0f32; LANES];
    let (mut chunks_a, mut chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in chunks_a.by_ref().zip(chunks_b.by_ref()) {
        for lane in 0..LANES {
            sums[lane] = if FUSED {
                x[lane].mul_add(y[lane], sums[lane])
            } else {
                x[lane] * y[lane] + sums[lane]
            };
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    let rest: f32 = chunks_a
        .remainder()
        .iter()
        .zip(chunks_b.remainder())
        .map(|(x, y)| x * y)
        .sum();
    sums[0] + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_agrees_with_the_plain_sum() {
        let mut n_checked = 0;
        for length in [0usize, 1, 7, 16, 31, 64, 65, 127, 384, 512, 1000] {
            let a: Vec<f32> = (0..length)
                .map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0)
                .collect();
            let b: Vec<f32> = (0..length)
                .map(|i| ((i * 53 % 97) as f32 - 48.0) / 64.0)
                .collect();
            let plain: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            for variant in [dot as Dot, dot_portable] {
                assert!(
                    (f64::from(variant(&a, &b)) - plain).abs() < 1e-3,
                    "{length}"
                );
                n_checked += 1;
            }
        }
        assert_eq!(n_checked, 22);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    #[allow(
        unsafe_code,
        reason = "calls functions that need checked processor features"
    )]
    fn compiled_variants_agree() {
        let a: Vec<f32> = (0..515u16).map(|i| f32::from(i % 13) / 7.0).collect();
        let b: Vec<f32> = (0..515u16).map(|i| f32::from(i % 11) / 9.0).collect();
        let plain = dot_portable(&a, &b);
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: both features were checked.
            assert!((unsafe { dot_avx2(&a, &b) } - plain).abs() < plain.abs() * 1e-5);
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was checked.
            assert!((unsafe { dot_avx512(&a, &b) } - plain).abs() < plain.abs() * 1e-5);
        }
    }

    #[test]
    fn values_beyond_the_shorter_slice_are_ignored() {
        assert!((dot(&[1.0, 2.0, 3.0], &[4.0]) - 4.0).abs() < 1e-6);
    }
}
