//! A heat map over its picture.
//!
//! The picture loses most of its colour, so that it does not mix with those of the map. These run
//! from dark blue over orange to light yellow: lighter is always more, which is readable in grey
//! and by colour-blind people. What the model does not see is darkened.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use sightline_onnx::SeenPart;

use super::heat::Heat;

/// Colours of the map at 0, 1/2 and 1.
const RAMP: [[f32; 3]; 3] = [
    [18.0, 28.0, 92.0],
    [214.0, 96.0, 44.0],
    [255.0, 238.0, 130.0],
];

/// The share of the map in the mixture with the picture, at 0 and at 1.
const OPACITY: (f32, f32) = (0.30, 0.62);

/// The share of its own colour that the picture keeps.
const COLOUR_KEPT: f32 = 0.35;

/// The brightness of what the model does not see.
const UNSEEN: f32 = 0.25;

/// The picture with the map over it. The strongest part has the colour of 1, and what supports the
/// text by nothing or less that of 0.
pub(super) fn overlay(picture: &RgbImage, heat: &Heat) -> RgbImage {
    let (width, height) = picture.dimensions();
    let SeenPart {
        left,
        top,
        right,
        bottom,
    } = heat.seen;
    let columns = pixels(left, width)..pixels(right, width).max(pixels(left, width) + 1);
    let rows = pixels(top, height)..pixels(bottom, height).max(pixels(top, height) + 1);
    let size = (columns.end - columns.start, rows.end - rows.start);
    let map = enlarged(heat, size);
    RgbImage::from_fn(width, height, |x, y| {
        let grey = muted(*picture.get_pixel(x, y));
        if columns.contains(&x) && rows.contains(&y) {
            let Luma([value]) = *map.get_pixel(x - columns.start, y - rows.start);
            let value = value.clamp(0.0, 1.0);
            let opacity = OPACITY.0 + (OPACITY.1 - OPACITY.0) * value;
            mixed(grey, colour(value), opacity)
        } else {
            mixed(grey, [0.0; 3], 1.0 - UNSEEN)
        }
    })
}

/// The map, 0…1, in this size.
fn enlarged(heat: &Heat, (width, height): (u32, u32)) -> ImageBuffer<Luma<f32>, Vec<f32>> {
    let most = heat.values.iter().copied().fold(0.0, f32::max);
    let value = |value: f32| {
        if most > 0.0 {
            value.max(0.0) / most
        } else {
            0.0
        }
    };
    let side = u32::try_from(heat.side).unwrap_or(1);
    let values: Vec<f32> = heat.values.iter().copied().map(value).collect();
    let small = ImageBuffer::from_raw(side, side, values).unwrap_or_default();
    imageops::resize(&small, width, height, FilterType::CatmullRom)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the length of a side"
)]
fn pixels(share: f32, length: u32) -> u32 {
    (f64::from(share) * f64::from(length)).round() as u32
}

/// A pixel with less colour.
fn muted(Rgb(pixel): Rgb<u8>) -> [f32; 3] {
    let [red, green, blue] = pixel.map(f32::from);
    let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
    [red, green, blue].map(|value| grey + (value - grey) * COLOUR_KEPT)
}

/// The colour of a value of 0…1.
fn colour(value: f32) -> [f32; 3] {
    let (from, to, share) = if value < 0.5 {
        (RAMP[0], RAMP[1], 2.0 * value)
    } else {
        (RAMP[1], RAMP[2], 2.0 * value - 1.0)
    };
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0…255"
)]
fn mixed(below: [f32; 3], above: [f32; 3], opacity: f32) -> Rgb<u8> {
    Rgb(std::array::from_fn(|channel| {
        let value = below[channel] + (above[channel] - below[channel]) * opacity;
        value.round().clamp(0.0, 255.0) as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(rgb: [f32; 3]) -> f32 {
        let [red, green, blue] = rgb;
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn more_is_always_lighter() {
        let lights: Vec<f32> = (0..=100u8)
            .map(|value| luminance(colour(f32::from(value) / 100.0)))
            .collect();
        assert!(lights.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn the_strongest_part_is_lightest_and_the_unseen_darkest() {
        let mut values = vec![-1.0; 144];
        // The upper left ninth of what is seen.
        for cell in (0..4).flat_map(|row| (0..4).map(move |column| 12 * row + column)) {
            values[cell] = 0.5;
        }
        let seen = SeenPart {
            left: 0.25,
            right: 0.75,
            ..SeenPart::WHOLE
        };
        let side = 12;
        let heat = Heat { seen, side, values };
        let picture = RgbImage::from_pixel(240, 120, Rgb([128, 128, 128]));
        let drawn = overlay(&picture, &heat);
        assert_eq!(drawn.dimensions(), (240, 120));
        let light = |x, y| luminance(drawn.get_pixel(x, y).0.map(f32::from));
        let (strong, weak, unseen) = (light(75, 15), light(150, 90), light(10, 10));
        assert!(strong > weak + 50.0 && weak > unseen + 20.0);
        assert_eq!((light(0, 60), light(239, 60)), (unseen, unseen));
    }

    #[test]
    fn pictures_of_one_pixel_are_drawn() {
        for (width, height) in [(1, 1), (1, 30), (300, 1)] {
            let heat = Heat {
                seen: SeenPart {
                    left: 0.49,
                    right: 0.51,
                    ..SeenPart::WHOLE
                },
                side: 12,
                values: vec![0.1; 144],
            };
            let drawn = overlay(&RgbImage::new(width, height), &heat);
            assert_eq!(drawn.dimensions(), (width, height));
        }
    }
}
