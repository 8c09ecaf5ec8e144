//! How bright is scene light on a screen?
//!
//! Radiance HDR and `OpenEXR` hold light in proportion to the scene's, in units that differ from
//! file to file, without a brightest value. It is exposed so that the 99th percentile of the
//! pixels' brightest channels becomes white, what is brighter is cut off, and sRGB's curve is
//! applied (IEC 61966-2-1). That is simple, and right for pictures with little light outside
//! of a screen's range; it makes no dark corner of a sunlit scene visible, as local methods do.

use image::{Rgb, RgbImage};

/// The share of pixels that are at most white.
const SHARE: f64 = 0.99;

/// Pixels that the exposure is measured on, evenly spread.
const N_MEASURED: usize = 1 << 20;

/// Shows light, `n_channels` (3 or 4, the fourth being alpha) values a pixel, row by row. Light is
/// already multiplied with its alpha, as both formats demand, and stands on white.
///
/// What is not a number, or negative, is dark; what is infinite is white.
pub(super) fn expose(light: &[f32], n_channels: usize, width: u32, height: u32) -> RgbImage {
    let exposure = 1.0 / white(light, n_channels);
    let mut pixels = light.chunks_exact(n_channels);
    RgbImage::from_fn(width, height, |_, _| {
        let Some(pixel) = pixels.next() else {
            return Rgb([0; 3]);
        };
        let ground = pixel
            .get(3)
            .map_or(0.0, |alpha| 1.0 - sound(*alpha).min(1.0));
        Rgb([0, 1, 2].map(|c| srgb((sound(pixel[c]) * exposure + ground).min(1.0))))
    })
}

fn sound(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.max(0.0) }
}

/// The light that is shown as white.
fn white(light: &[f32], n_channels: usize) -> f32 {
    let n_pixels = light.len() / n_channels;
    let step = n_pixels.div_ceil(N_MEASURED).max(1);
    let mut brightest: Vec<f32> = light
        .chunks_exact(n_channels)
        .step_by(step)
        .map(|pixel| pixel[..3].iter().map(|&v| sound(v)).fold(0.0, f32::max))
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
    let at = ((brightest.len() - 1) as f64 * SHARE) as usize;
    let (_, value, above) = brightest.select_nth_unstable_by(at, f32::total_cmp);
    // A few lights in the dark: then the brightest of them is white.
    let value = if *value > 0.0 {
        *value
    } else {
        above.iter().copied().fold(0.0, f32::max)
    };
    // So little light that its inverse is no number is none.
    if value.recip().is_finite() {
        value
    } else {
        1.0
    }
}

/// Light from 0 to 1 as a byte.
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
    fn units_do_not_matter_and_outliers_are_cut_off() {
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
    fn darkness_is_black_and_a_lone_light_is_white() {
        assert!(expose(&[0.0; 300], 3, 100, 1).iter().all(|&v| v == 0));
        let mut light = [0.0; 600];
        light[300..303].fill(7.0);
        assert_eq!(expose(&light, 3, 200, 1).get_pixel(100, 0).0, [255; 3]);
        assert!(expose(&[f32::NAN; 300], 3, 100, 1).iter().all(|&v| v == 0));
        assert!(expose(&[1e-45; 300], 3, 100, 1).iter().all(|&v| v == 0));
    }

    #[test]
    fn what_is_transparent_stands_on_white() {
        let shown = expose(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], 4, 2, 1);
        assert_eq!(shown.as_raw(), &[255; 6]);
    }
}
