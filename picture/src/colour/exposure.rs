//! Exposure of scene-referred light.
//!
//! Radiance HDR and `OpenEXR` store values proportional to the scene's light, in units that differ
//! from file to file and without a maximum. The 99th percentile of the pixels' brightest channels
//! becomes white, brighter values are clipped, and sRGB's curve is applied (IEC 61966-2-1). This is
//! simple, and right for pictures with little light outside a screen's range. Unlike local tone
//! mapping it does not lift the dark corners of a sunlit scene.

use image::{Rgb, RgbImage};

/// The share of pixels that are not clipped.
const WHITE_PERCENTILE: f64 = 0.99;

/// Maximum number of pixels, evenly spread, that the exposure is measured on.
const MAX_MEASURED: usize = 1 << 20;

/// Exposes rows of pixels with `n_channels` values each: 3, or 4 with alpha. The light must be
/// premultiplied by its alpha, as both formats require; it is put on white.
///
/// NaN and negative values are black, infinite ones white.
pub(crate) fn expose(light: &[f32], n_channels: usize, width: u32, height: u32) -> RgbImage {
    let exposure = 1.0 / white(light, n_channels);
    let mut pixels = light.chunks_exact(n_channels);
    RgbImage::from_fn(width, height, |_, _| {
        let Some(pixel) = pixels.next() else {
            return Rgb([0; 3]);
        };
        // `max` takes its argument in place of NaN.
        let background = pixel
            .get(3)
            .map_or(0.0, |alpha| (1.0 - alpha.max(0.0)).max(0.0));
        Rgb([0, 1, 2].map(|c| srgb((pixel[c].max(0.0) * exposure + background).min(1.0))))
    })
}

/// The light that becomes white.
fn white(light: &[f32], n_channels: usize) -> f32 {
    let n_pixels = light.len() / n_channels;
    let step = n_pixels.div_ceil(MAX_MEASURED).max(1);
    let mut brightest: Vec<f32> = light
        .chunks_exact(n_channels)
        .step_by(step)
        .map(|pixel| pixel[..3].iter().copied().fold(0.0, f32::max))
        .filter(|value| value.is_finite())
        .collect();
    if brightest.is_empty() {
        return 1.0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length, rounded down, is below that length"
    )]
    let at = ((brightest.len() - 1) as f64 * WHITE_PERCENTILE) as usize;
    let (_, value, above) = brightest.select_nth_unstable_by(at, f32::total_cmp);
    // Where nearly everything is black, the brightest pixel is white.
    let value = if *value > 0.0 {
        *value
    } else {
        above.iter().copied().fold(0.0, f32::max)
    };
    // Light whose reciprocal overflows counts as darkness.
    if value.recip().is_finite() {
        value
    } else {
        1.0
    }
}

/// Encodes light from 0 to 1 as a byte.
fn srgb(light: f32) -> u8 {
    let value = if light <= 0.003_130_8 {
        12.92 * light
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0.5 and 255.5"
    )]
    let byte = (value * 255.0 + 0.5) as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure_is_independent_of_units_and_clips_outliers() {
        let mut light: Vec<f32> = (0..1000u16).flat_map(|n| [f32::from(n); 3]).collect();
        let shown = expose(&light, 3, 1000, 1);
        for factor in [1e-3, 1.0, 1e6] {
            let other: Vec<f32> = light.iter().map(|v| v * factor).collect();
            let other = expose(&other, 3, 1000, 1);
            let furthest = shown
                .iter()
                .zip(other.iter())
                .map(|(a, b)| a.abs_diff(*b))
                .max();
            assert!(furthest.unwrap() <= 1);
        }
        // 989 is white; half of its light is 188 in sRGB.
        assert_eq!(shown.get_pixel(989, 0).0, [255; 3]);
        assert!(shown.get_pixel(988, 0).0[0] >= 254);
        assert_eq!(shown.get_pixel(495, 0).0, [188; 3]);
        light[2997] = f32::INFINITY;
        light[2998] = f32::NAN;
        light[2999] = -1.0;
        let shown = expose(&light, 3, 1000, 1);
        assert_eq!(shown.get_pixel(999, 0).0, [255, 0, 0]);
        assert!(shown.get_pixel(495, 0).0[0].abs_diff(188) <= 1);
    }

    #[test]
    fn darkness_is_black_and_a_single_light_is_white() {
        assert!(expose(&[0.0; 300], 3, 100, 1).iter().all(|&v| v == 0));
        let mut light = [0.0; 600];
        light[300..303].fill(7.0);
        assert_eq!(expose(&light, 3, 200, 1).get_pixel(100, 0).0, [255; 3]);
        assert!(expose(&[f32::NAN; 300], 3, 100, 1).iter().all(|&v| v == 0));
        assert!(expose(&[1e-45; 300], 3, 100, 1).iter().all(|&v| v == 0));
    }

    #[test]
    fn transparent_light_is_put_on_white() {
        let shown = expose(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], 4, 2, 1);
        assert_eq!(shown.as_raw(), &[255; 6]);
    }
}
